"""The records of one run as a small table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from rich.console import Console

from hashzoo.results.grid import Grid, GridCell
from hashzoo.results.record import Record
from hashzoo.results.render import rich_grid
from hashzoo.results.text import number_text, plain

SHOWN = ("map", "map@h2", "precision@h2", "precision@1000")


def print_records(records: Sequence[Record], asked: Sequence[str] = ()) -> None:
    """Print one row per record and direction: bits, seed, the metrics asked for or else the main ones, seconds."""
    if not records:
        return
    console = Console(highlight=False)
    directions = directions_of(records)
    several = directions != [""]
    names = shown_metrics(records, asked)
    if not asked:
        names = names[: 3 if several else 4]  # with directions, what fits 80 columns
    header = tuple((name, 1) for name in (*names, "seconds"))
    rows = []
    for record in records:
        for direction in directions:
            values = [record.metrics.get(f"{direction}/{name}" if direction else name) for name in names]
            texts = ["" if value is None else number_text(value) for value in values]
            seconds = f"{sum(record.timings.values()):.1f}"
            stub = (str(record.bits or "-"), str(record.seed), *([plain(direction)] if several else []))
            rows.append((stub, tuple(GridCell(text) for text in (*texts, seconds))))
    title = plain(f"{records[0].method} on {records[0].protocol}")
    stubs = ("bits", "seed", *(["direction"] if several else []))
    console.print(rich_grid(Grid(title, stubs, (header,), tuple(rows)), console.width))


def record_html(record: Record) -> str:
    """Return a record as an HTML table: what was run, and the main metrics of each direction."""
    from html import escape

    directions = directions_of([record])
    head = ["metric", *(direction or "value" for direction in directions)]
    rows = []
    for name in shown_metrics([record]):
        values = [record.metrics.get(f"{direction}/{name}" if direction else name) for direction in directions]
        rows.append([name, *("" if value is None else number_text(value) for value in values)])
    caption = f"{record.method} on {record.protocol}, {record.backbone_name} {record.regime}, "
    caption += f"{record.bits or 'no'} bits, seed {record.seed}"
    cells = "".join(
        "<tr>" + "".join(f"<td style='text-align:{'left' if n == 0 else 'right'}'>{escape(plain(text))}</td>"
        for n, text in enumerate(row)) + "</tr>" for row in rows
    )  # fmt: skip
    heads = "".join(f"<th>{escape(plain(text))}</th>" for text in head)
    return (
        f"<table><caption style='text-align:left'>{escape(plain(caption))}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>"
    )


def directions_of(records: Sequence[Record]) -> list[str]:
    """Return the directions measured, such as "image-to-text"; [""] where there is only one."""
    found = dict.fromkeys(name.rpartition("/")[0] for record in records for name in record.metrics)
    return [direction for direction in found if direction] or [""]


def shown_metrics(records: Sequence[Record], asked: Sequence[str] = ()) -> list[str]:
    """Return the plain names of the metrics to show: those asked for, else the headline and the usual ones."""
    present = {name.rpartition("/")[2] for record in records for name in record.metrics}
    wanted = asked or (records[0].headline if records else "map", *SHOWN)
    return [name for name in dict.fromkeys(name.rpartition("/")[2] for name in wanted) if name in present]


def print_study(records: Sequence[Record], asked: Sequence[str] = ()) -> None:
    """Print one table for each protocol and direction: methods by bit lengths, each the mean over seeds."""
    console = Console(highlight=False)
    for protocol in dict.fromkeys(record.protocol for record in records):
        chosen = [record for record in records if record.protocol == protocol]
        for name in _columns_of(chosen, asked):
            held = [record for record in chosen if name in record.metrics]
            bits = sorted({record.bits for record in held})
            rows = []
            for label in dict.fromkeys(_label(record) for record in held):
                cells = []
                for length in bits:
                    values = [r.metrics[name] for r in held if (_label(r), r.bits) == (label, length)]
                    cells.append(GridCell(number_text(fmean(values)) if values else ""))
                rows.append(((plain(label),), tuple(cells)))
            header = tuple((f"{length} bits" if length else "features", 1) for length in bits)
            title = plain(f"{protocol}, {name}, mean over seeds")
            console.print(rich_grid(Grid(title, ("method",), (header,), tuple(rows)), console.width))


def _columns_of(records: Sequence[Record], asked: Sequence[str]) -> list[str]:
    plain_names = asked or (records[0].headline,)
    wanted = [
        f"{direction}/{name}" if direction else name for direction in directions_of(records) for name in plain_names
    ]
    return [name for name in wanted if any(name in record.metrics for record in records)]


def _label(record: Record) -> str:
    tuned = f", tuned, {record.config.tuned}" if record.config.tuned else ""
    return f"{record.method} ({record.backbone_name} {record.regime}{tuned})"
