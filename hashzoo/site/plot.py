"""Draw runs as the papers do, from the same specifications as the site: a file of SVG, PNG or HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
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
from hashzoo.runner.cell import cells_of
from hashzoo.site import charts, pictures
from hashzoo.site.build import curve_points

CURVES = ("pr", "precision", "radius", "recall")
KINDS = (*CURVES, "bits", "tsne", "neighbours")
ENDINGS = (".svg", ".png", ".html")


def plot(paths: Sequence[Path], kind: str, out: Path, *, bits: int | None = None, metric: str | None = None) -> str:
    """Draw the records of runs (or accepted ones) to a file and say what was drawn.

    Curves are means over seeds with a band of one standard deviation, at one bit length: the one asked for, else 48 or
    the middle one. "tsne" and "neighbours" draw the codes of one cell, the first seed of the first run.
    """
    if kind not in KINDS:
        raise unknown_name("kind of plot", kind, KINDS)
    if out.suffix.lower() not in ENDINGS:
        raise UsageError(f"{out} ends in {out.suffix or 'nothing'}; end it in .svg, .png or .html.")
    charts.need("altair"), charts.need("vl_convert")
    if kind in ("tsne", "neighbours"):
        return _codes(paths[0], kind, out, bits)
    records = [item.record for item in collect(paths)]
    if not records:
        raise UsageError("There is no record in the given paths; give run directories or record files.")
    prefix, spec, title = _lines(records, kind, bits, metric)
    _write(out, spec, title + (f", {prefix}" if prefix else ""))
    return f"Wrote {title} to {out}."


def _lines(
    records: Sequence[Record], kind: str, bits: int | None, metric: str | None
) -> tuple[str, dict[str, Any], str]:
    if kind == "bits":
        return _over_bits(records, metric)
    if metric is not None:
        raise UsageError("--metric belongs to --kind bits; a curve shows precision and recall.")
    chosen = _length(records, bits)
    prefix = next((n.rpartition("/")[0] for r in records for n in r.metrics if n.rpartition("/")[2] == r.headline), "")
    names = row_names(records, installed(records).own)
    several = len({record.protocol for record in records}) > 1
    rows: dict[str, list[Record]] = {}
    for record, name in zip(records, names, strict=True):
        label = f"{name.method} ({name.settings})" if name.settings else name.method
        rows.setdefault(f"{label}, {record.protocol}" if several else label, []).append(record)
    points = [point for label, of in rows.items() for point in curve_points(of, kind, chosen, prefix, label)]
    if not points:
        raise UsageError(f"None of the records has this curve at {chosen} bits; try another --kind or --bits.")
    order = [label for label in rows if any(point["m"] == label for point in points)]
    return (
        prefix,
        charts.lines(kind, points, charts.numbered(order), height=320),
        f"{charts.KINDS[kind][2]} at {chosen} bits",
    )


def _over_bits(records: Sequence[Record], metric: str | None) -> tuple[str, dict[str, Any], str]:
    cells = measure(records, Selection(metrics=(metric,) if metric else None), installed(records))
    first = cells["metric"].iloc[0]
    here = cells[cells["metric"] == first]
    several = here["protocol"].nunique() > 1
    points: charts.Points = []
    order = []
    for key, row in here.groupby(["method", "settings", "protocol"], sort=False):
        method, settings, protocol = map(str, key)
        label = ", ".join(part for part in (method, settings, protocol if several else "") if part)
        figures = {
            int(b): (float(v), None if sd != sd else float(sd))
            for b, v, sd in row[["bits", "measured", "sd"]].itertuples(index=False, name=None)
        }
        points += charts.over_bits(figures, label)
        order.append(label)
    return (
        "",
        charts.lines("bits", points, charts.numbered(order), y=str(first), height=320),
        f"{first} over bit lengths",
    )


def _length(records: Sequence[Record], bits: int | None) -> int:
    there = sorted({record.bits for record in records} - {0})
    if bits is not None and bits not in there:
        raise UsageError(f"No record has {bits} bits; there are {', '.join(map(str, there)) or 'features only'}.")
    if not there:
        return 0
    return bits or (48 if 48 in there else there[len(there) // 2])


def _codes(path: Path, kind: str, out: Path, bits: int | None) -> str:
    cells = cells_of(path)
    length = _length([cell.record for cell in cells], bits)
    if not length:
        raise UsageError(f"{path} ranks features and has no codes to draw.")
    cell = next(cell for cell in cells if cell.record.bits == length)
    direction, (query, database) = next(iter(pairs_of(cell.record, cell.codes).items()))
    gallery = pictures.Gallery.of(cell.record)
    title = f"{cell.record.method} on {cell.record.protocol}, {length} bits, seed {cell.record.seed}"
    if kind == "tsne":
        points, classes = pictures.plane(query, gallery)
        _write(out, charts.scatter(points, classes, 420), title)
    else:
        _write_sheet(out, _sheet(cell.record, query, database, gallery, direction), title)
    return f"Wrote the {'plane' if kind == 'tsne' else 'nearest items'} of {title} to {out}."


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


def _sheet(record: Record, query: Codes, database: Codes, gallery: pictures.Gallery, direction: str) -> Any:
    """Return the ten nearest of some queries as one image, framed green where a label is shared, else red."""
    from PIL import Image, ImageDraw

    found = pictures.neighbours(query, database, gallery, direction, *pictures.modalities(record, direction))
    side, gap = pictures.THUMB, 6
    step = side + gap
    sheet = Image.new("RGB", (step * (pictures.NEAREST + 1) + 3 * gap, step * len(found.lines) + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for line, (own, nearest) in enumerate(found.lines):
        for place, item in enumerate([own, *nearest]):
            x, y = gap + place * step + (gap if place else 0), gap + line * step
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
    return sheet


def _write_sheet(out: Path, sheet: Any, title: str) -> None:
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".png":
        out.write_bytes(stream.getvalue())
        return
    source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    safe = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    width, height = sheet.size
    if out.suffix.lower() == ".svg":
        write_text(
            out,
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
            f'<title>{safe}</title><image href="{source}" width="{width}" height="{height}"/></svg>\n',
        )
        return
    write_text(
        out, f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{safe}</title><h1>{safe}</h1>'
        f'<img src="{source}" alt="{safe}" width="{width}" height="{height}"></html>\n',
    )  # fmt: skip
