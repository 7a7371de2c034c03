"""What each hook may return, and what is wrong with an item that does not keep to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hashzoo.declared import misfit
from hashzoo.specs import Claim, Command, Component, Dataset, Method, Metric, PaperTable

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
    "engines": Kind("hashzoo_register_engines", Component, "name", "engine"),
    "datasets": Kind("hashzoo_register_datasets", Dataset, "name", "dataset"),
    "trainers": Kind("hashzoo_register_trainers", Component, "name", "trainer"),
    "paper_tables": Kind("hashzoo_register_paper_tables", PaperTable, "id", "paper table"),
    "claims": Kind("hashzoo_register_claims", Claim, "text", "claim"),
    "commands": Kind("hashzoo_register_commands", Command, "name", "command"),
}
"""Every kind, under the name that `Registry.get` and `hashzoo list` take."""


PARTS = {"loss": "losses", "hash_layer": "hash_layers", "trainer": "trainers", "fitter": "fitters"}
"""The parts that make a method, each with the kind of component it is."""

REGIMES = ("finetune", "frozen", "scratch")
"""What a method has settings for."""


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
        fault = misfit(item) or _FAULTS.get(wanted.type, lambda _: "")(item)
    except Exception as error:  # noqa: BLE001 -- a field of a wrong type can fail in any way
        fault = f"that cannot be read ({type(error).__name__}: {error})"
    return f"returned {wanted.singular} {name!r} {fault}" if fault else ""


def _describe(value: Any) -> str:
    return f"{value!r:.60}" if value is None or isinstance(value, str | int | float) else type(value).__name__


def _method_fault(method: Method) -> str:
    needed = {"gradient": ("loss", "recipe"), "fit": ("fitter",), "none": ()}[method.training]
    for field in needed:
        if not getattr(method, field):
            return f"with training {method.training!r} and no {field}"
    if not method.modalities:
        return "without modalities; state a tuple of roles such as ('image',)"
    for regime in method.settings:
        if regime not in REGIMES:
            return f"with a setting for {regime!r} and not for one of {', '.join(REGIMES)}"
    for options in (method.options, *(setting.options for setting in method.settings.values())):
        for name in options:
            if name not in PARTS:
                return f"whose options are for {name!r} and not for one of {', '.join(PARTS)}"
    return ""


def _component_fault(component: Component) -> str:
    for name in component.requires:
        if name not in PARTS:
            return f"which requires a {name!r} and not one of {', '.join(PARTS)}"
    return _reference_fault("build", component.build)


def _reference_fault(field: str, build: Any) -> str:
    if callable(build) or re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", build):
        return ""
    return f"whose {field} is {_describe(build)} and neither a callable nor 'package.module:attribute'"


def _dataset_fault(dataset: Dataset) -> str:
    if not dataset.protocols:
        return "without a protocol"
    for protocol in dataset.protocols:
        if protocol.dataset != dataset.name:
            return f"whose protocol {protocol.id!r} says it belongs to dataset {protocol.dataset!r}"
        for pair in protocol.pairs:
            if not set(pair) <= set(dataset.modalities):
                return f"whose protocol {protocol.id!r} pairs {pair}, and its modalities are {(*dataset.modalities,)}"
    return _reference_fault("load", dataset.load)


def _command_fault(command: Command) -> str:
    return _reference_fault("build", command.build)


_FAULTS: dict[type, Any] = {
    Method: _method_fault,
    Component: _component_fault,
    Dataset: _dataset_fault,
    Command: _command_fault,
}
