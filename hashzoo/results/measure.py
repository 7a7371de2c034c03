"""Records as one tidy frame, one row per value; cells, one row per mean over seeds; curves as a second frame."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hashzoo.errors import UsageError, unknown_name
from hashzoo.plugins.sources import CORE
from hashzoo.results.known import Known
from hashzoo.results.record import Record, protocol_key
from hashzoo.results.settings import database_of, row_names
from hashzoo.results.text import plain

ROW_LEVELS = ("method", "backbone", "regime", "settings")
COLUMN_LEVELS = ("protocol", "metric", "bits")
STATISTICS = ("measured", "sd", "seeds")
"""Mean over seeds, sample standard deviation over seeds (empty for one seed), number of seeds."""

ROW_FACTS = ("floor", "database", "judged")
COLUMN_FACTS = ("dataset", "protocol_id")
TIDY = (
    *ROW_LEVELS, *COLUMN_LEVELS, "seed", "value", *ROW_FACTS, *COLUMN_FACTS, "headline", "split", "convention", "ties",
    "path", "record", "collapsed", "code",
)  # fmt: skip
"""Columns of `tidy`."""


@dataclass(frozen=True)
class Selection:
    """Which records a board is made of; None: all. Floors are never left out by `methods` or `regime`.

    `metrics` None means each protocol's headline; "map" also selects "image-to-text/map" and the like.
    """

    protocol: str | None = None
    metrics: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    backbone: str | None = None
    regime: str | None = None
    bits: tuple[int, ...] | None = None


def tidy(records: Sequence[Record], known: Known | None = None) -> pd.DataFrame:
    """Return one row per measured value with the columns `TIDY`; every text prints.

    `method` and `settings` name the row as in `settings.row_names`; `protocol` names the split, convention or tie rule
    too where one id stands for several, and `protocol_id` is the id itself. `path` and `record` (its sha256) say where
    a value is from.
    """
    rows: list[dict[str, Any]] = []
    for record, shared in _with_labels(records, known):
        rows += [{**shared, "metric": plain(name), "value": value} for name, value in record.metrics.items()]
    return pd.DataFrame(rows, columns=list(TIDY))


def curves(records: Sequence[Record], known: Known | None = None) -> pd.DataFrame:
    """Return one row per point of every curve: labels of the row and column, `curve`, `point` and the point's values.

    Points of pr_curve are (recall, precision), of pr_curve_lookup (radius, recall, precision), of precision_curve
    (rank, precision): `radius` or `rank` stand in `at`, the others under their names; a plain list is in `value`.
    """
    rows = []
    for record, shared in _with_labels(records, known):
        for name, points in record.curves.items():
            axes = CURVE_AXES.get(name.rpartition("/")[2], ("at", "value"))
            for number, point in enumerate(points):
                values = dict(zip(axes, point, strict=False)) if isinstance(point, list) else {"value": point}
                rows.append({**shared, "curve": plain(name), "point": number, **values})
    left_out = ("metric", "value", "headline")
    labels = [name for name in TIDY if name not in left_out]
    return pd.DataFrame(rows, columns=[*labels, "curve", "point", "at", "recall", "precision", "value"])


CURVE_AXES = {
    "pr_curve": ("recall", "precision"),
    "pr_curve_lookup": ("at", "recall", "precision"),
    "precision_curve": ("at", "precision"),
}


def _with_labels(records: Sequence[Record], known: Known | None) -> list[tuple[Record, dict[str, Any]]]:
    names = row_names(records, (known or Known()).own)
    labels = protocol_labels(records)
    return [
        (
            record,
            {
                **name._asdict(),
                "backbone": plain(record.backbone_name),
                "regime": record.regime,
                "protocol": labels[protocol_key(record)],
                "bits": record.bits,
                "seed": record.seed,
                "floor": record.floor,
                "database": database_of(record),
                "dataset": plain(record.dataset),
                "protocol_id": plain(record.protocol),
                "headline": plain(record.headline),
                "split": plain(record.split_sha256),
                "convention": plain(record.convention),
                "ties": plain(record.ties),
                "path": str(getattr(record, "path", None) or ""),
                "record": record.record_sha256,
                "collapsed": record.collapsed,
                "code": _code(record),
            },
        )
        for record, name in zip(records, names, strict=True)
    ]


def measure(
    records: Sequence[Record],
    selection: Selection | None = None,
    known: Known | None = None,
    values: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Average the selected records over seeds: one row per cell with labels, facts, `STATISTICS` and `higher`.

    `values` is the tidy frame of the selected records, where it is there already. `collapsed` says whether the codes of
    any seed did, `code` what code made the seeds.

    Cells are sorted by protocol, metric (in the order asked for) and bits. A row measured without codes (bits 0) has a
    cell at every bit length of its protocol; a cell that nobody measured is absent. Raises UsageError when nothing is
    selected, naming what there is.
    """
    wanted, known = selection or Selection(), known or Known()
    values = tidy(select(records, wanted), known) if values is None else values
    asked = list(wanted.metrics or ())
    bare = values["metric"].str.rpartition("/")[2]
    chosen = values[
        values["metric"].isin(asked) | bare.isin(asked)
        if wanted.metrics is not None
        else (values["metric"] == values["headline"]) | (bare == values["headline"])
    ]
    if chosen.empty:
        names = ", ".join(asked or sorted(set(values["headline"])))
        there = ", ".join(sorted(set(values["metric"])))
        raise UsageError(f"No selected record has metric {names}; they have: {there}.")
    keys = [*ROW_LEVELS, *COLUMN_LEVELS, *ROW_FACTS, *COLUMN_FACTS]
    averaged = chosen.groupby(keys, sort=False).agg(
        measured=("value", statistics.mean),
        sd=("value", _deviation),
        seeds=("value", "count"),
        collapsed=("collapsed", "any"),
        code=("code", frozenset),
    )
    cells = _at_every_length(pd.DataFrame(averaged).reset_index())
    cells["higher"] = [known.direction(metric) for metric in cells["metric"]]

    def place(metric: str) -> tuple[int, str]:
        name = metric if metric in asked else metric.rpartition("/")[2]
        return (asked.index(name) if name in asked else len(asked), metric)

    ranked = {metric: number for number, metric in enumerate(sorted(set(cells["metric"]), key=place))}
    order = cells.assign(metric=cells["metric"].map(ranked)).sort_values(["protocol", "metric", "bits"], kind="stable")
    return cells.loc[order.index].reset_index(drop=True)


def _code(record: Record) -> str:
    """Return the code that made a record: the core by its version, every plugin by version and sha256 of its files."""
    made = {(i.distribution, i.version, "" if i.distribution == CORE else i.sha256) for i in record.plugins.values()}
    return "; ".join(" ".join(filter(None, one)) for one in sorted(made))


def _deviation(values: pd.Series[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _at_every_length(cells: pd.DataFrame) -> pd.DataFrame:
    """Repeat what was measured without codes at every bit length of its protocol and metric, if there is one."""
    place = ["protocol", "metric"]
    coded = cells[cells["bits"] > 0]
    lengths = coded[[*place, "bits"]].drop_duplicates()
    whole = cells[cells["bits"] == 0]
    repeated = whole.drop(columns="bits").merge(lengths, on=place, how="left")
    repeated["bits"] = repeated["bits"].fillna(0).astype("int64")
    both = pd.concat([coded, repeated[cells.columns]]) if len(coded) else repeated[cells.columns]
    return both.drop_duplicates([*ROW_LEVELS, *COLUMN_LEVELS]).reset_index(drop=True)


def select(records: Sequence[Record], selection: Selection) -> list[Record]:
    """Return the selected records, sorted; none, or an unknown protocol, backbone or regime, is a UsageError."""
    if not records:
        raise UsageError("There are no records yet; make some with hashzoo run or name folders that hold them.")
    _known("protocol", selection.protocol, (r.protocol for r in records))
    _known("backbone", selection.backbone, (r.backbone_name for r in records))
    _known("regime", selection.regime, (r.regime for r in records))
    for method in selection.methods or ():
        _known("method", method, (r.method for r in records))
    chosen = [record for record in records if _is_selected(record, selection)]
    if not any(not r.floor or r.method in (selection.methods or (r.method,)) for r in chosen):
        raise UsageError(
            "No record fits all of the selection; leave a part of it out (protocol, backbone, regime, ...)."
        )
    return sorted(chosen, key=lambda r: (r.protocol, r.method, r.backbone_name, r.regime, r.bits, r.seed))


def _is_selected(record: Record, wanted: Selection) -> bool:
    return (
        wanted.protocol in (None, record.protocol)
        and wanted.backbone in (None, record.backbone_name)
        and (wanted.bits is None or record.bits in (0, *wanted.bits))
        and (record.floor or wanted.methods is None or record.method in wanted.methods)
        and (wanted.regime in (None, record.regime) or (record.floor and record.regime == "none"))
    )


def _known(kind: str, name: str | None, names: Iterable[str]) -> None:
    among = set(names)
    if name is not None and name not in among:
        raise unknown_name(f"{kind} among the records", name, map(plain, among))


def protocol_labels(records: Iterable[Record]) -> dict[tuple[str, str, str, str], str]:
    """Name each protocol; where one id stands for several splits, conventions or tie rules, say which."""
    keys = sorted({protocol_key(record) for record in records})
    labels = {}
    for key in keys:
        alike = [other for other in keys if other[0] == key[0]]
        says = (f"split {key[1][:8]}", f"convention {key[2]}", f"ties {key[3]}")
        parts = [says[n - 1] for n in (1, 2, 3) if len({other[n] for other in alike}) > 1]
        labels[key] = plain(key[0] + (f" ({', '.join(parts)})" if parts else ""))
    return labels
