"""The records of one run as a small table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from hashzoo.results.record import Record

SHOWN = ("map", "map@h2", "precision@h2", "precision@1000")


def print_records(records: Sequence[Record], asked: Sequence[str] | None = None) -> None:
    """Print one row per record and direction: bits, seed, the metrics asked for (or the main ones), seconds."""
    directions = directions_of(records)
    names = shown_metrics(records)[: 4 if directions == [""] else 3]  # with directions, what fits 80 columns
    names = [name for name in asked or () if name != "default"] or names
    title = f"{records[0].method} on {records[0].protocol}" if records else None
    table = Table(title=title, title_justify="left")
    for heading in ("bits", "seed", *(["direction"] if directions != [""] else []), *names, "seconds"):
        table.add_column(heading, justify="left" if heading == "direction" else "right", no_wrap=True)
    for record in records:
        for direction in directions:
            metrics = {name: record.metrics.get(f"{direction}/{name}" if direction else name) for name in names}
            values = ["" if value is None else f"{value:.4f}" for value in metrics.values()]
            head = [str(record.bits or "-"), str(record.seed), *([direction] if direction else [])]
            table.add_row(*head, *values, f"{sum(record.timings.values()):.1f}")
    Console().print(table)


def directions_of(records: Sequence[Record]) -> list[str]:
    """Return the directions measured, such as "image-to-text"; [""] where there is only one."""
    found = dict.fromkeys(name.rpartition("/")[0] for record in records for name in record.metrics)
    return [direction for direction in found if direction] or [""]


def shown_metrics(records: Sequence[Record]) -> list[str]:
    """Return the plain names of the metrics to show: the headline, then the usual ones that were measured."""
    present = {name.rpartition("/")[2] for record in records for name in record.metrics}
    headline = records[0].headline if records else "map"
    return [name for name in dict.fromkeys((headline, *SHOWN)) if name in present]
