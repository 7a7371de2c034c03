"""How the rows of a board stand to its best, by values of the same queries, and which records are behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hashzoo.errors import UsageError
from hashzoo.evaluation.uncertainty import Standing, tied_with_best
from hashzoo.results.evidence import Evidence
from hashzoo.results.known import Known
from hashzoo.results.measure import COLUMN_LEVELS, ROW_LEVELS, Selection, select
from hashzoo.results.measure import tidy as tidy_values
from hashzoo.results.record import Record
from hashzoo.results.table import Board, boards


def tied_boards(
    records: Sequence[Record], selection: Selection, known: Known | None, evidence: Evidence
) -> list[Board]:
    """Return one board per protocol, metric, backbone and regime that marks what is tied with the best of a column.

    Where a row of the column has no values by query among the evidence, the best mean is marked.
    """
    values = tidy_values(select(records, selection), known)
    found = []
    for board in boards(records, selection, known, values):
        measured = board.cells.dropna(subset="measured")
        marked = with_tied(board.cells, standings(measured, values, records, evidence))
        found.append(replace(board, cells=marked))
    return found


def standings(
    cells: pd.DataFrame, tidy: pd.DataFrame, records: Sequence[Record], evidence: Evidence
) -> dict[tuple[Any, ...], Standing]:
    """Return how each row stands to the best of its column: {(*row, protocol, metric, bits): ...}.

    `tidy` are the values the cells are means of. Rows are compared query by query, over all seeds, corrected for their
    number (`tied_with_best`); floors, rows that saw the database and cells whose codes collapsed take no part. Nothing
    is said of a column in which a row has no values by query.
    """
    levels = list(ROW_LEVELS)
    behind = {record.record_sha256: record for record in records}
    found: dict[tuple[Any, ...], Standing] = {}
    contending = cells[
        ~cells["floor"] & (cells["database"] == "hidden") & cells["higher"].notna() & ~cells["collapsed"].eq(True)
    ]
    for (protocol, metric, bits), column in contending.groupby(["protocol", "metric", "bits"]):
        here = tidy[(tidy["protocol"] == protocol) & (tidy["metric"] == metric) & tidy["bits"].isin((0, bits))]
        of: dict[tuple[Any, ...], list[NDArray[np.float32] | None]] = {}
        for *key, sha in here[[*levels, "record"]].itertuples(index=False, name=None):
            of.setdefault(tuple(key), []).append(evidence.values(behind[sha]).get(str(metric)))
        rows = {key: of.get(key, []) for key in sorted(column[levels].itertuples(index=False, name=None))}
        for row, standing in _compared(rows, bool(column["higher"].iloc[0])).items():
            found[(*row, protocol, metric, bits)] = standing
    return found


def with_tied(cells: pd.DataFrame, found: Mapping[tuple[Any, ...], Standing]) -> pd.DataFrame:
    """Return cells with `tied`: whether the row is among those from which no best can be told (NA: not known)."""
    levels = [*ROW_LEVELS, *COLUMN_LEVELS]
    keys = list(cells[levels].itertuples(index=False, name=None))
    marks = [found[key].tied if key in found else pd.NA for key in keys]
    return cells.assign(tied=pd.array(marks, dtype="boolean"))


def records_behind(cells: pd.DataFrame, tidy: pd.DataFrame, records: Sequence[Record]) -> list[Record]:
    """Return the records that cells of one metric are means of."""
    levels = [*ROW_LEVELS, "protocol", "metric"]
    wanted = set(cells[levels].itertuples(index=False, name=None))
    shas = {sha for *key, sha in tidy[[*levels, "record"]].itertuples(index=False, name=None) if tuple(key) in wanted}
    return [record for record in records if record.record_sha256 in shas]


def _compared(
    rows: Mapping[tuple[Any, ...], Sequence[NDArray[np.float32] | None]], higher: bool
) -> dict[tuple[Any, ...], Standing]:
    named: dict[str, NDArray[np.float32]] = {}
    for place, values in enumerate(rows.values()):
        there = [value for value in values if value is not None]
        if len(there) != len(values) or not there or len({len(value) for value in there}) > 1:
            return {}
        named[str(place)] = np.stack(there)
    if len({value.shape[1] for value in named.values()}) != 1:
        return {}
    try:
        found = tied_with_best(named, higher_is_better=higher)
    except UsageError:
        return {}  # fewer than two queries with a value in every row
    keys = list(rows)
    return {keys[int(standing.row)]: standing for standing in found}
