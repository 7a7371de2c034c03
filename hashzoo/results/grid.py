"""A board's cells as text in rows and columns: mean ± deviation in one cell, the best marked, headers with spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pandas as pd

from hashzoo.results.settings import TUNED
from hashzoo.results.table import COLLAPSED, SPREAD, Board, family
from hashzoo.results.text import number_text

UNTRAINED = ("none", "")


@dataclass(frozen=True)
class GridCell:
    """What stands in one cell; `value` is None where nothing was measured, `best` marks the best of the column."""

    text: str
    value: float | None = None
    best: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of text. `header` has one line per level, each a list of (label, number of columns below it)."""

    title: str
    stub: tuple[str, ...]
    header: tuple[tuple[tuple[str, int], ...], ...]
    rows: tuple[tuple[tuple[str, ...], tuple[GridCell, ...]], ...]
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The last header line."""
        return tuple(label for label, _ in self.header[-1])


def grid(board: Board) -> Grid:
    """Return a board as a grid; levels without information are left out, sources become numbered notes."""
    keys = [key for key in board.column_keys() if family(key[-1]) not in SPREAD]
    counts = _seed_counts(board)
    usual = counts.most_common(1)[0][0] if counts else 0
    best, sources = _best_values(board), dict[str, int]()
    kept = _kept_row_levels(board)
    table: dict[tuple[Any, ...], dict[tuple[Any, ...], dict[str, Any]]] = {}
    for cell in board.cells.to_dict("records"):
        row, place = (tuple(cell[name] for name in names) for names in (board.rows, board.columns))
        table.setdefault(row, {})[place] = {str(name): value for name, value in cell.items()}
    rows = []
    tuned = any(_is_tuned(cell) for cell in board.cells.to_dict("records"))
    for cells in table.values():
        some = next(iter(cells.values()))
        stub = tuple(_stub(some, name, tuned) for name in kept)
        texts = []
        for *column, figure in keys:
            here = cells[tuple(column)]
            best_here = best.get((here.get("task"), *column, figure)) if _contends(here) else None
            shown = _cell(here, figure, sources, usual, best_here)
            tied = here.get("tied", pd.NA)
            if family(figure) == "measured" and not pd.isna(tied):
                shown = replace(shown, best=bool(tied))
            texts.append(shown)
        rows.append((stub, tuple(texts)))
    marked = any(cell.best for _, texts in rows for cell in texts)
    cited = (f"[{number}] {source}" for source, number in sources.items())
    grouped = "tied" in board.cells and bool(board.cells["tied"].notna().any())
    notes = [_spread_note(counts, marked, grouped), *board.notes, *cited]
    header = _header(keys, [*board.columns, "statistic"])
    return Grid(board.title, tuple(kept), header, tuple(rows), tuple(note for note in notes if note))


def _cell(cell: dict[str, Any], figure: str, sources: dict[str, int], usual: int, best: float | None) -> GridCell:
    value, kind = cell[figure], family(figure)
    if pd.isna(value):
        return GridCell("")
    if kind == "source":
        return GridCell(f"[{sources.setdefault(value, len(sources) + 1)}]")
    if kind == "gap":
        return GridCell(f"{value:+.4f}", float(value))
    text = number_text(value)
    if kind == "measured":
        sd, seeds = (cell[figure.replace(kind, name, 1)] for name in SPREAD)
        text += "" if pd.isna(sd) else f" ± {number_text(sd)}"
        text += f" ({seeds})" if seeds != usual else ""
        text += f" {COLLAPSED}" if _is_collapsed(cell) else ""
    return GridCell(text, float(value), value == best)


def _is_collapsed(cell: Mapping[Any, Any]) -> bool:
    collapsed = cell.get("collapsed", pd.NA)
    return not pd.isna(collapsed) and bool(collapsed)


def _is_tuned(cell: Mapping[Any, Any]) -> bool:
    return str(cell.get("settings", "")).startswith(TUNED)


def _stub(cell: dict[str, Any], name: str, tuned: bool) -> str:
    """Return what stands before a row; where rows are tuned, a method that is run as it comes says so."""
    if name == "method" and _apart(cell):
        return f"{cell[name]} †"
    own = name == "settings" and not cell[name] and not cell["floor"]
    return "plugin's recipe" if own and tuned else str(cell[name])


def _apart(cell: dict[str, Any]) -> bool:
    """Whether a row saw the database in training."""
    return str(cell["database"]) != "hidden"


def _contends(cell: dict[str, Any]) -> bool:
    return not cell["floor"] and not _apart(cell) and not pd.isna(cell["higher"]) and not _is_collapsed(cell)


def _best_values(board: Board) -> dict[tuple[Any, ...], float]:
    """Return the best value of each direction, column and figure among rows that contend; comparisons have none."""
    best: dict[tuple[Any, ...], float] = {}
    figures = [name for name in board.figures if family(name) in ("reported", "measured")] if board.columns else []
    for cell in board.cells.to_dict("records"):
        for figure in figures:
            value = cell[figure]
            if not pd.isna(value) and _contends({str(name): item for name, item in cell.items()}):
                key = (cell.get("task"), *(cell[name] for name in board.columns), figure)
                better = max if cell["higher"] else min
                best[key] = better(value, best.get(key, value))
    return best


def _seed_counts(board: Board) -> Counter[int]:
    names = [name for name in board.figures if family(name) == "seeds"]
    return Counter(int(count) for name in names for count in board.cells[name].dropna())


def _spread_note(counts: Counter[int], marked: bool, grouped: bool = False) -> str:
    if not counts:
        return "The best of a column is marked." if marked else ""
    mark = "the best mean of a column is marked"
    if grouped:
        mark = "marked are the rows tied with the best (paired over queries and seeds, corrected for their number)"
    usual = counts.most_common(1)[0][0]
    what = "One seed" if usual == 1 else f"Mean ± standard deviation over {usual} seeds"
    other = "; another number of seeds stands in parentheses" if len(counts) > 1 else ""
    return f"{what}{other}; an empty cell was not measured{f'; {mark}' if marked else ''}."


def _kept_row_levels(board: Board) -> list[str]:
    """Return the row levels worth showing: method, bits, settings that are named, and those in which rows differ."""
    kept = []
    for name in board.rows:
        trained = set(board.cells.loc[~board.cells["floor"], name])
        others = set(board.cells.loc[board.cells["floor"], name])
        idle = len(trained) <= 1 and others <= {*trained, *UNTRAINED} and (trained or len(others) <= 1)
        if name in ("method", "bits") or not idle or (name == "settings" and trained - {""}):
            kept.append(name)
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
        upper = kept[: depth + 1] if depth < len(kept) - 1 else range(len(levels))
        groups = groupby(keys, key=lambda key, upper=upper: tuple(key[place] for place in upper))  # type: ignore[misc] # mypy cannot infer a lambda's default argument
        spans = [list(group) for _, group in groups]
        lines.append(tuple((_label(levels[level], span[0][level]), len(span)) for span in spans))
    return tuple(lines)


def _label(level: str, value: Any) -> str:
    if level != "bits":
        return str(value)
    return f"{value} bits" if value else "features"
