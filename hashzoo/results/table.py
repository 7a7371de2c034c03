"""Boards as pandas frames: rows are methods, column groups protocol x metric x bits, as in the papers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from hashzoo.results.measure import Cell, Cells, Column, Row, Selection, measure
from hashzoo.results.record import Record

ROW_LEVELS = ("method", "backbone", "regime", "settings")
COLUMN_LEVELS = ("protocol", "metric", "bits", "statistic")
STATISTICS = ("measured", "sd", "seeds")
"""Mean over seeds, sample standard deviation over seeds (empty for one seed), number of seeds."""


@dataclass(frozen=True)
class Board:
    """A frame with what a reader needs to know beside it; `floors` are the methods never marked as best."""

    title: str
    frame: pd.DataFrame
    floors: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    command: str = ""


def leaderboard(records: Sequence[Record], selection: Selection | None = None) -> pd.DataFrame:
    """Return one frame, index `ROW_LEVELS` and columns `COLUMN_LEVELS`; by default of the headline metrics.

    `measured` is the mean over seeds, `sd` their sample standard deviation, `seeds` their number. A missing
    cell is NaN. Rows are sorted by the mean over the bit lengths of the first group; those that lack one
    come after, then the floors. Everything is taken from the records: rows of methods whose plugin is
    absent stay.
    """
    cells = measure(records, selection)
    return wide_frame(cells, cells.columns())


def boards(records: Sequence[Record], selection: Selection | None = None) -> list[Board]:
    """Return one board per protocol and metric."""
    cells = measure(records, selection)
    groups = dict.fromkeys((c.protocol, c.metric) for c in cells.columns())
    return [board(part(cells, protocol, metric)) for protocol, metric in groups]


def board(cells: Cells) -> Board:
    """Return the board of cells that belong to one protocol and metric."""
    columns = cells.columns()
    title = f"{columns[0].metric} on {columns[0].protocol}{setting_title(cells)}"
    return Board(title, wide_frame(cells, columns), cells.floors)


def part(cells: Cells, protocol: str, metric: str) -> Cells:
    """Return the cells of one protocol and metric; rows without any are left out."""
    values = {
        row: kept
        for row, row_cells in cells.values.items()
        if (kept := {c: v for c, v in row_cells.items() if (c.protocol, c.metric) == (protocol, metric)})
    }
    return replace(cells, values=values)


def setting_title(cells: Cells) -> str:
    """Return ", <backbone>, <regime>" for those of the two that all trained methods share."""
    trained = [row for row in cells.values if row.method not in cells.floors] or list(cells.values)
    shared = [{row.backbone for row in trained}, {row.regime for row in trained}]
    return "".join(f", {values.pop()}" for values in shared if len(values) == 1)


def wide_frame(cells: Cells, columns: Sequence[Column]) -> pd.DataFrame:
    """Lay cells out with methods as rows and columns x statistics as columns."""
    rows = row_order(cells, columns)
    data: dict[tuple[Any, ...], list[Any]] = {}
    for column in columns:
        found = [cells.get(row, column) for row in rows]
        for statistic, values in statistics_of(found).items():
            data[(*column, statistic)] = values
    return frame_of(data, rows, ROW_LEVELS, COLUMN_LEVELS)


def statistics_of(cells: Iterable[Cell | None]) -> dict[str, list[Any]]:
    """Return {"measured": [...], "sd": [...], "seeds": [...]} with None where there is no value."""
    found = [cell or (None, None, None) for cell in cells]
    return {name: [cell[place] for cell in found] for place, name in enumerate(STATISTICS)}


def frame_of(
    data: dict[tuple[Any, ...], list[Any]],
    rows: Sequence[Any],
    row_levels: Sequence[str],
    levels: Sequence[str],
) -> pd.DataFrame:
    """Build a frame from {column: values} with numbers as float64, seeds as Int64, text as it is."""
    index = pd.MultiIndex.from_tuples(rows, names=list(row_levels))
    series = [pd.Series(values, index=index, dtype=_dtype(key[-1])) for key, values in data.items()]
    frame = pd.concat(series, axis=1) if series else pd.DataFrame(index=index)
    keys = list(data)
    frame.columns = (
        pd.MultiIndex.from_tuples(keys, names=list(levels))
        if len(levels) > 1
        else pd.Index([key[-1] for key in keys], name=levels[0])
    )
    return frame


def _dtype(statistic: str) -> str:
    kind = statistic.split(" ")[0]
    return {"seeds": "Int64", "source": "object"}.get(kind, "float64")


def row_order(cells: Cells, columns: Sequence[Column]) -> list[Row]:
    """Sort rows: complete ones by their mean over the first group, incomplete ones by name, floors."""
    first = [c for c in columns if (c.protocol, c.metric) == (columns[0].protocol, columns[0].metric)]

    def place(row: Row) -> tuple[bool, bool, float, Row]:
        found = [cells.get(row, column) for column in first]
        values = [cell.mean for cell in found if cell is not None]
        complete = len(values) == len(first)
        return (row.method in cells.floors, not complete, -sum(values) if complete else 0.0, row)

    return sorted(cells.values, key=place)
