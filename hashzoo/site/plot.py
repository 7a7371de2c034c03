"""Draw runs as the papers do, from the same specifications as the site: a file of SVG, PNG or HTML."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashzoo.errors import UsageError, unknown_name
from hashzoo.evaluation.codes import Codes
from hashzoo.files import write_text
from hashzoo.results.collect import collect
from hashzoo.results.evidence import pairs_of
from hashzoo.results.known import installed
from hashzoo.results.measure import Selection, measure
from hashzoo.results.record import Record
from hashzoo.results.settings import row_names
from hashzoo.results.text import plain
from hashzoo.runner.cell import cells_of
from hashzoo.site import charts, drawing, pictures
from hashzoo.site.figures import SHOWN, curve_points, in_short, usual_length

CURVES = ("pr", "precision", "radius", "recall")
CODES = ("tsne", "neighbours")
KINDS = (*CURVES, "bits", *CODES)
ENDINGS = (".svg", ".png", ".html")


_PLACES: Mapping[str, Callable[[Record], str]] = {
    "protocol_id": lambda record: record.protocol,
    "backbone": lambda record: record.backbone_name,
    "regime": lambda record: record.regime,
}
"""What tells rows of one method apart beside its settings, by its column in measured cells."""


@dataclass
class Line:
    """A row of a board as a line of a chart: its records, and its figures (mean, deviation) by bit length."""

    floor: bool
    records: list[Record] = field(default_factory=list)
    figures: dict[int, tuple[float, float | None]] = field(default_factory=dict)


def plot(paths: Sequence[Path], kind: str, out: Path, *, bits: int | None = None, metric: str | None = None) -> str:
    """Draw the records of runs (or accepted ones) to a file and say what was drawn.

    Curves are means over seeds with a band of one standard deviation, at one bit length: the one asked for, else 48 or
    the middle one. Of more than eight methods those with the highest mean are drawn, and every floor, dashed; over bit
    lengths a floor far from all methods is named in the title with its values instead. "tsne" and "neighbours" draw the
    codes of one cell, the first seed of the first run. UsageError for an option that the kind does not take.
    """
    if kind not in KINDS:
        raise unknown_name("kind of plot", kind, KINDS)
    if metric is not None and kind != "bits":
        raise UsageError(f"--metric belongs to --kind bits, and --kind {kind} shows no metric; leave it out.")
    if bits is not None and kind == "bits":
        raise UsageError("--bits belongs to the other kinds, and --kind bits shows every bit length; leave it out.")
    if out.suffix.lower() not in ENDINGS:
        raise UsageError(f"{out} ends in {out.suffix or 'nothing'}; end it in .svg, .png or .html.")
    charts.need("altair"), charts.need("vl_convert")
    if kind in CODES:
        return _codes(paths[0], kind, out, bits)
    records = [item.record for item in collect(paths)]
    if not records:
        raise UsageError("There is no record in the given paths; give run directories or record files.")
    spec, title = _lines(records, kind, bits, metric)
    _write(out, spec, ", ".join(title))
    others = " To draw others, give the folders of their records alone." if len(title) > 1 else ""
    return f"Wrote {', '.join(title)} to {out}.{others}"


def _lines(
    records: Sequence[Record], kind: str, bits: int | None, metric: str | None
) -> tuple[dict[str, Any], list[str]]:
    """Return the specification of a line chart and the lines of its title."""
    known = installed(records)
    cells = measure(records, Selection(metrics=(metric,) if metric else None), known)
    shown = str(cells["metric"].iloc[0])
    found = _rows(records, cells[cells["metric"] == shown])
    length = _length(records, bits)
    drawn = _highest(found, [length] if kind != "bits" else [], known.direction(shown) is not False)
    prefix = shown.rpartition("/")[0]
    points: charts.Points = []
    for name, line in drawn.items():
        if kind == "bits":
            points += charts.over_bits(line.figures, name, charts.range_of(shown))
        else:
            points += curve_points(line.records, kind, length, prefix, name)
    if not points:
        raise UsageError(f"None of the records has this curve at {length} bits; try another --kind or --bits.")
    what = f"{shown} over bit lengths" if kind == "bits" else f"{charts.KINDS[kind][2]} at {length} bits"
    where = dict.fromkeys(plain(record.protocol) for record in records)
    title = [", ".join([what, *([prefix] if prefix and kind != "bits" else []), *where])]
    contending = sum(not line.floor for line in found.values())
    if contending > SHOWN:
        title.append(f"{SHOWN} of {contending} methods, those with the best mean {shown}")
    there = {point["m"] for point in points}
    methods = [name for name, line in drawn.items() if not line.floor and name in there]
    floors = [name for name, line in drawn.items() if line.floor and name in there]
    order = charts.numbered(methods) | {name: -1 - place for place, name in enumerate(floors)}
    if kind == "bits":
        _, far = drawing.apart(drawing.chart("bits", points, order))
        title += [drawing.outside(far)] if far else []
        for floor in far:
            points = [point for point in points if point["m"] != floor.name]
            del order[floor.name]
    return charts.lines(kind, points, order, y=shown if kind == "bits" else "", title=title, height=320), title


def _rows(records: Sequence[Record], cells: Any) -> dict[str, Line]:
    """Return the lines by name; protocol, backbone and training stand in it where the records have several."""
    several = {
        place: len({value(record) for record in records if not record.floor or place == "protocol_id"}) > 1
        for place, value in _PLACES.items()
    }
    places = [place for place in _PLACES if several[place]]
    found: dict[str, Line] = {}
    for record, name in zip(records, row_names(records, installed(records).own), strict=True):
        where = [plain(_PLACES[place](record)) for place in places if place != "regime" or not record.floor]
        label = ", ".join([in_short(name.method, name.settings), *where])
        found.setdefault(label, Line(record.floor)).records.append(record)
    for cell in cells.to_dict("records"):
        where = [str(cell[place]) for place in places if place != "regime" or not cell["floor"]]
        line = found.get(", ".join([in_short(str(cell["method"]), str(cell["settings"])), *where]))
        if line is not None:
            sd = None if cell["sd"] != cell["sd"] else cell["sd"]
            line.figures[int(cell["bits"])] = float(cell["measured"]), None if sd is None else float(sd)
    return found


def _highest(found: dict[str, Line], lengths: Sequence[int], higher: bool) -> dict[str, Line]:
    """Return the lines with the best mean over bit lengths (all, or those given), the best first, then the floors.

    A line that lacks a bit length comes after those that have them all.
    """
    wanted = lengths or sorted({bits for line in found.values() for bits in line.figures})

    def place(name: str) -> tuple[int, float]:
        values = [value for bits, (value, _) in found[name].figures.items() if bits in wanted]
        mean = sum(values) / len(values) if values else 0.0
        return -len(values), -mean if higher else mean

    methods = sorted((name for name, line in found.items() if not line.floor), key=place)
    chosen = [*methods[:SHOWN], *(name for name, line in found.items() if line.floor)]
    return {name: found[name] for name in chosen}


def _length(records: Sequence[Record], bits: int | None) -> int:
    there = sorted({record.bits for record in records} - {0})
    if bits is not None and bits not in there:
        raise UsageError(f"No record has {bits} bits; there are {', '.join(map(str, there)) or 'features only'}.")
    if not there:
        return 0
    return bits or usual_length(there)


def _codes(path: Path, kind: str, out: Path, bits: int | None) -> str:
    cells = cells_of(path)
    length = _length([cell.record for cell in cells], bits)
    if not length:
        raise UsageError(f"{path} ranks features and has no codes to draw.")
    cell = next(cell for cell in cells if cell.record.bits == length)
    direction, (query, database) = next(iter(pairs_of(cell.record, cell.codes).items()))
    gallery = pictures.Gallery.of(cell.record)
    of = plain(f"{cell.record.method} on {cell.record.protocol}, {length} bits, seed {cell.record.seed}")
    title = f"{'Codes in the plane by t-SNE' if kind == 'tsne' else 'Nearest items'}: {of}"
    if kind == "tsne":
        points, classes = pictures.plane(query, gallery)
        _write(out, charts.scatter(points, classes, title=[title], size=420), title)
    else:
        _write_sheet(out, _sheet(cell.record, query, database, gallery, direction, title), title)
    return f"Wrote {title} to {out}."


def _write(out: Path, spec: dict[str, Any], title: str) -> None:
    kind = out.suffix.lower()
    if kind == ".html":
        write_text(out, charts.html(spec, title))
        return
    solid = {**spec, "background": "white"}
    if kind == ".svg":
        write_text(out, charts.svg(solid) + "\n")
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(charts.png(solid))


def _sheet(record: Record, query: Codes, database: Codes, gallery: pictures.Gallery, direction: str, title: str) -> Any:
    """Return the ten nearest of some queries as one image, framed green where a label is shared, else red.

    Below each stands its Hamming distance to the query.
    """
    from PIL import Image, ImageDraw, ImageFont

    found = pictures.neighbours(query, database, gallery, direction, *pictures.modalities(record, direction))
    side, gap, head, foot = pictures.THUMB, 6, 26, 14
    step, down = side + gap, side + foot + gap
    sheet = Image.new("RGB", (step * (pictures.NEAREST + 1) + 3 * gap, head + down * len(found.lines) + gap), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((gap, gap), title, fill="black", font=ImageFont.load_default(13))
    for line, (own, nearest) in enumerate(found.lines):
        for place, item in enumerate([own, *nearest]):
            x, y = gap + place * step + (gap if place else 0), head + gap + line * down
            frame = "#80868d" if place == 0 else ("#1f7a4d" if item.right else "#c03545")
            image = gallery.picture(item.id, found.answers if place else found.asks) if item.pictured else None
            if image is not None:
                sheet.paste(pictures.thumbnail(image, side), (x, y))
            else:
                words = (item.text or item.label).split()[:4]
                pen.multiline_text((x + 4, y + 4), "\n".join(word[:8] for word in words), fill="black", spacing=1)
            pen.rectangle((x, y, x + side - 1, y + side - 1), outline=frame, width=2)
            if place and not item.right:
                pen.line((x, y, x + side - 1, y + side - 1), fill=frame, width=1)
            pen.text((x + side / 2, y + side + 2), str(item.distance) if place else "query", fill=frame, anchor="ma")
    return sheet


def _write_sheet(out: Path, sheet: Any, title: str) -> None:
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".png":
        out.write_bytes(stream.getvalue())
        return
    source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    safe = html.escape(title)
    width, height = sheet.size
    if out.suffix.lower() == ".svg":
        write_text(
            out,
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
            f'<title>{safe}</title><image href="{source}" width="{width}" height="{height}"/></svg>\n',
        )
        return
    write_text(
        out, f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{safe}</title>'
        f'<img src="{source}" alt="{safe}" width="{width}" height="{height}"></html>\n',
    )  # fmt: skip
