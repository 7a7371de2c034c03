"""The records of one run as a small table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from hashzoo.results.record import Record

SHOWN = ("map", "map@h2", "precision@h2", "precision@1000")


def print_records(records: Sequence[Record]) -> None:
    """Print one row per record: bits, seed, the main metrics of every direction, seconds."""
    names = shown_metrics(records)
    table = Table(title=f"{records[0].method} on {records[0].protocol}" if records else None, title_justify="left")
    for heading in ("bits", "seed", *names, "seconds"):
        table.add_column(heading, justify="right", overflow="fold")
    for record in records:
        values = [f"{record.metrics[name]:.4f}" if name in record.metrics else "" for name in names]
        seconds = f"{sum(record.timings.values()):.1f}"
        table.add_row(str(record.bits or "-"), str(record.seed), *values, seconds)
    Console().print(table)


def shown_metrics(records: Sequence[Record]) -> list[str]:
    """Return the names of the metrics to show, direction by direction, headline first."""
    present = dict.fromkeys(name for record in records for name in record.metrics)
    headline = records[0].headline if records else "map"
    order = list(dict.fromkeys((headline, *SHOWN)))
    return [name for plain in order for name in present if name.rpartition("/")[2] == plain]
