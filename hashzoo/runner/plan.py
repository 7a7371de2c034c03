"""From a request to a plan: every name resolved, every option checked, the configuration written down as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hashzoo.data.splits import is_multilabel
from hashzoo.errors import UsageError, unknown_name
from hashzoo.evaluation.conventions import convention_named
from hashzoo.evaluation.metrics import TIES
from hashzoo.evaluation.names import parse
from hashzoo.plugins import Registry
from hashzoo.runner.request import RunRequest
from hashzoo.specs import Component, Dataset, Method, Problem, Protocol, Recipe, Schedule, Setting, Splits
from hashzoo.training.default_recipes import default_setting
from hashzoo.training.optimizers import check_recipe

DEFAULT_DATASET = "digits"
DEFAULT_DATASET_PAIR = "digits-halves"

RECIPE_KEYS = tuple(f for f in Recipe.__dataclass_fields__ if f != "schedule")
SCHEDULE_KEYS = tuple(Schedule.__dataclass_fields__)
GROUPS = ("loss", "hash_layer", "trainer", "backbone", "data", "recipe", "schedule")
SUPPLIED_DATA = ("dataset", "protocol", "root", "progress")
"""What a dataset's loader is given by the core, and so is no option."""


@dataclass(frozen=True)
class Plan:
    """A resolved run. `config` is JSON and says all that is needed to do the run again."""

    method: Method
    dataset: Dataset
    protocol: Protocol
    recipe: Recipe
    config: dict[str, Any]
    bits: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def config_hash(self) -> str:
        """First 8 hex digits of the sha256 of the configuration; part of the run directory's name.

        How codes are evaluated is left out: asking for other metrics goes on in the same directory.
        """
        return digest({key: value for key, value in self.config.items() if key != "evaluation"})[:8]

    @property
    def name(self) -> str:
        """Name of the run directory: protocol, method, backbone, regime and configuration hash."""
        backbone = "+".join(dict.fromkeys(b["name"] for b in self.config["backbones"].values()))
        parts = (self.config["protocol_label"], self.method.name, backbone, self.config["regime"], self.config_hash)
        return "_".join(part.replace("/", "-") for part in parts)


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def resolve(request: RunRequest, registry: Registry) -> Plan:
    """Resolve names and options; everything that does not fit is a UsageError that names what would."""
    method: Method = registry.get("methods", request.method)
    dataset, protocol = _choose_data(request, method, registry)
    options = _split_settings(request.settings)
    backbones = _choose_backbones(request, method, dataset, registry, options["backbone"])
    regime = _regime(request, backbones, registry)
    setting = method.settings.get(regime) or default_setting(method, regime)
    assert setting.recipe is not None
    recipe = apply_recipe(setting.recipe, {**options["recipe"], "schedule": options["schedule"]})
    components = _choose_components(request, method, setting, registry, options)
    check_evaluation(request, registry)
    config: dict[str, Any] = {
        "method": method.name,
        "supervision": method.supervision,
        "ranking": method.ranking,
        "dataset": {"name": dataset.name, "options": options["data"]},
        "protocol": protocol.id,
        "protocol_label": protocol.id + ("-validation" if request.validation else ""),
        "validation": request.validation,
        "backbones": backbones,
        "freeze_backbone": request.freeze_backbone,
        "regime": regime if method.supervision != "none" else "none",
        **components,
        "recipe": asdict(recipe),
        "evaluation": {
            "evaluators": list(request.evaluators or ("retrieval", "code_quality")),
            "metrics": list(request.metrics) if request.metrics is not None else None,
            "ties": request.ties,
            "convention": request.convention,
        },
    }
    bits = (0,) if not method.coded else request.bits or protocol.bits
    seeds = request.seeds if method.coded else request.seeds[:1]
    return Plan(method, dataset, protocol, recipe, config, bits, seeds)


def check_component(registry: Registry, kind: str, name: str, options: Mapping[str, Any]) -> None:
    """Raise UsageError for an option that the component does not have, or that is of another kind than its default."""
    registry.check_options(kind, name, options)
    defaults = registry.options(kind, name)
    for option, value in options.items():
        default = defaults.get(option)
        for kinds, wanted in (((bool,), "true or false"), ((int, float), "a number"), ((str,), "a text")):
            if isinstance(default, kinds):
                if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool):
                    raise UsageError(
                        f"Option {option!r} of {name!r} must be {wanted} (its default is {default!r}); got {value!r}."
                    )
                break


def check_evaluation(request: RunRequest, registry: Registry) -> None:
    """Raise UsageError before any work for evaluators, metrics, ties or a convention that do not exist."""
    evaluators = request.evaluators or ("retrieval",)
    for name in evaluators:
        registry.get("evaluators", name)
    if request.ties not in (*TIES, "stable"):
        raise unknown_name("tie order", request.ties, (*TIES, "stable"))
    if "retrieval" in evaluators:  # another evaluator may have metrics and conventions of its own
        convention_named(request.convention)
        for metric in request.metrics or ():
            parse(metric)


def problem_of(plan: Plan, bits: int, splits: Splits) -> Problem:
    """Return what builders may know of this run."""
    return Problem(
        bits=bits or 1,
        num_classes=splits.table.labels.shape[1],
        num_train=len(splits.train),
        multilabel=plan.dataset.multilabel or is_multilabel(splits.table.labels),
        modalities=tuple(plan.dataset.modalities),
    )


def apply_recipe(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe with the given fields changed, each checked for its kind and range."""
    schedule = Schedule(**{**asdict(recipe.schedule), **settings.get("schedule", {})})
    values = {key: value for key, value in settings.items() if key != "schedule"}
    changed = replace(recipe, **values, schedule=schedule)
    check_recipe(changed)
    return changed


def _choose_data(request: RunRequest, method: Method, registry: Registry) -> tuple[Dataset, Protocol]:
    if request.protocol is not None:
        dataset, protocol = registry.protocol(request.protocol)
        if request.dataset not in (None, dataset.name):
            raise UsageError(
                f"Protocol {request.protocol!r} belongs to dataset {dataset.name!r}, not {request.dataset!r}; "
                "give one of the two."
            )
    else:
        default = DEFAULT_DATASET if len(method.modalities) == 1 else DEFAULT_DATASET_PAIR
        dataset = registry.get("datasets", default if request.dataset is None else request.dataset)
        protocol = dataset.protocols[0]
    if len(dataset.modalities) != len(method.modalities):
        raise UsageError(
            f"Method {method.name!r} takes {len(method.modalities)} modality(ies) and dataset {dataset.name!r} has "
            f"{len(dataset.modalities)} ({', '.join(dataset.modalities)}); choose a dataset that fits "
            "(hashzoo list datasets)."
        )
    return dataset, protocol


def _split_settings(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {name: {} for name in GROUPS}
    for key, value in settings.items():
        _check_json(key, value)
        group, dot, rest = key.partition(".")
        if not dot:
            group, rest = "recipe", key
        if group not in groups:
            raise unknown_name("group of options", group, GROUPS)
        known = {"recipe": RECIPE_KEYS, "schedule": SCHEDULE_KEYS}.get(group)
        if known is not None and rest not in known:
            raise unknown_name("recipe option", key, (*RECIPE_KEYS, *(f"schedule.{k}" for k in SCHEDULE_KEYS)))
        if group == "data" and rest in SUPPLIED_DATA:
            raise UsageError(f"{key} is given to the dataset by hashzoo and is no option; leave it out.")
        groups[group][rest] = value
    return groups


def _check_json(key: str, value: Any) -> None:
    """Refuse what a configuration cannot hold: nan, inf, dates, paths."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise UsageError(
            f"{key} must be a finite number, a text, true, false or a list of these; got {value!r}."
        ) from None


def _choose_components(
    request: RunRequest, method: Method, setting: Setting, registry: Registry, options: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return name and options of loss, hash layer and trainer; another loss takes none of the method's loss options."""
    components: dict[str, dict[str, Any]] = {}
    for kind, plural, asked, chosen in (
        ("loss", "losses", request.loss, method.loss),
        ("hash_layer", "hash_layers", request.hash_layer, method.hash_layer),
        ("trainer", "trainers", None, method.trainer),
    ):
        own = {**setting.options.get(kind, {}), **method.options.get(kind, {})}  # what makes a variant wins
        kept = own if asked in (None, chosen) else {}
        name = chosen if asked is None else asked
        components[kind] = {"name": name, "options": {**kept, **options[kind]}}
        check_component(registry, plural, name, components[kind]["options"])
    if method.supervision == "none" and request.loss not in (None, method.loss):
        raise UsageError(
            f"Method {method.name!r} is not trained, so it takes no loss; name a trained method (hashzoo list methods)."
        )
    return components


def _choose_backbones(
    request: RunRequest, method: Method, dataset: Dataset, registry: Registry, options: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    asked = request.backbone
    if isinstance(asked, Mapping):
        for modality in asked:
            if modality not in dataset.modalities:
                raise unknown_name(f"modality of {dataset.name}", modality, dataset.modalities)
    chosen: dict[str, dict[str, Any]] = {}
    for role, (modality, kind) in zip(method.modalities, dataset.modalities.items(), strict=True):
        wanted = asked.get(modality) if isinstance(asked, Mapping) else asked
        name = (
            wanted
            if wanted is not None
            else _first_fitting(registry, kind, dataset.backbones.get(modality), method.backbones.get(role))
        )
        component: Component = registry.get("backbones", name)
        if component.accepts not in (kind, "any"):
            fitting = [n for n in registry.names("backbones") if registry.get("backbones", n).accepts in (kind, "any")]
            raise UsageError(
                f"Backbone {name!r} takes {component.accepts} inputs and modality {modality!r} of {dataset.name!r} "
                f"holds {kind} data; choose one of: {', '.join(fitting)}."
            )
        own = {k.removeprefix(f"{modality}."): v for k, v in options.items() if k.startswith(f"{modality}.")}
        common = {k: v for k, v in options.items() if k.split(".")[0] not in dataset.modalities}
        given = {**common, **own}
        if request.weights is not None and kind == "image":
            given["weights"] = request.weights
        supplied = {"in_features": 1} if "in_features" in registry.options("backbones", name) else {}
        check_component(registry, "backbones", name, {**supplied, **given})
        chosen[modality] = {"name": name, "options": given}
    return chosen


def _first_fitting(registry: Registry, kind: str, *names: str | None) -> str:
    for name in names:
        if name and registry.get("backbones", name).accepts in (kind, "any"):
            return name
    raise UsageError(f"No default backbone takes {kind} inputs here; name one with --backbone.")


def _regime(request: RunRequest, backbones: Mapping[str, Mapping[str, Any]], registry: Registry) -> str:
    names = [choice["name"] for choice in backbones.values()]
    if request.freeze_backbone or all(name == "identity" for name in names):
        return "frozen"
    for choice in backbones.values():
        weights = choice["options"].get("weights")
        has_own = registry.get("backbones", choice["name"]).pretrained
        if weights not in (None, "random") or (has_own and weights != "random"):
            return "finetune"
    return "scratch"
