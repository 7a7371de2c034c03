"""Our results laid out as one published table: its rows, its column groups, reported beside measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hashzoo.results.measure import Cell, Cells, Column, Selection, by_setting, measure
from hashzoo.results.paper_tables import full_metric
from hashzoo.results.published import is_dataset
from hashzoo.results.record import Record
from hashzoo.results.table import Board, frame_of, statistics_of
from hashzoo.specs import PaperRow, PaperTable

LAYOUT_LEVELS = ("dataset", "metric", "bits", "statistic")
NOTHING = "nothing measured yet"


class Line(NamedTuple):
    """A row of the laid-out table: direction of retrieval, the method as the paper spells it, settings."""

    task: str
    method: str
    settings: str


class Group(NamedTuple):
    """A column group of the published table; `dataset` names the set-up too where it has several for one."""

    dataset: str
    metric: str
    bits: int


def paper_boards(records: Sequence[Record], table: PaperTable, selection: Selection | None = None) -> list[Board]:
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
        return [_layout(table, None, NOTHING)]
    narrowed = Selection(wanted.protocol, metrics, wanted.methods, wanted.backbone, wanted.regime, wanted.bits)
    cells = measure(usable, narrowed)
    return [
        _layout(table, chosen, f"measured with {backbone}, {regime}")
        for (backbone, regime), chosen in by_setting(cells).items()
    ]


def _fits(row: PaperRow, protocol: str, dataset: str) -> bool:
    return bool(row.protocol and row.protocol == protocol) or is_dataset(row.dataset, dataset)


def _layout(table: PaperTable, cells: Cells | None, setting: str) -> Board:
    published, groups = _published(table)
    lines = _lines(published, cells)
    found = {group: _measured(published, group, lines, cells) for group in groups}
    marks = {
        name: sorted({mark for group in groups if group.dataset == name for mark in found[group]})
        for name in {group.dataset for group in groups}
    }
    data: dict[tuple[Any, ...], list[Any]] = {}
    for group in groups:
        rows = [published.get((line.task, line.method, group)) for line in lines]
        data[(*group, "reported")] = [row.value if row else None for row in rows]
        for mark in marks[group.dataset]:
            cells_here = found[group].get(mark, [None] * len(lines))
            for name, values in statistics_of(cells_here).items():
                data[(*group, f"{name}{mark}")] = values
    frame = frame_of(data, [tuple(line) for line in lines], Line._fields, LAYOUT_LEVELS)
    floors = cells.floors if cells else frozenset()
    foreign = any(mark for several in marks.values() for mark in several)
    title = f"{table.paper.key}, {table.title}; {setting}"
    return Board(title, frame, floors, _notes(table, foreign))


def _notes(table: PaperTable, foreign: bool) -> tuple[str, ...]:
    paper = table.paper
    notes = [f"{table.id}: {paper.authors}, {paper.title}, {paper.venue} {paper.year}; {table.title}."]
    notes += dict.fromkeys(f"Reported values were read in: {row.source}." for row in table.rows)
    notes += dict.fromkeys(f"Reported on {r.dataset}: {r.protocol_note}." for r in table.rows if r.protocol_note)
    if foreign:
        notes.append("A column measured (...) is of another protocol than the reported one: they are not comparable.")
    return tuple(notes)


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
        group = Group(dataset, row.metric or table.metric, row.bits)
        order[group.dataset, group.metric] = None
        found[row.task, row.label or row.method, group] = row
    places = list(order)
    groups = sorted({group for *_, group in found}, key=lambda g: (places.index((g.dataset, g.metric)), g.bits))
    return found, groups


def _lines(published: dict[tuple[str, str, Group], PaperRow], cells: Cells | None) -> list[Line]:
    """Return the published rows in order, once per configuration of ours, then floors it lacks."""
    tasks = list(dict.fromkeys(task for task, *_ in published))
    listed = dict.fromkeys((task, label, row.method) for (task, label, _), row in published.items())
    rows = list(cells.values) if cells else []
    lines = []
    for task in tasks:
        for of, label, method in listed:
            if of == task:
                settings = sorted({row.settings for row in rows if row.method == method}) or [""]
                lines += [Line(task, label, setting) for setting in settings]
        known = {method for of, _, method in listed if of == task}
        floors = sorted({row for row in rows if cells and row.method in cells.floors and row.method not in known})
        lines += [Line(task, row.method, row.settings) for row in floors]
    return lines


def _measured(
    published: dict[tuple[str, str, Group], PaperRow],
    group: Group,
    lines: Sequence[Line],
    cells: Cells | None,
) -> dict[str, list[Cell | None]]:
    """Return {mark: cell per line} of what was measured; mark "" is the published protocol, else the other's name."""
    columns: dict[str, list[Cell | None]] = {}
    if cells is None:
        return columns
    some = next(row for (*_, g), row in published.items() if g == group)
    methods = {(task, label): row.method for (task, label, _), row in published.items()}
    for label, dataset in cells.datasets.items():
        if not _fits(some, cells.protocols[label], dataset):
            continue
        found = []
        for line in lines:
            method = methods.get((line.task, line.method), line.method)
            metric = group.metric if line.task == "image" else f"{line.task}/{group.metric}"
            found.append(_cell(cells, method, line.settings, Column(label, metric, group.bits)))
        if any(found):
            columns["" if some.protocol == label else f" ({label})"] = found
    return columns


def _cell(cells: Cells, method: str, settings: str, column: Column) -> Cell | None:
    found = (cells.get(row, column) for row in cells.values if (row.method, row.settings) == (method, settings))
    return next((cell for cell in found if cell is not None), None)
