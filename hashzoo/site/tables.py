"""A published table with what was measured of it, as plain values for its page."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from hashzoo.results.table import Board
from hashzoo.results.text import plain
from hashzoo.site.content import Row
from hashzoo.specs import PaperTable

WIDE = 8
"""A published table of more columns has what was measured in a small table of its own first."""


class Measured(NamedTuple):
    """What was measured of a published value: of another protocol where `other` names one, and where its records are.

    `identity` is the same for two cells that show one and the same measurement.
    """

    value: float
    other: str
    href: str
    identity: tuple[Any, ...]


def part(board: Board, table: PaperTable, rows: Sequence[Row], pages: Mapping[str, str]) -> dict[str, Any]:
    """Return one layout of a published table: header lines with spans, and lines of cells with both values.

    A measured value stands where the paper has one, and once in a line: below the value of its own protocol, or below
    the first. A floor that the paper lacks has its values alone. `rows` are those of the boards, with their records.
    """
    cells = board.cells
    groups = list(cells[list(board.columns)].drop_duplicates().itertuples(index=False, name=None))
    header = []
    for level in range(3):
        kept = len({group[level] for group in groups}) > 1 or level == 2
        if kept:
            runs = itertools.groupby(groups, key=partial(_upper, level=level))
            header.append([(f"{k[-1]} bits" if level == 2 else str(k[-1]), len(list(g))) for k, g in runs])
    header = [line for n, line in enumerate(header) if n == len(header) - 1 or len(line) < len(groups)]
    methods = {plain(row.label or row.method): row.method for row in table.rows}
    own = {plain(row.protocol) for row in table.rows}
    lines: list[dict[str, Any]] = []
    for key, here in cells.groupby(list(board.rows), sort=False):
        task, label, settings = (str(part) for part in key)
        found = {
            tuple(row[name] for name in board.columns): {str(name): value for name, value in row.items()}
            for row in here.to_dict("records")
        }
        reported = [_value(found.get(group, {}).get("reported")) for group in groups]
        method = methods.get(label, label)
        there = [
            row for row in rows
            if row.name == method and (row.settings, row.key[1]) == (settings, board.backbone or row.key[1])
        ]  # fmt: skip
        measured = [_measured(found.get(group, {}), task, group, there, own) for group in groups]
        shown = _once(measured, reported if label in methods else [0.0] * len(groups))
        line = [{"reported": value, "measured": ours} for value, ours in zip(reported, shown, strict=True)]
        href = pages.get(method) or pages.get(label) or pages.get(label.lower(), "")
        note = "; ".join(part for part in ("" if task == "image" else task, settings) if part)
        ours = any(cell["measured"] is not None for cell in line)
        if ours or any(value is not None for value in reported):
            lines.append({"label": label, "href": href, "note": note, "cells": line, "measured": ours})
    heading = ", ".join(part for part in (board.backbone, board.regime) if part)
    given = [cell["measured"] for line in lines for cell in line["cells"] if cell["measured"] is not None]
    there_too = [n for n in range(len(groups)) if any(line["cells"][n]["measured"] is not None for line in lines)]
    wide = len(groups) > WIDE and len(there_too) < len(groups)
    narrow = {
        "columns": [_column_name(groups[n], groups) for n in there_too],
        "lines": [{**line, "cells": [line["cells"][n] for n in there_too]} for line in lines if line["measured"]],
    }
    first = [n for n, group in enumerate(groups) if n == 0 or group[:2] != groups[n - 1][:2]]
    return {
        "heading": heading, "header": header, "lines": lines, "first": first, "measured": len(given),
        "foreign": ", ".join(sorted({found.other for found in given} - {""})), "narrow": narrow if wide else None,
    }  # fmt: skip


def _measured(
    cell: Mapping[str, Any], task: str, group: tuple[Any, ...], rows: Sequence[Row], own: set[str]
) -> Measured | None:
    """Return what a cell of a published table has as measured: of its own protocol, else of another."""
    names = [name for name in cell if str(name).startswith("measured") and _value(cell[name]) is not None]
    if not names:
        return None
    name = min(names, key=len)
    value, other = float(cell[name]), name.removeprefix("measured").strip(" ()")
    _, metric, bits = group
    full = metric if task == "image" else f"{task}/{metric}"
    for row in rows:
        records = [record for record in row.records if record.bits in (0, bits) and full in record.metrics]
        of_protocol = row.protocol == other if other else row.protocol in own
        if records and of_protocol and math.isclose(statistics.mean(r.metrics[full] for r in records), value):
            href = f"{row.page}#{row.anchor}-{records[0].bits}"
            return Measured(value, other, href, (row.protocol, row.key, full, bits))
    return Measured(value, other, "", (other, full, bits, value))


def _once(measured: Sequence[Measured | None], reported: Sequence[float | None]) -> list[Measured | None]:
    """Return measured values where one is reported, each once: where it is of the same protocol, else first."""
    there = [
        (bool(found.other), place, found.identity)
        for place, (found, value) in enumerate(zip(measured, reported, strict=True))
        if found is not None and value is not None
    ]
    kept = {identity: place for _, place, identity in sorted(there, key=lambda one: one[:2], reverse=True)}
    return [found if place in kept.values() else None for place, found in enumerate(measured)]


def _column_name(group: tuple[Any, ...], groups: Sequence[tuple[Any, ...]]) -> str:
    """Return the name of a column of the published table: of its levels those that differ, and the bits."""
    parts = [str(part) for n, part in enumerate(group[:-1]) if len({other[n] for other in groups}) > 1]
    return ", ".join([*parts, f"{group[-1]} bits"])


def _upper(group: tuple[Any, ...], level: int) -> tuple[Any, ...]:
    return group[: level + 1]


def _value(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
