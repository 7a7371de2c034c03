"""What each hook may return, and what is wrong with an item that does not keep to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hashzoo.specs import (
    Claim,
    Command,
    Component,
    Dataset,
    Method,
    Metric,
    Paper,
    PaperRow,
    PaperTable,
    Protocol,
    Recipe,
    Setting,
)

Item = Method | Component | Dataset | PaperTable | Metric | Command | Claim

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]*")


@dataclass(frozen=True)
class Kind:
    """One kind of thing a plugin can bring: its hook, its type, the attribute that names it, its singular."""

    hook: str
    type: type
    key: str
    singular: str


KINDS: dict[str, Kind] = {
    "methods": Kind("hashzoo_register_methods", Method, "name", "method"),
    "backbones": Kind("hashzoo_register_backbones", Component, "name", "backbone"),
    "hash_layers": Kind("hashzoo_register_hash_layers", Component, "name", "hash layer"),
    "losses": Kind("hashzoo_register_losses", Component, "name", "loss"),
    "fitters": Kind("hashzoo_register_fitters", Component, "name", "fitter"),
    "metrics": Kind("hashzoo_register_metrics", Metric, "name", "metric"),
    "evaluators": Kind("hashzoo_register_evaluators", Component, "name", "evaluator"),
    "datasets": Kind("hashzoo_register_datasets", Dataset, "name", "dataset"),
    "trainers": Kind("hashzoo_register_trainers", Component, "name", "trainer"),
    "paper_tables": Kind("hashzoo_register_paper_tables", PaperTable, "id", "paper table"),
    "claims": Kind("hashzoo_register_claims", Claim, "text", "claim"),
    "commands": Kind("hashzoo_register_commands", Command, "name", "command"),
}
"""Every kind, under the name that `Registry.get` and `hashzoo list` take."""


def item_name(kind: str, item: Any) -> str:
    """Return the name under which an item is registered (`id` for paper tables)."""
    return str(getattr(item, KINDS[kind].key))


def find_fault(kind: str, item: Any) -> str:
    """Return what is wrong with one returned item, as a phrase, or "" for a good one."""
    wanted = KINDS[kind]
    if not isinstance(item, wanted.type):
        return f"returned {_describe(item)} where a {wanted.type.__name__} was expected"
    name = getattr(item, wanted.key)
    if not isinstance(name, str) or not (_NAME.fullmatch(name) or (kind == "claims" and name)):
        return (
            f"returned a {wanted.singular} whose {wanted.key} is {name!r}; a name has letters, digits, "
            "'-', '.', '_', '+' and '/' only"
        )
    try:
        fault = _FAULTS.get(wanted.type, lambda _: "")(item)
    except Exception as error:  # noqa: BLE001 -- a field of a wrong type can fail in any way
        fault = f"that cannot be read ({type(error).__name__}: {error})"
    return f"returned {wanted.singular} {name!r} {fault}" if fault else ""


def _describe(value: Any) -> str:
    return f"{value!r:.60}" if value is None or isinstance(value, str | int | float) else type(value).__name__


def _method_fault(method: Method) -> str:
    for field, wanted in (("paper", Paper), ("recipe", Recipe)):
        if field == "recipe" and method.recipe is None and method.training != "gradient":
            continue
        if not isinstance(getattr(method, field), wanted):
            return f"whose {field} is {_describe(getattr(method, field))} and not a {wanted.__name__}"
    for field in ("loss", "hash_layer", "trainer"):
        if not isinstance(getattr(method, field), str):
            return f"whose {field} is {_describe(getattr(method, field))} and not a name"
    if isinstance(method.modalities, str) or not method.modalities:
        return f"whose modalities are {method.modalities!r} and not a tuple of names such as ('image',)"
    for field, known in (
        ("supervision", ("supervised", "unsupervised", "none")),
        ("training", ("gradient", "fit", "none")),
        ("database", ("hidden", "inputs", "labels")),
        ("ranking", ("hamming", "inner_product", "cosine")),
    ):
        if getattr(method, field) not in known:
            return f"whose {field} is {getattr(method, field)!r} and not one of {', '.join(known)}"
    for name, setting in method.settings.items():
        if not isinstance(setting, Setting):
            return f"whose settings[{name!r}] is {_describe(setting)} and not a Setting"
    return ""


def _component_fault(component: Component) -> str:
    build = component.build
    if callable(build):
        return ""
    if not isinstance(build, str) or not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", build):
        return f"whose build is {_describe(build)} and neither a callable nor 'package.module:attribute'"
    return ""


def _dataset_fault(dataset: Dataset) -> str:
    if not dataset.protocols:
        return "without a protocol"
    for protocol in dataset.protocols:
        if not isinstance(protocol, Protocol):
            return f"with {_describe(protocol)} where a Protocol was expected"
        if protocol.dataset != dataset.name:
            return f"whose protocol {protocol.id!r} says it belongs to dataset {protocol.dataset!r}"
    if not callable(dataset.load) and not isinstance(dataset.load, str):
        return f"whose load is {_describe(dataset.load)} and neither a callable nor 'package.module:attribute'"
    return ""


def _paper_table_fault(table: PaperTable) -> str:
    for row in table.rows:
        if not isinstance(row, PaperRow):
            return f"with {_describe(row)} where a PaperRow was expected"
    return ""


_FAULTS: dict[type, Any] = {
    Method: _method_fault,
    Component: _component_fault,
    Dataset: _dataset_fault,
    PaperTable: _paper_table_fault,
}
