"""From a request to a plan: every name resolved, every option checked, the configuration written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hashzoo.data.splits import is_multilabel
from hashzoo.declared import fits
from hashzoo.errors import UsageError, unknown_name
from hashzoo.evaluation.conventions import convention_named
from hashzoo.evaluation.metrics import TIES
from hashzoo.plugins import PARTS, Registry
from hashzoo.results.config import Evaluation, Part, Regime, RunConfig
from hashzoo.results.settings import departures
from hashzoo.runner.request import RunRequest
from hashzoo.runner.scoring import check_metrics
from hashzoo.runner.tuned import read_choice
from hashzoo.specs import Component, Dataset, Method, Problem, Protocol, Recipe, Schedule, Setting, Splits
from hashzoo.training.default_recipes import FROZEN, default_setting
from hashzoo.training.optimizers import check_recipe

DEFAULT_DATASET = "digits"
DEFAULT_DATASET_PAIR = "digits-halves"

RAW = {"vector": "identity", "image": "pixels"}
"""Backbones that hand on the inputs as they are: what closed forms are fitted on where no pretrained network is."""

RECIPE_KEYS = tuple(f for f in Recipe.__dataclass_fields__ if f != "schedule")
SCHEDULE_KEYS = tuple(Schedule.__dataclass_fields__)
GROUPS = (*PARTS, "backbone", "data", "recipe", "schedule")
SUPPLIED_DATA = ("dataset", "protocol", "root", "progress")
"""What a dataset's loader is given by the core, and so is no option."""

OPTION_KINDS: Mapping[str, tuple[Any, str]] = {
    "bool": (bool, "true or false"), "int": (int, "a whole number"), "float": (float, "a number"),
    "str": (str, "a text"), "None": (type(None), ""),
}  # fmt: skip
"""Annotations of options that are checked before anything is built, with what they say to people."""


@dataclass(frozen=True)
class Plan:
    """A resolved run; `config` says all that is needed to do it again."""

    method: Method
    dataset: Dataset
    protocol: Protocol
    config: RunConfig
    bits: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the run directory: protocol, method, backbone, regime and configuration hash."""
        config = self.config
        backbone = "+".join(dict.fromkeys(part.name for part in config.backbones.values()))
        parts = (config.protocol_label, self.method.name, backbone, config.regime, config.config_hash)
        return "_".join(part.replace("/", "-").replace(":", "-") for part in parts)


def resolve(request: RunRequest, registry: Registry) -> Plan:
    """Resolve names and options; everything that does not fit is a UsageError that names what would."""
    return _resolve(request, registry) if request.tuned is None else _resolve_tuned(request, request.tuned, registry)


def _resolve_tuned(request: RunRequest, path: Path, registry: Registry) -> Plan:
    """Resolve with what a study chose; its backbone, weights, loss and hash layer are to be the run's.

    The row's name says what else departs from the configuration that was chosen.
    """
    _, protocol = _choose_data(request, registry.get("methods", request.method), registry)
    choice = read_choice(path, registry.listed("methods", request.method), protocol.id)
    if registry.get("methods", request.method).training != "gradient":  # what trials of other methods shared
        choice = replace(choice, options={k: v for k, v in choice.options.items() if not is_of_training(k)})
    for name in sorted(set(choice.options) & set(request.settings)):
        chosen_value, asked = choice.options[name], request.settings[name]
        if chosen_value != asked:
            raise UsageError(
                f"{name} is {chosen_value!r} in {path} and {asked!r} here; leave out --set {name}, or --tuned."
            )
    plan = _resolve(replace(request, settings={**choice.options, **request.settings}), registry)
    if choice.regime != plan.config.regime:
        raise UsageError(
            f"{path} was tuned for the regime {choice.regime!r} and this run is {plan.config.regime!r}; give the "
            "options of the backbone with which it was tuned."
        )
    as_chosen = replace(request, **{**choice.setup, "loss": None, "hash_layer": None, "settings": choice.options})
    chosen = _resolve(as_chosen, registry).config
    _require_same_parts(plan.config, chosen, path)
    label = ", ".join([choice.label, *departures(plan.config, chosen)])
    return replace(plan, config=plan.config.model_copy(update={"settings_source": choice.source, "tuned": label}))


def _require_same_parts(config: RunConfig, chosen: RunConfig, path: Path) -> None:
    """Raise UsageError for a part, or for weights, that are not those of the trials."""
    pairs = [(role.replace("_", " "), getattr(config, role), getattr(chosen, role)) for role in PARTS]
    pairs += [(f"backbone of {m}", part, chosen.backbones[m]) for m, part in config.backbones.items()]
    for what, part, tuned in pairs:
        if part is None or tuned is None:
            continue
        if part.name != tuned.name:
            raise UsageError(
                f"{path} was tuned with the {what} {tuned.name!r} and this run has {part.name!r}; give that one, or "
                "leave out --tuned."
            )
        has, had = part.options.get("weights"), tuned.options.get("weights")
        if what.startswith("backbone") and has != had:
            raise UsageError(
                f"{path} was tuned with the weights {had!r} of {part.name!r} and this run has {has!r}; give those, or "
                "leave out --tuned."
            )


def _resolve(request: RunRequest, registry: Registry) -> Plan:
    method: Method = registry.get("methods", request.method)
    dataset, protocol = _choose_data(request, method, registry)
    options = _split_settings(request.settings)
    backbones = _choose_backbones(request, method, dataset, registry, options["backbone"])
    by_gradient = method.training == "gradient"
    freeze = request.freeze_backbone or not by_gradient
    if freeze:
        _require_no_augment(backbones)
    regime = _regime(freeze, backbones, registry)
    setting = method.settings.get(regime) or default_setting(method, regime)
    recipe = apply_recipe(setting.recipe or FROZEN, {**options["recipe"], "schedule": options["schedule"]})
    if not by_gradient and (options["recipe"] or options["schedule"]):
        key = next(iter({**options["recipe"], **options["schedule"]}))
        raise UsageError(f"Method {method.name!r} is not trained by gradients, so it has no {key}; leave it out.")
    check_evaluation(request, protocol, registry)
    config = RunConfig(
        method=registry.qualified("methods", request.method),
        training=method.training,
        supervision=method.supervision,
        database=method.database,
        ranking=method.ranking,
        dataset=Part(name=dataset.name, options=options["data"]),
        protocol=request.protocol if request.protocol and ":" in request.protocol else protocol.id,
        protocol_label=protocol.id + ("-validation" if request.validation else ""),
        validation=request.validation,
        roles=dict(zip(dataset.modalities, method.modalities, strict=True)),
        backbones=backbones,
        freeze_backbone=freeze,
        regime=regime,
        recipe=recipe if by_gradient else None,
        settings_source=setting.source,
        evaluation=Evaluation(
            evaluators=request.evaluators or protocol.evaluators,
            metrics=request.metrics,
            ties=request.ties,
            convention=request.convention,
        ),
        **_choose_components(request, method, setting, registry, options),  # type: ignore[arg-type] # the four parts
    )
    bits = (0,) if not method.coded else request.bits or protocol.bits
    seeds = request.seeds if method.coded else request.seeds[:1]
    return Plan(method, dataset, protocol, config, bits, seeds)


def check_component(registry: Registry, kind: str, name: str, options: Mapping[str, Any]) -> None:
    """Raise UsageError for an option that the component does not have, or that is not of the type it is annotated with.

    Without an annotation the default says whether it is true or false, a number or a text.
    """
    registry.check_options(kind, name, options)
    for doc in registry.option_docs(kind, name):
        if doc.name not in options:
            continue
        value, shown = options[doc.name], type(doc.default).__name__
        types = (doc.type or {"int": "float", "NoneType": "None"}.get(shown, shown)).split(" | ")
        kinds = {word: OPTION_KINDS[word] for word in types if word in OPTION_KINDS}
        if len(kinds) < len(types) or list(kinds) == ["None"] or any(fits(value, kind) for kind, _ in kinds.values()):
            continue
        wanted = " or ".join(words for word, (_, words) in kinds.items() if word != "None")
        default = "it has no default" if doc.required else f"its default is {doc.default!r}"
        raise UsageError(f"Option {doc.name!r} of {name!r} must be {wanted} ({default}); got {value!r}.")


def check_evaluation(request: RunRequest, protocol: Protocol, registry: Registry) -> None:
    """Raise UsageError before any work for evaluators, metrics, ties or a convention that do not exist."""
    evaluators = request.evaluators or protocol.evaluators
    if request.ties not in (*TIES, "stable"):
        raise unknown_name("tie order", request.ties, (*TIES, "stable"))
    if "retrieval" in evaluators:  # another evaluator may have conventions of its own
        convention_named(request.convention)
    check_metrics(registry, evaluators, request.metrics or ())


def problem_of(plan: Plan, bits: int, splits: Splits) -> Problem:
    """Return what builders may know of this run."""
    return Problem(
        bits=bits or 1,
        num_classes=splits.table.labels.shape[1],
        num_train=len(splits.train),
        multilabel=plan.dataset.multilabel or is_multilabel(splits.table.labels),
        modalities=tuple(plan.method.modalities),
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


def is_of_training(key: str) -> bool:
    """Whether a setting is one of the recipe, which only what is trained by gradients has.

    >>> [is_of_training(key) for key in ("lr", "recipe.lr", "schedule.name", "loss.gamma")]
    [True, True, True, False]
    """
    group, dot, _ = key.partition(".")
    return not dot or group in ("recipe", "schedule")


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
) -> dict[str, Part]:
    """Return name and options of the method's parts; another loss takes none of the method's loss options."""
    if method.training != "gradient" and request.loss is not None:
        registry.get("losses", request.loss)
        raise UsageError(
            f"Method {method.name!r} is not trained by gradients, so it takes no loss; name a method that is "
            "(hashzoo list methods)."
        )
    asked = {"loss": request.loss, "hash_layer": request.hash_layer}
    parts: dict[str, Part] = {}
    for role, kind in PARTS.items():
        if role not in PARTS_OF[method.training]:
            if options[role]:
                raise UsageError(
                    f"Method {method.name!r} has no {role}, so {role}.{next(iter(options[role]))} has no use."
                )
            continue
        chosen: str = getattr(method, role)
        own = {**setting.options.get(role, {}), **method.options.get(role, {})}  # what makes a variant wins
        name = registry.qualified(kind, asked.get(role) or chosen)
        kept = own if name == registry.qualified(kind, chosen) else {}
        parts[role] = Part(name=name, options={**kept, **options[role]})
        check_component(registry, kind, name, parts[role].options)
    _check_pairing(registry, parts)
    return parts


PARTS_OF = {
    "gradient": ("loss", "hash_layer", "trainer"),
    "fit": ("hash_layer", "fitter"),
    "none": ("hash_layer",),
}
"""Which parts a method has, by its training."""


def _check_pairing(registry: Registry, parts: Mapping[str, Part]) -> None:
    """Raise UsageError where a part states that it needs another one than it was given."""
    for role, part in parts.items():
        component: Component = registry.get(PARTS[role], part.name)
        for needed, name in component.requires.items():
            other = parts.get(needed)
            if other is None or other.name.rpartition(":")[2] != name:
                has = f"it got {other.name!r}" if other else "there is none here"
                raise UsageError(
                    f"The {role.replace('_', ' ')} {part.name!r} works with the {needed.replace('_', ' ')} {name!r} "
                    f"only, and {has}; choose a method whose parts belong together."
                )


def _choose_backbones(
    request: RunRequest, method: Method, dataset: Dataset, registry: Registry, options: Mapping[str, Any]
) -> dict[str, Part]:
    asked = request.backbone
    if isinstance(asked, Mapping):
        for modality in asked:
            if modality not in dataset.modalities:
                raise unknown_name(f"modality of {dataset.name}", modality, dataset.modalities)
    chosen: dict[str, Part] = {}
    for role, (modality, kind) in zip(method.modalities, dataset.modalities.items(), strict=True):
        wanted = asked.get(modality) if isinstance(asked, Mapping) else asked
        defaults = (dataset.backbones.get(modality), method.backbones.get(role))
        raw = method.training != "gradient" or (request.freeze_backbone and kind == "vector")
        found = wanted if wanted is not None else _default_backbone(registry, raw, kind, *defaults)
        name = registry.qualified("backbones", found)
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
        accepted = registry.options("backbones", name)
        if request.weights is not None and kind == "image" and (wanted is not None or "weights" in accepted):
            given["weights"] = request.weights
        supplied = {"in_features": 1} if "in_features" in accepted else {}
        check_component(registry, "backbones", name, {**supplied, **given})
        chosen[modality] = Part(name=name, options=given)
    return chosen


def _default_backbone(registry: Registry, raw: bool, kind: str, *names: str | None) -> str:
    """Return the first backbone that fits; with `raw` the first that is pretrained, and the inputs where none is."""
    fitting = [name for name in names if name and registry.get("backbones", name).accepts in (kind, "any")]
    if raw:
        fitting = [name for name in fitting if registry.get("backbones", name).pretrained] or [RAW[kind]]
    if not fitting:
        raise UsageError(f"No default backbone takes {kind} inputs here; name one with --backbone.")
    return fitting[0]


def _require_no_augment(backbones: Mapping[str, Part]) -> None:
    """Raise UsageError for an augmentation of images whose features are computed once, which would do nothing."""
    for part in backbones.values():
        augment = part.options.get("augment", "none")
        if augment != "none":
            raise UsageError(
                f"The features of a frozen backbone are computed once, so augment={augment} of {part.name!r} would "
                "change no training step; leave it out (resize=256 cuts out the middle), or have the backbone trained."
            )


def _regime(freeze: bool, backbones: Mapping[str, Part], registry: Registry) -> Regime:
    """Return what the features are: left as they are, fine-tuned, or trained from scratch."""
    if freeze or all(part.name in RAW.values() for part in backbones.values()):
        return "frozen"
    for part in backbones.values():
        weights = part.options.get("weights")
        has_own = registry.get("backbones", part.name).pretrained
        if weights not in (None, "random") or (has_own and weights != "random"):
            return "finetune"
    return "scratch"
