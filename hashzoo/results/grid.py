"""From a board's frame to a grid of text: header lines with spans, row headers, cells, notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from hashzoo.results.table import Board

HIGHER_IS_BETTER = ("map", "precision", "recall", "ndcg")
UNTRAINED = ("none", "")


@dataclass(frozen=True)
class GridCell:
    """What stands in one cell; `value` is None where nothing was measured, `best` marks the best of the column."""

    text: str
    value: float | None = None
    best: bool = False


@dataclass(frozen=True)
class Grid:
    """A board as text. `header` has one line per level, each a list of (label, number of columns below it)."""

    title: str
    stub: tuple[str, ...]
    header: tuple[tuple[tuple[str, int], ...], ...]
    rows: tuple[tuple[tuple[str, ...], tuple[GridCell, ...]], ...]
    notes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The last header line."""
        return tuple(label for label, _ in self.header[-1])


def grid(board: Board) -> Grid:
    """Return a board as a grid: mean ± standard deviation in one cell, levels without information left out."""
    frame = board.frame
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.columns]
    shown = [place for place, key in enumerate(keys) if key[-1].split(" ")[0] not in ("sd", "seeds")]
    sources: dict[str, int] = {}
    counts = _seed_counts(frame, keys)
    usual = counts.most_common(1)[0][0] if counts else 0
    columns = []
    for place in shown:
        spread = [_beside(frame, keys, place, name) for name in ("sd", "seeds")]
        columns.append(_column(frame.iloc[:, place], spread, sources, usual))
    _mark_best(columns, [keys[place] for place in shown], [str(name) for name in frame.columns.names], board)
    kept = _kept_row_levels(frame, board.floors)
    rows = [
        (tuple(str(label[level]) for level in kept), tuple(column[number] for column in columns))
        for number, label in enumerate(frame.index)
    ]
    notes = [_spread_note(counts), *board.notes, *(f"[{number}] {source}" for source, number in sources.items())]
    return Grid(
        board.title,
        tuple(str(frame.index.names[level]) for level in kept),
        _header([keys[place] for place in shown], [str(name) for name in frame.columns.names]),
        tuple(rows),
        tuple(note for note in notes if note),
    )


def number_text(value: float) -> str:
    """Return a value as boards show it: four decimals, large numbers with fewer.

    >>> [number_text(value) for value in (0.79014, 0.0, 53999.0, 123.456)]
    ['0.7901', '0.0000', '53999', '123.46']
    """
    if abs(value) < 10:
        return f"{value:.4f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _beside(frame: pd.DataFrame, keys: Sequence[tuple[Any, ...]], place: int, name: str) -> list[Any] | None:
    """Return the column of `sd` or `seeds` that belongs to a `measured` column."""
    statistic = keys[place][-1]
    if not statistic.startswith("measured"):
        return None
    wanted = (*keys[place][:-1], statistic.replace("measured", name, 1))
    return list(frame.iloc[:, list(keys).index(wanted)])


def _column(
    series: pd.Series[Any], spread: Sequence[list[Any] | None], sources: dict[str, int], usual: int
) -> list[GridCell]:
    cells = []
    kind = str(series.name[-1] if isinstance(series.name, tuple) else series.name)
    for number, value in enumerate(series):
        if pd.isna(value):
            cells.append(GridCell(""))
        elif kind.startswith("source"):
            cells.append(GridCell(f"[{sources.setdefault(value, len(sources) + 1)}]"))
        elif kind.startswith("gap"):
            cells.append(GridCell(f"{value:+.4f}", float(value)))
        else:
            sd, seeds = (column[number] if column else None for column in spread)
            text = number_text(value)
            if sd is not None and not pd.isna(sd):
                text += f" ± {number_text(sd)}"
            if seeds is not None and seeds != usual:
                text += f" ({seeds})"
            cells.append(GridCell(text, float(value)))
    return cells


def _seed_counts(frame: pd.DataFrame, keys: Sequence[tuple[Any, ...]]) -> Counter[int]:
    return Counter(
        int(count)
        for place, key in enumerate(keys)
        if key[-1].startswith("seeds")
        for count in frame.iloc[:, place].dropna()
    )


def _spread_note(counts: Counter[int]) -> str:
    if not counts:
        return ""
    usual = counts.most_common(1)[0][0]
    what = "One seed" if usual == 1 else f"Mean ± standard deviation over {usual} seeds"
    other = "; another number of seeds stands in parentheses" if len(counts) > 1 else ""
    return f"{what}{other}; an empty cell was not measured."


def _mark_best(
    columns: list[list[GridCell]], keys: Sequence[tuple[Any, ...]], levels: Sequence[str], board: Board
) -> None:
    """Mark the largest reported and measured value of each column, floors and ceilings aside."""
    if "bits" not in levels:
        return
    directions = board.frame.index.get_level_values("task") if "task" in board.frame.index.names else None
    contenders = [str(label) not in board.floors for label in board.frame.index.get_level_values("method")]
    for column, key in zip(columns, keys, strict=True):
        metric = str(key[levels.index("metric")]).rsplit("/", 1)[-1]
        if metric.partition("@")[0].partition(":")[0] not in HIGHER_IS_BETTER:
            continue
        parts = set(directions) if directions is not None else {None}
        for part in parts:
            places = [
                number
                for number, cell in enumerate(column)
                if contenders[number] and cell.value is not None and (directions is None or directions[number] == part)
            ]
            best = max((column[number].value or 0.0 for number in places), default=None)
            for number in places:
                if column[number].value == best:
                    column[number] = GridCell(column[number].text, column[number].value, True)


def _kept_row_levels(frame: pd.DataFrame, floors: frozenset[str]) -> list[int]:
    """Return the row levels worth showing: the method, the bits, and those in which trained rows differ."""
    names = list(frame.index.names)
    labels = list(frame.index)
    method = names.index("method")
    kept = []
    for level, name in enumerate(names):
        trained = {label[level] for label in labels if label[method] not in floors}
        others = {label[level] for label in labels if label[method] in floors}
        idle = len(trained) <= 1 and others <= {*trained, *UNTRAINED} and (trained or len(others) <= 1)
        if name in ("method", "bits") or not idle:
            kept.append(level)
    return kept


def _header(keys: Sequence[tuple[Any, ...]], levels: Sequence[str]) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Return header lines; a level with one value is left out, but one line always stays."""
    kept = [level for level in range(len(levels)) if len({key[level] for key in keys}) > 1]
    if not kept:
        kept = [levels.index("bits") if "bits" in levels else len(levels) - 1]
    elif "bits" in levels and levels.index("bits") not in kept:
        kept = sorted({*kept, levels.index("bits")})
    lines = []
    for depth, level in enumerate(kept):
        upper = kept[: depth + 1]
        if depth == len(kept) - 1:
            lines.append(tuple((_label(levels[level], key[level]), 1) for key in keys))
            continue
        groups = groupby(keys, key=lambda key, upper=upper: tuple(key[place] for place in upper))  # type: ignore[misc] # mypy cannot infer a lambda's default argument
        lines.append(tuple((_label(levels[level], label[-1]), len(list(below))) for label, below in groups))
    return tuple(lines)


def _label(level: str, value: Any) -> str:
    if level != "bits":
        return str(value)
    return f"{value} bits" if value else "features"
