"""A published table with what was measured of it, as plain values for its page."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from hashzoo.results.table import Board

WIDE = 8
"""A published table of more columns has what was measured in a small table of its own first."""


def part(board: Board, pages: Mapping[str, str]) -> dict[str, Any]:
    """Return one layout of a published table: header lines with spans, and lines of cells with both values."""
    cells = board.cells
    groups = list(cells[list(board.columns)].drop_duplicates().itertuples(index=False, name=None))
    header = []
    for level in range(3):
        kept = len({group[level] for group in groups}) > 1 or level == 2
        if kept:
            runs = itertools.groupby(groups, key=partial(_upper, level=level))
            header.append([(f"{k[-1]} bits" if level == 2 else str(k[-1]), len(list(g))) for k, g in runs])
    header = [line for n, line in enumerate(header) if n == len(header) - 1 or len(line) < len(groups)]
    measured = [name for name in map(str, cells) if name.startswith("measured")]
    lines: list[dict[str, Any]] = []
    total = 0
    foreign = sorted({name.removeprefix("measured").strip(" ()") for name in measured} - {""})
    for key, here in cells.groupby(list(board.rows), sort=False):
        task, label, settings = (str(part) for part in key)
        found = {tuple(row[name] for name in board.columns): row for row in here.to_dict("records")}
        line = []
        for group in groups:
            row = found.get(group, {})
            reported = _value(row.get("reported"))
            name = next((n for n in sorted(measured, key=len) if not pd.isna(row.get(n, float("nan")))), None)
            total += name is not None
            other = name.removeprefix("measured").strip(" ()") if name else ""
            line.append({"reported": reported, "measured": _value(row[name]) if name else None, "other": other})
        href = pages.get(label) or pages.get(label.lower(), "")
        note = "; ".join(part for part in ("" if task == "image" else task, settings) if part)
        if any(cell["reported"] is not None or cell["measured"] is not None for cell in line):
            ours = any(cell["measured"] is not None for cell in line)
            lines.append({"label": label, "href": href, "note": note, "cells": line, "measured": ours})
    heading = ", ".join(part for part in (board.backbone, board.regime) if part)
    there = [n for n in range(len(groups)) if any(line["cells"][n]["measured"] is not None for line in lines)]
    wide = len(groups) > WIDE and len(there) < len(groups)
    narrow = {
        "columns": [_column_name(groups[n], groups) for n in there],
        "lines": [{**line, "cells": [line["cells"][n] for n in there]} for line in lines if line["measured"]],
    }
    first = [n for n, group in enumerate(groups) if n == 0 or group[:2] != groups[n - 1][:2]]
    return {
        "heading": heading, "header": header, "lines": lines, "first": first, "measured": total,
        "foreign": ", ".join(foreign), "narrow": narrow if wide else None,
    }  # fmt: skip


def _column_name(group: tuple[Any, ...], groups: Sequence[tuple[Any, ...]]) -> str:
    """Return the name of a column of the published table: of its levels those that differ, and the bits."""
    parts = [str(part) for n, part in enumerate(group[:-1]) if len({other[n] for other in groups}) > 1]
    return ", ".join([*parts, f"{group[-1]} bits"])


def _upper(group: tuple[Any, ...], level: int) -> tuple[Any, ...]:
    return group[: level + 1]


def _value(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
