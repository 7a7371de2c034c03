"""Boards: cells with what labels their rows and columns; the wide frame is their last form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hashzoo.results.known import Known
from hashzoo.results.measure import COLUMN_FACTS, COLUMN_LEVELS, ROW_FACTS, ROW_LEVELS, STATISTICS, Selection, measure
from hashzoo.results.record import Record

COLLAPSED = "‡"
"""Stands behind a figure where the codes of a seed collapsed."""

SPREAD = ("sd", "seeds")
FIGURES = ("reported", "measured", *SPREAD, "gap", "source")
"""What a cell can hold; a remark behind the name ("measured (nus-wide-81)") says of which protocol it is."""


@dataclass(frozen=True)
class Board:
    """Cells in the order in which they are shown, one row each, with what a reader needs to know beside them.

    `rows` and `columns` are the columns of `cells` that label rows and columns; figures are those that begin with one
    of `FIGURES`. `backbone` and `regime` are those of the trained methods.
    """

    title: str
    cells: pd.DataFrame
    rows: tuple[str, ...] = ROW_LEVELS
    columns: tuple[str, ...] = COLUMN_LEVELS
    notes: tuple[str, ...] = ()
    command: str = ""
    backbone: str = ""
    regime: str = ""

    @property
    def floors(self) -> frozenset[str]:
        """Names of the methods that are never marked as best."""
        return frozenset(self.cells.loc[self.cells["floor"], "method"])

    @property
    def figures(self) -> list[str]:
        """The columns that hold figures, in order."""
        return [name for name in map(str, self.cells) if family(name) in FIGURES]

    @property
    def frame(self) -> pd.DataFrame:
        """The cells pivoted: `rows` as index, `columns` and the figure as columns."""
        return wide(self)

    def column_keys(self) -> list[tuple[Any, ...]]:
        """Return (column labels ..., figure) of each column; figures that a protocol or data set lacks are left out."""
        if not self.columns:
            return [(name,) for name in self.figures]
        groups = list(self.cells[list(self.columns)].drop_duplicates().itertuples(index=False, name=None))
        there = self.cells.groupby(self.columns[0], sort=False)[self.figures].count() > 0
        return [
            (*group, name)
            for group in groups
            for name in self.figures
            if there.loc[group[0], lead(name)] or not there.loc[group[0]].any()
        ]


def family(name: str) -> str:
    """Return what a figure is: "measured" for "measured (nus-wide-81)"."""
    return name.split(" ")[0]


def lead(name: str) -> str:
    """Return the figure that another one belongs to: "measured (x)" for "sd (x)"."""
    kind = family(name)
    return name.replace(kind, "measured", 1) if kind in SPREAD else name


def leaderboard(
    records: Sequence[Record], selection: Selection | None = None, known: Known | None = None
) -> pd.DataFrame:
    """Return one frame, index `ROW_LEVELS` and columns `COLUMN_LEVELS` and statistic; by default of the headlines.

    `measured` is the mean over seeds, `sd` their sample standard deviation, `seeds` their number. A missing
    cell is NaN. Rows are sorted by the mean over the bit lengths of the first group; those that lack one
    come after, then those that saw the database in training, then the floors. Everything but the methods' own settings
    is taken from the records: rows of methods whose plugin is absent stay.
    """
    return wide(Board("", arranged(measure(records, selection, known))))


def boards(
    records: Sequence[Record],
    selection: Selection | None = None,
    known: Known | None = None,
    values: pd.DataFrame | None = None,
) -> list[Board]:
    """Return one board per protocol, metric, backbone and regime; floors stand on every one of their backbone.

    `values` is the tidy frame of the selected records, where it is there already.
    """
    split = by_setting(measure(records, selection, known, values))
    return [board(cells, backbone, regime) for cells, backbone, regime in split]


def by_setting(cells: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str, str]]:
    """Split cells into (cells, backbone, regime), one protocol and metric each."""
    for _, group in cells.groupby(["protocol", "metric"], sort=False):
        yield from backbones_and_regimes(group)


def backbones_and_regimes(cells: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str, str]]:
    """Split cells into (cells, backbone, regime); floors go with every regime of their backbone."""
    for backbone, here in cells.groupby("backbone"):
        trained = sorted(set(here.loc[~here["floor"], "regime"]))
        for regime in trained or sorted(set(here["regime"])):
            yield here[here["floor"] | (here["regime"] == regime)], str(backbone), regime


def board(cells: pd.DataFrame, backbone: str, regime: str) -> Board:
    """Return the board of cells of one protocol, metric, backbone and regime."""
    first = cells.iloc[0]
    title = f"{first['metric']} on {first['protocol']}, {backbone}, {regime}"
    return Board(title, arranged(cells), notes=row_notes(cells), backbone=backbone, regime=regime)


def row_notes(cells: pd.DataFrame) -> tuple[str, ...]:
    """Return what must be said of rows that saw the database, collapsed, or whose own setting is not known."""
    notes = []
    if (cells["database"] != "hidden").any():
        notes.append(
            "† saw the database in training (its inputs, or inputs and labels) and may have learnt its codes: it "
            "stands apart and is not compared with the rows above."
        )
    if "collapsed" in cells and cells["collapsed"].any():
        notes.append(
            f"{COLLAPSED} codes of at least one seed collapsed: half of the bits or more never change, or most items "
            "share one code."
        )
    mixed = _of_mixed_code(cells) if "code" in cells else []
    if mixed:
        notes.append(
            f"The cells of {', '.join(mixed)} were made by different versions or files of their plugins, and count as "
            "one row all the same; their records name them."
        )
    unsure = cells[(cells["judged"] == "most") & (cells["settings"] != "") & ~cells["floor"]]
    if len(unsure):
        names = ", ".join(sorted(set(unsure["method"])))
        notes.append(
            f"The own setting of {names} is not known here (the plugin is not installed): settings name what differs "
            "from most of its records."
        )
    return tuple(notes)


def _of_mixed_code(cells: pd.DataFrame) -> list[str]:
    """Return the methods with a row whose cells were not all made by the same code."""
    rows = cells.groupby(list(ROW_LEVELS))["code"].agg(lambda made: len(frozenset().union(*made)) > 1)
    return sorted({str(row[0]) for row in rows.index[rows.astype(bool)]})


def arranged(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a cell for every row and column, rows ranked, columns in the order of the cells; figures may be empty."""
    columns = cells[[*COLUMN_LEVELS, *COLUMN_FACTS, "higher"]].drop_duplicates(list(COLUMN_LEVELS))
    rows = ranked_rows(cells)
    beside = [name for name in ("tied", "collapsed") if name in cells]
    figures = cells[[*ROW_LEVELS, *COLUMN_LEVELS, *STATISTICS, *beside]]
    whole = rows.merge(columns, how="cross").merge(figures, how="left", on=[*ROW_LEVELS, *COLUMN_LEVELS])
    return whole.astype({"measured": "float64", "sd": "float64", "seeds": "Int64"})


def ranked_rows(cells: pd.DataFrame) -> pd.DataFrame:
    """Return `ROW_LEVELS` and `ROW_FACTS` of each row: complete ones by their mean over the first group of columns, the
    best first, incomplete ones by name, those that saw the database, floors.
    """
    first = cells[(cells["protocol"] == cells["protocol"].iloc[0]) & (cells["metric"] == cells["metric"].iloc[0])]
    levels = list(ROW_LEVELS)
    scores = first.groupby(levels)["measured"].agg(["sum", "count"])
    sign = 1.0 if first["higher"].eq(False).any() else -1.0  # fewer is better: ascending
    rows = cells[[*ROW_LEVELS, *ROW_FACTS]].drop_duplicates(levels).join(scores, on=levels)
    incomplete = rows["count"] != first["bits"].nunique()
    rows = rows.assign(
        last=rows["floor"], apart=rows["database"] != "hidden", incomplete=incomplete,
        score=sign * rows["sum"].where(~incomplete, 0.0),
    )  # fmt: skip
    rows = rows.sort_values(["last", "apart", "incomplete", "score", *levels])
    return rows[[*ROW_LEVELS, *ROW_FACTS]].reset_index(drop=True)


def wide(board: Board) -> pd.DataFrame:
    """Return a board's cells pivoted, the last step: `rows` as index, `columns` and the statistic as columns."""
    cells, keys = board.cells, board.column_keys()
    index = cells[list(board.rows)].drop_duplicates()
    labels = pd.MultiIndex.from_frame(index)
    indexed = cells.set_index(list(board.rows))
    if not board.columns:
        frame = indexed[board.figures]
        return frame.rename_axis(columns="statistic")
    series = []
    for *group, name in keys:
        here = (indexed[list(board.columns)] == group).all(axis=1)
        series.append(indexed.loc[here, name].reindex(labels))
    frame = pd.concat(series, axis=1) if series else pd.DataFrame(index=labels)
    frame.columns = pd.MultiIndex.from_tuples(keys, names=[*board.columns, "statistic"])
    return frame
