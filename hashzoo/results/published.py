"""Published beside measured: which published value belongs to a cell, and the frames that show both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from hashzoo.results.measure import Cells, Column, Row, Selection, measure
from hashzoo.results.paper_tables import full_metric
from hashzoo.results.record import Record
from hashzoo.results.table import (
    ROW_LEVELS,
    Board,
    frame_of,
    part,
    row_order,
    setting_title,
    statistics_of,
)
from hashzoo.specs import PaperRow, PaperTable

COMPARISON_LEVELS = (*ROW_LEVELS, "protocol", "metric", "bits")


class Published(NamedTuple):
    """A published value for a cell of ours; `mark` is "" where its protocol is ours, else says whose it is."""

    table: PaperTable
    row: PaperRow
    mark: str

    @property
    def source(self) -> str:
        """Table id and where its value was read."""
        return f"{self.table.id}: {self.row.source}"


def published_for(
    tables: Iterable[PaperTable], method: str, column: Column, protocol: str, dataset: str
) -> list[Published]:
    """Return at most one published value of the same protocol and one of another of the same dataset.

    Of several, the method's own paper comes first, then other papers and reports in the order of their ids.
    """
    found: dict[bool, Published] = {}
    for table in sorted(tables, key=lambda t: (not is_own_paper(t, method), t.id)):
        for row in table.rows:
            if (row.method, row.bits, full_metric(table, row)) != (method, column.bits, column.metric):
                continue
            same = bool(row.protocol) and row.protocol == protocol
            if same or is_dataset(row.dataset, dataset):
                found.setdefault(same, Published(table, row, "" if same else _mark(row.dataset, dataset)))
    return [found[same] for same in (True, False) if same in found]


def is_own_paper(table: PaperTable, method: str) -> bool:
    """Whether a table is of the paper that a method (or the method it is a variant of) comes from.

    Paper keys begin with the method's name: "dch-2018" is the paper of "dch" and of "dch-q".
    """
    stem = table.paper.key.rsplit("-", 1)[0]
    return method == stem or method.startswith(f"{stem}-")


def is_dataset(published: str, ours: str) -> bool:
    """Whether our dataset is a published one or a form of it.

    >>> [is_dataset("CIFAR-10", ours) for ours in ("cifar10", "cifar10-jpeg", "cifar100")]
    [True, True, False]
    """
    parts = ours.split("-")
    prefixes = ("".join(parts[: end + 1]) for end in range(len(parts)))
    return _squeezed(published) in {_squeezed(prefix) for prefix in prefixes}


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _mark(published: str, ours: str) -> str:
    same_data = _squeezed(published) == _squeezed(ours)
    return f" ({published}, another protocol)" if same_data else f" ({published})"


def comparison(
    records: Sequence[Record], tables: Sequence[PaperTable], selection: Selection | None = None
) -> pd.DataFrame:
    """Return one row per measured cell with `reported`, `measured`, `sd`, `seeds`, `gap` and `source`.

    `gap` is measured minus reported. Values published for another protocol are never in those columns: they
    stand in `reported (CIFAR-10)`, `gap (CIFAR-10)`, `source (CIFAR-10)`, named after the published
    dataset.
    """
    return _comparison(measure(records, selection), tables)


def comparison_boards(
    records: Sequence[Record], tables: Sequence[PaperTable], selection: Selection | None = None
) -> list[Board]:
    """Return one comparison per protocol and metric, noting whose protocol the published values are of."""
    cells = measure(records, selection)
    groups = dict.fromkeys((c.protocol, c.metric) for c in cells.columns())
    return [comparison_board(part(cells, *group), tables) for group in groups]


def comparison_board(cells: Cells, tables: Sequence[PaperTable]) -> Board:
    """Return the comparison of cells that belong to one protocol and metric."""
    first = cells.columns()[0]
    title = f"{first.metric} on {first.protocol}{setting_title(cells)}: reported and measured"
    used = dict.fromkeys(_note(p, first.protocol) for *_, found in _matched(cells, tables) for p in found)
    return Board(title, _comparison(cells, tables), cells.floors, tuple(used))


def used_tables(cells: Cells, tables: Sequence[PaperTable]) -> list[PaperTable]:
    """Return the tables with only those rows that stand beside a measured cell."""
    used = {id(p.row) for *_, found in _matched(cells, tables) for p in found}
    kept = [(table, tuple(row for row in table.rows if id(row) in used)) for table in tables]
    return [PaperTable(t.id, t.paper, t.title, t.metric, rows) for t, rows in kept if rows]


def _matched(cells: Cells, tables: Sequence[PaperTable]) -> list[tuple[Row, Column, list[Published]]]:
    columns = cells.columns()
    return [
        (row, column, published_for(tables, row.method, column, cells.protocols[column.protocol],
                                    cells.datasets[column.protocol]))
        for row in row_order(cells, columns)
        for column in columns
        if cells.get(row, column) is not None
    ]  # fmt: skip


def _comparison(cells: Cells, tables: Sequence[PaperTable]) -> pd.DataFrame:
    matched = _matched(cells, tables)
    measured = statistics_of(cells.get(row, column) for row, column, _ in matched)
    marks = sorted({p.mark for *_, found in matched for p in found} | {""})
    data: dict[tuple[Any, ...], list[Any]] = {}
    for mark in marks:
        values = [next((p for p in found if p.mark == mark), None) for *_, found in matched]
        data[(f"reported{mark}",)] = [p.row.value if p else None for p in values]
        if mark == "":
            data |= {(name,): column for name, column in measured.items()}
        data[(f"gap{mark}",)] = [
            ours - p.row.value if p else None for p, ours in zip(values, measured["measured"], strict=True)
        ]
        data[(f"source{mark}",)] = [p.source if p else None for p in values]
    if not any(found and found[0].mark == "" for *_, found in matched):
        for name in ("reported", "gap", "source"):
            if len(marks) > 1:
                del data[(name,)]
    rows = [(*row, *column) for row, column, _ in matched]
    return frame_of(data, rows, COMPARISON_LEVELS, ("statistic",))


def _note(published: Published, protocol: str) -> str:
    row, paper = published.row, published.table.paper
    cited = f"{published.table.id} is {paper.authors}, {paper.title}, {paper.venue} {paper.year}"
    under = f"its {row.dataset} values are of {row.protocol_note or row.protocol or 'a set-up it does not state'}"
    beside = "" if not published.mark else f", which is not {protocol}: the gap is no measure of reproduction"
    return f"{cited}; {under}{beside}; backbone there: {row.backbone or 'not stated'}."
