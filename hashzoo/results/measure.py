"""From records to cells: mean and deviation over seeds for each row, protocol, metric and bit length."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hashzoo.errors import UsageError, unknown_name
from hashzoo.files import canonical_json
from hashzoo.results.collect import method_config
from hashzoo.results.record import Record


class Row(NamedTuple):
    """A row of a board; `settings` names what differs between several configurations of a method, else ""."""

    method: str
    backbone: str
    regime: str
    settings: str


class Column(NamedTuple):
    """A column of a board; `protocol` names the split or convention too where one id stands for several."""

    protocol: str
    metric: str
    bits: int


class Cell(NamedTuple):
    """Mean over seeds, sample standard deviation (None for one seed), number of seeds."""

    mean: float
    sd: float | None
    seeds: int


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


@dataclass(frozen=True)
class Cells:
    """All that a board shows, without layout; `datasets` and `protocols` say what a protocol's label stands for.

    `metrics` are in the order in which they are shown.
    """

    values: dict[Row, dict[Column, Cell]]
    floors: frozenset[str]
    datasets: dict[str, str]
    protocols: dict[str, str]
    metrics: tuple[str, ...]

    def columns(self) -> list[Column]:
        """All columns: protocols by name, metrics in the order they are asked for, bits ascending.

        Features without codes (bits 0) have no column of their own where any codes were measured.
        """
        seen = dict.fromkeys(column for row in self.values.values() for column in row)
        coded = {(c.protocol, c.metric) for c in seen if c.bits}
        kept = [c for c in seen if c.bits or (c.protocol, c.metric) not in coded]
        return sorted(kept, key=lambda c: (c.protocol, self.metrics.index(c.metric), c.bits))

    def get(self, row: Row, column: Column) -> Cell | None:
        """Return a cell; a row measured without codes has the same one at every bit length."""
        cells = self.values[row]
        return cells.get(column) or cells.get(column._replace(bits=0))


def measure(records: Sequence[Record], selection: Selection | None = None) -> Cells:
    """Average the selected records over seeds; a cell that nobody measured is absent and enters no average.

    Raises UsageError when nothing is selected, naming what there is.
    """
    if not records:
        raise UsageError("There are no records yet; make some with hashzoo run or name folders that hold them.")
    selection = selection or Selection()
    chosen = select(records, selection)
    labels = _protocol_labels(chosen)
    settings = _settings(chosen)
    samples: dict[Row, dict[Column, list[float]]] = defaultdict(lambda: defaultdict(list))
    metrics = tuple(_metric_order(chosen, selection))
    for name in metrics:
        for record in chosen:
            if name in record.metrics and name in _wanted(record, selection):
                row = Row(record.method, record.backbone_name, record.regime, settings[_config_key(record)])
                column = Column(labels[_protocol_key(record)], name, record.bits)
                samples[row][column].append(record.metrics[name])
    if not samples:
        wanted = ", ".join(selection.metrics or sorted({record.headline for record in chosen}))
        known = ", ".join(sorted({name for record in chosen for name in record.metrics}))
        raise UsageError(f"No selected record has metric {wanted}; they have: {known}.")
    return Cells(
        {row: {column: _cell(values) for column, values in cells.items()} for row, cells in samples.items()},
        frozenset(record.method for record in chosen if record.floor),
        {labels[_protocol_key(record)]: record.dataset for record in chosen},
        {labels[_protocol_key(record)]: record.protocol for record in chosen},
        metrics,
    )


def by_setting(cells: Cells) -> dict[tuple[str, str], Cells]:
    """Split cells by (backbone, regime), so that none share a board; floors go with every regime of their backbone."""
    trained = {(row.backbone, row.regime) for row in cells.values if row.method not in cells.floors}
    split = {}
    for backbone, regime in sorted(trained or {(row.backbone, row.regime) for row in cells.values}):
        values = {
            row: value
            for row, value in cells.values.items()
            if row.backbone == backbone and (row.regime == regime or row.method in cells.floors)
        }
        split[backbone, regime] = replace(cells, values=values)
    return split


def select(records: Sequence[Record], selection: Selection) -> list[Record]:
    """Return the selected records, sorted; an unknown protocol, backbone or regime is a UsageError."""
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
        raise unknown_name(f"{kind} among the records", name, among)


def _wanted(record: Record, selection: Selection) -> list[str]:
    """Names of the record's metrics that the selection means, in its order."""
    return [
        name
        for asked in selection.metrics or (record.headline,)
        for name in sorted(record.metrics)
        if name == asked or name.endswith(f"/{asked}")
    ]


def _metric_order(records: Sequence[Record], selection: Selection) -> list[str]:
    names = {name for record in records for name in _wanted(record, selection)}
    asked = list(selection.metrics or ())

    def place(name: str) -> tuple[int, str]:
        plain = name if name in asked else name.rsplit("/", 1)[-1]
        return (asked.index(plain) if plain in asked else len(asked), name)

    return sorted(names, key=place)


def _cell(values: list[float]) -> Cell:
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Cell(statistics.mean(values), sd, len(values))


def _protocol_key(record: Record) -> tuple[str, str, str, str]:
    return (record.protocol, record.split_sha256, record.convention, record.ties)


def _protocol_labels(records: Iterable[Record]) -> dict[tuple[str, str, str, str], str]:
    """Name each protocol; where one id stands for several splits, conventions or tie rules, say which."""
    keys = sorted({_protocol_key(record) for record in records})
    labels = {}
    for key in keys:
        alike = [other for other in keys if other[0] == key[0]]
        parts = [
            text
            for place, text in (
                (1, f"split {key[1][:8]}"),
                (2, f"convention {key[2]}"),
                (3, f"ties {key[3]}"),
            )
            if len({other[place] for other in alike}) > 1
        ]
        labels[key] = key[0] + (f" ({', '.join(parts)})" if parts else "")
    return labels


def _configuration(record: Record) -> dict[str, Any]:
    return {**method_config(record), "freeze_backbone": record.frozen}


def _config_key(record: Record) -> str:
    return canonical_json([record.method, record.backbone_name, record.regime, _configuration(record)])


def _settings(records: Iterable[Record]) -> dict[str, str]:
    """Name each configuration by the values in which the configurations of one method differ, else ""."""
    groups: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for record in records:
        group = groups[record.method, record.backbone_name, record.regime]
        group[_config_key(record)] = _flatten(_configuration(record))
    names = {}
    for group in groups.values():
        keys = sorted({key for flat in group.values() for key in flat})
        differing = [key for key in keys if len({canonical_json(flat.get(key)) for flat in group.values()}) > 1]
        for config, flat in group.items():
            names[config] = ", ".join(f"{key}={_word(flat[key])}" for key in differing if key in flat)
    return names


def _word(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
