"""What a published table needs: what of it can be measured with what is installed, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashzoo.errors import HashzooError, UsageError
from hashzoo.evaluation.names import ALL
from hashzoo.plugins import Registry
from hashzoo.results.commands import known_tables
from hashzoo.results.published import is_dataset
from hashzoo.runner.request import RunRequest, merge
from hashzoo.specs import Method, PaperRow, PaperTable
from hashzoo.studies.grid import missing_data


@dataclass(frozen=True)
class TablePlan:
    """The requests that measure what can be measured of a table, and a sentence for each thing that is missing."""

    table: PaperTable
    requests: tuple[RunRequest, ...]
    missing: tuple[str, ...]


def plan_table(name: str, values: Mapping[str, Any], protocols: Sequence[str], registry: Registry) -> TablePlan:
    """Return what a published table needs; `values` are options of the runs.

    A row is measured on the protocol that the table states. Protocols of `protocols` take its place in all rows on
    their data sets; a row that has neither is missing, since its set-up is none of ours.
    """
    table = _table(name, registry)
    instead = [registry.protocol(given) for given in protocols]
    unused = {protocol.id for _, protocol in instead}
    missing: dict[str, None] = {}
    cells: dict[tuple[str, str], dict[str, dict[Any, None]]] = {}
    methods = registry.names("methods")
    for row in table.rows:
        if row.method not in methods:
            missing[f"{row.label or row.method}: no installed plugin brings the method {row.method!r}."] = None
            continue
        places = [protocol.id for dataset, protocol in instead if _is_data(row.dataset, dataset.name)]
        places = places or [row.protocol] * bool(row.protocol)
        unused -= set(places)
        if not places:
            missing[_no_protocol(row, registry)] = None
        for place in dict.fromkeys(places):
            trouble = _trouble(place, row, registry, values)
            if trouble:
                missing[trouble] = None
                continue
            found = cells.setdefault((place, row.method), {"bits": {}, "metrics": {}})
            found["bits"][row.bits] = None
            found["metrics"][row.metric or table.metric] = None
    if unused:
        raise UsageError(
            f"{table.id} has no row on the data of {', '.join(sorted(unused))}; its data sets are "
            f"{', '.join(sorted({row.dataset for row in table.rows}))}."
        )
    requests = []
    for (place, method), asked in sorted(cells.items(), key=lambda item: item[0][0]):
        bits = {"bits": tuple(sorted(asked["bits"]))}
        requests.append(
            merge({}, {"metrics": (ALL, *asked["metrics"]), **values, **bits, "method": method, "protocol": place})
        )
    return TablePlan(table, tuple(requests), tuple(missing))


def _table(name: str, registry: Registry) -> PaperTable:
    by_id = {table.id: table for table in known_tables()}
    if name in by_id:
        return by_id[name]
    table: PaperTable = registry.get("paper_tables", name)
    return table


def _is_data(published: str, ours: str) -> bool:
    """Whether a data set of ours is a published one; papers write MS-COCO, and COCO."""
    return any(is_dataset(name, ours) for name in (published, published.removeprefix("MS-")))


def _no_protocol(row: PaperRow, registry: Registry) -> str:
    ours = [
        protocol.id
        for dataset in registry.names("datasets")
        if _is_data(row.dataset, dataset.rpartition(":")[2])
        for protocol in registry.get("datasets", dataset).protocols
    ]
    note = f" ({row.protocol_note})" if row.protocol_note else ""
    rest = f"name one that is to stand in with -p: {', '.join(ours)}." if ours else "no installed data set is it."
    return f"{row.dataset}{note}: the paper's set-up is no protocol that is known here; {rest}"


def _trouble(protocol: str, row: PaperRow, registry: Registry, values: Mapping[str, Any]) -> str:
    """Return why a row cannot be measured on a protocol, "" where it can."""
    try:
        dataset, _ = registry.protocol(protocol)
    except HashzooError as error:
        return f"{row.dataset}: {error}"
    method: Method = registry.get("methods", row.method)
    if len(method.modalities) != len(dataset.modalities):
        return (
            f"{row.method} on {protocol}: the installed method takes {len(method.modalities)} modality(ies) and the "
            f"data have {len(dataset.modalities)}."
        )
    settings = values.get("settings", {})
    return missing_data(
        protocol, dataset, {name.removeprefix("data."): settings[name] for name in settings if name.startswith("data.")}
    )
