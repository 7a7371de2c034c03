"""Our results laid out as one published table: its rows, its column groups, reported beside measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from hashzoo.results.known import Known
from hashzoo.results.measure import COLUMN_LEVELS, STATISTICS, Selection, measure
from hashzoo.results.paper_tables import full_metric
from hashzoo.results.published import is_dataset
from hashzoo.results.record import Record
from hashzoo.results.table import Board, backbones_and_regimes, row_notes
from hashzoo.results.text import plain
from hashzoo.specs import PaperRow, PaperTable

LINE_LEVELS = ("task", "method", "settings")
GROUP_LEVELS = ("dataset", "metric", "bits")
NOTHING = "nothing measured yet"


class Group(NamedTuple):
    """A column group of the published table; `dataset` names the set-up too where it has several for one."""

    dataset: str
    metric: str
    bits: int


class Line(NamedTuple):
    """A row: direction of retrieval, the method as the paper spells it, our settings; behind them our row's facts."""

    task: str
    label: str
    settings: str
    method: str
    floor: bool = False
    database: str = "hidden"


def paper_boards(
    records: Sequence[Record], table: PaperTable, selection: Selection | None = None, known: Known | None = None
) -> list[Board]:
    """Return the table with our measured values, one board per backbone and regime that we measured with.

    Rows and column groups stand in the published order; floors that the paper does not list come below.
    Values measured under another protocol of the same dataset stand in columns named `measured
    (<protocol>)`. `selection` narrows the records; its metrics are those of the table.
    """
    wanted = selection or Selection()
    metrics = tuple(dict.fromkeys(full_metric(table, row) for row in table.rows))
    usable = [r for r in records if any(name in r.metrics for name in metrics)]
    usable = [r for r in usable if any(_fits(row, r.protocol, r.dataset) for row in table.rows)]
    if not usable:
        return [published_board(table, NOTHING, known)]
    narrowed = Selection(wanted.protocol, metrics, wanted.methods, wanted.backbone, wanted.regime, wanted.bits)
    cells = measure(usable, narrowed, known)
    return [_layout(table, part, known, (backbone, regime)) for part, backbone, regime in backbones_and_regimes(cells)]


def published_board(table: PaperTable, remark: str = "as published", known: Known | None = None) -> Board:
    """Return the table with its published values alone."""
    empty = pd.DataFrame(columns=["method", "settings", *COLUMN_LEVELS, "floor", "database", "protocol_id", "dataset"])
    return _layout(table, empty, known, remark=remark)


def _fits(row: PaperRow, protocol: str, dataset: str) -> bool:
    return bool(row.protocol and row.protocol == protocol) or is_dataset(row.dataset, dataset)


def _layout(
    table: PaperTable, cells: pd.DataFrame, known: Known | None, setting: tuple[str, str] = ("", ""), remark: str = ""
) -> Board:
    published, groups = _published(table)
    lines = _lines(published, cells)
    measured = cells.set_index(["method", "settings", *COLUMN_LEVELS]).sort_index()
    there = list(cells[["protocol", "protocol_id", "dataset"]].drop_duplicates().itertuples(index=False, name=None))
    rows: list[dict[str, Any]] = []
    for line in lines:
        for group in groups:
            row = published.get((line.task, line.label, group))
            some = row or next(row for (*_, g), row in published.items() if g == group)
            entry: dict[str, Any] = {
                "task": plain(line.task), "method": plain(line.label), "settings": line.settings, **group._asdict(),
                "floor": line.floor, "database": line.database, "reported": row.value if row else None,
                "collapsed": False,
            }  # fmt: skip
            name = group.metric if line.task == "image" else f"{line.task}/{group.metric}"
            for label, protocol, dataset in there:
                key = (line.method, line.settings, label, name, group.bits)
                if _fits(some, protocol, dataset) and key in measured.index:
                    mark = "" if some.protocol == label else f" ({label})"
                    entry |= {f"{figure}{mark}": measured.loc[key, figure] for figure in STATISTICS}
                    entry["collapsed"] |= bool(measured.loc[key, "collapsed"])
            rows.append(entry)
    frame = pd.DataFrame(rows)
    marks = sorted(name.removeprefix("measured") for name in map(str, frame) if name.startswith("measured"))
    figures = ["reported", *(f"{figure}{mark}" for mark in marks for figure in STATISTICS)]
    kinds = {name: "Int64" if name.startswith("seeds") else "float64" for name in figures}
    frame["higher"] = [(known or Known()).direction(metric) for metric in frame["metric"]]
    frame = frame[[*LINE_LEVELS, *GROUP_LEVELS, "floor", "database", "higher", "collapsed", *figures]].astype(kinds)
    title = plain(f"{table.paper.key}, {table.title}; {remark or 'measured with ' + ', '.join(setting)}")
    notes = (*_notes(table, any(marks)), *row_notes(cells.assign(judged=cells.get("judged", ""))))
    return Board(title, frame, LINE_LEVELS, GROUP_LEVELS, notes, backbone=setting[0], regime=setting[1])


def _notes(table: PaperTable, foreign: bool) -> tuple[str, ...]:
    paper = table.paper
    notes = [f"{table.id}: {paper.authors}, {paper.title}, {paper.venue} {paper.year}; {table.title}."]
    notes += dict.fromkeys(f"Reported values were read in: {row.source}." for row in table.rows)
    notes += dict.fromkeys(f"Reported on {r.dataset}: {r.protocol_note}." for r in table.rows if r.protocol_note)
    if foreign:
        notes.append("A column measured (...) is of another protocol than the reported one: they are not comparable.")
    return tuple(plain(note) for note in notes)


def _published(table: PaperTable) -> tuple[dict[tuple[str, str, Group], PaperRow], list[Group]]:
    """Return published cells by task, label and group, and the groups as published, bits ascending."""
    setups: dict[tuple[str, str], dict[str, None]] = {}
    for row in table.rows:
        setups.setdefault((row.dataset, row.task), {})[row.protocol_note] = None
    found = {}
    order: dict[tuple[str, str], None] = {}
    for row in table.rows:
        several = len(setups[row.dataset, row.task]) > 1
        dataset = f"{row.dataset} ({row.protocol_note.split(':')[0]})" if several else row.dataset
        group = Group(plain(dataset), row.metric or table.metric, row.bits)
        order[group.dataset, group.metric] = None
        found[row.task, row.label or row.method, group] = row
    places = list(order)
    groups = sorted({group for *_, group in found}, key=lambda g: (places.index((g.dataset, g.metric)), g.bits))
    return found, groups


def _lines(published: dict[tuple[str, str, Group], PaperRow], cells: pd.DataFrame) -> list[Line]:
    """Return the published rows in order, once per configuration of ours, then floors it lacks."""
    columns = ["method", "settings", "floor", "database"]
    ours = sorted(cells[columns].drop_duplicates().itertuples(index=False, name=None))
    tasks = list(dict.fromkeys(task for task, *_ in published))
    listed = dict.fromkeys((task, label, row.method) for (task, label, _), row in published.items())
    lines = []
    for task in tasks:
        here = [(label, method) for of, label, method in listed if of == task]
        for label, method in here:
            rows = [row for row in ours if row[0] == method] or [(method, "", False, "hidden")]
            lines += [Line(task, label, settings, method, floor, seen) for _, settings, floor, seen in rows]
        known = {method for _, method in here}
        lines += [Line(task, row[0], row[1], row[0], True, row[3]) for row in ours if row[2] and row[0] not in known]
    return lines
