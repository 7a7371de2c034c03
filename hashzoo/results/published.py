"""Published beside measured: which published value belongs to a cell, and the board that shows both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd

from hashzoo.results.known import Known
from hashzoo.results.measure import ROW_LEVELS, STATISTICS, Selection, measure
from hashzoo.results.paper_tables import full_metric
from hashzoo.results.record import Record
from hashzoo.results.table import Board, arranged, by_setting, row_notes, wide
from hashzoo.results.text import plain
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
        return plain(f"{self.table.id}: {self.row.source}")


def match(cells: pd.DataFrame, tables: Sequence[PaperTable]) -> list[list[Published]]:
    """Return for each cell at most one published value of the same protocol and one of another of the same data set.

    Of several, the method's own paper comes first, then other papers and reports in the order of their ids.
    """
    offered: dict[tuple[str, str, int], list[tuple[PaperTable, PaperRow]]] = {}
    for table in sorted(tables, key=lambda t: t.id):
        for row in table.rows:
            offered.setdefault((row.method, full_metric(table, row), row.bits), []).append((table, row))
    found = []
    keys = ["method", "metric", "bits", "protocol_id", "dataset"]
    for method, metric, bits, protocol, dataset in cells[keys].itertuples(index=False, name=None):
        best: dict[bool, Published] = {}
        here = offered.get((method, metric, bits), [])
        for table, row in sorted(here, key=lambda pair: not is_own_paper(pair[0], method)):
            same = bool(row.protocol) and row.protocol == protocol
            if same or is_dataset(row.dataset, dataset):
                best.setdefault(same, Published(table, row, "" if same else _mark(row.dataset, dataset)))
        found.append([best[same] for same in (True, False) if same in best])
    return found


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
    return _squeezed(published) in _forms(ours)


@lru_cache(maxsize=1024)
def _forms(dataset: str) -> frozenset[str]:
    """Return the datasets that one is a form of, itself among them, squeezed."""
    parts = dataset.split("-")
    return frozenset(_squeezed("".join(parts[: end + 1])) for end in range(len(parts)))


@lru_cache(maxsize=1024)
def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _mark(published: str, ours: str) -> str:
    same_data = _squeezed(published) == _squeezed(ours)
    return plain(f" ({published}, another protocol)" if same_data else f" ({published})")


def comparison(
    records: Sequence[Record],
    tables: Sequence[PaperTable],
    selection: Selection | None = None,
    known: Known | None = None,
) -> pd.DataFrame:
    """Return one row per measured cell with `reported`, `measured`, `sd`, `seeds`, `gap` and `source`.

    `gap` is measured minus reported. Values published for another protocol are never in those columns: they
    stand in `reported (CIFAR-10)`, `gap (CIFAR-10)`, `source (CIFAR-10)`, named after the published
    dataset.
    """
    cells = arranged(measure(records, selection, known)).dropna(subset="measured")
    return wide(Board("", beside(cells, match(cells, tables)), COMPARISON_LEVELS, ()))


def comparison_boards(
    records: Sequence[Record],
    tables: Sequence[PaperTable],
    selection: Selection | None = None,
    known: Known | None = None,
) -> list[Board]:
    """Return one comparison per protocol, metric, backbone and regime, noting whose protocol the values are of."""
    split = by_setting(measure(records, selection, known))
    return [comparison_board(cells, backbone, regime, tables)[0] for cells, backbone, regime in split]


def comparison_board(
    cells: pd.DataFrame, backbone: str, regime: str, tables: Sequence[PaperTable]
) -> tuple[Board, list[Published]]:
    """Return the comparison of cells of one protocol, metric and setting, and the published values that stand in it."""
    cells = arranged(cells).dropna(subset="measured")
    first = cells.iloc[0]
    found = match(cells, tables)
    used = [published for several in found for published in several]
    title = f"{first['metric']} on {first['protocol']}, {backbone}, {regime}: reported and measured"
    notes = (*row_notes(cells), *dict.fromkeys(_note(p, first["protocol"]) for p in used))
    board = Board(title, beside(cells, found), COMPARISON_LEVELS, (), notes, backbone=backbone, regime=regime)
    return board, used


def used_tables(used: Sequence[Published], tables: Sequence[PaperTable]) -> list[PaperTable]:
    """Return the tables with only those rows that stand beside a measured cell."""
    kept = {id(published.row) for published in used}
    rows = [(table, tuple(row for row in table.rows if id(row) in kept)) for table in tables]
    return [PaperTable(t.id, t.paper, t.title, t.metric, some) for t, some in rows if some]


def beside(cells: pd.DataFrame, found: Sequence[Sequence[Published]]) -> pd.DataFrame:
    """Return the cells with published values, gaps and sources; those of another protocol under names that say so."""
    marks = sorted({published.mark for several in found for published in several})
    figures: dict[str, Any] = {}
    for mark in ("", *(mark for mark in marks if mark)):
        values = [next((p for p in several if p.mark == mark), None) for several in found]
        if mark in marks or not marks:
            reported = pd.Series([p.row.value if p else None for p in values], cells.index, dtype="float64")
            figures[f"reported{mark}"] = reported
        if mark == "":
            figures |= {name: cells[name] for name in STATISTICS}
        if mark in marks or not marks:
            figures[f"gap{mark}"] = cells["measured"] - reported
            figures[f"source{mark}"] = pd.Series([p.source if p else None for p in values], cells.index, dtype="object")
    return cells.drop(columns=list(STATISTICS)).assign(**figures)


def _note(published: Published, protocol: str) -> str:
    row, paper = published.row, published.table.paper
    cited = f"{published.table.id} is {paper.authors}, {paper.title}, {paper.venue} {paper.year}"
    under = f"its {row.dataset} values are of {row.protocol_note or row.protocol or 'a set-up it does not state'}"
    other = "" if not published.mark else f", which is not {protocol}: the gap is no measure of reproduction"
    return plain(f"{cited}; {under}{other}; backbone there: {row.backbone or 'not stated'}.")
