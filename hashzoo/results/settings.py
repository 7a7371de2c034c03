"""What was trained, and where it departs from the method's own setting: the one reader of `Record.config`.

A row of a board is a method as its plugin sets it up. A record with other options or another recipe is a row that
names them; one with another loss, hash layer, trainer or fitter is not a row of that method at all.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from hashzoo.errors import HashzooError
from hashzoo.files import canonical_json
from hashzoo.plugins import PARTS, Registry
from hashzoo.results.config import RunConfig
from hashzoo.results.record import Record
from hashzoo.results.text import plain
from hashzoo.specs import Method, Recipe, Setting
from hashzoo.training.default_recipes import default_setting

TUNED = "tuned"
"""How a row is named whose options `hashzoo tune` chose, before the number of trials; its values stay out."""

Own = Mapping[str, Mapping[str, Any]]
"""{method: {regime: its own parts, recipe and the defaults of options that records name}}, plain JSON."""


class RowName(NamedTuple):
    """A row: the method, or the method "with" other parts; the settings that depart from its own.

    `judged` says by what: "own" setting, or "most" of the records where the plugin is not known.
    """

    method: str
    settings: str
    judged: str


class Study(NamedTuple):
    """How `hashzoo tune` chose a row's settings: `label` is "20 trials", `rule` what they were chosen by and on."""

    trials: int
    label: str
    rule: str


def study_of(record: Record) -> Study | None:
    """Return how a record's settings were tuned; None where they were not, or something was changed afterwards."""
    found = re.fullmatch(r"(\d+) trials?", record.config.tuned)
    return Study(int(found[1]), found[0], record.config.settings_source.partition(" (")[0]) if found else None


def config_of(record: Record) -> dict[str, Any]:
    """Return a record's configuration as JSON: parts as {"name", "options"}, the recipe as its fields."""
    return record.config.model_dump(mode="json")


def method_config(record: Record) -> dict[str, Any]:
    """Return the part of the configuration that decides what was trained, without data and evaluation."""
    return {**record.config.trained_by(), "precision": record.config.precision}


def database_of(record: Record) -> str:
    """Return what training saw of the database: "hidden", "inputs" or "labels"."""
    return record.config.database


def setup_of(record: Record) -> dict[str, Any]:
    """Return the options of the backbones and the precision: the set-up's, which all methods share on a board."""
    config = config_of(record)
    return {**_backbone_options(config), "precision": config["precision"]}


def _backbone_options(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for modality, backbone in config["backbones"].items():
        prefix = "backbone." if len(config["backbones"]) == 1 else f"backbone.{modality}."
        found |= {f"{prefix}{option}": value for option, value in backbone["options"].items()}
    return found


def setting_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"loss.gamma": 20.0, "recipe.lr": 0.001, ...}: options of parts and recipe, named as in `--set`."""
    flat: dict[str, Any] = {}
    for part in PARTS:
        flat |= {f"{part}.{option}": value for option, value in (config.get(part) or {}).get("options", {}).items()}
    recipe = dict(config.get("recipe") or {})
    schedule = recipe.pop("schedule", None) or {}
    flat |= {f"recipe.{field}": value for field, value in recipe.items()}
    return flat | {f"schedule.{field}": value for field, value in schedule.items()}


def parts_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the parts, without the distribution that may stand before one."""
    named = {part: str((config.get(part) or {}).get("name", "")) for part in PARTS}
    return {part: name.rpartition(":")[2] for part, name in named.items() if name}


def own_settings(records: Iterable[Record], registry: Registry) -> Own:
    """Return the own settings of the records' methods, in the regimes they were run in, as far as plugins are there.

    Defaults of a part's options are looked up only where a record names an option that the method does not, since
    that imports the part.
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        method = _method(registry, record.method)
        if method is None:
            continue
        own = found.setdefault(record.method, {}).setdefault(record.regime, _own_setting(method, record.regime))
        _add_defaults(own, config_of(record), registry)
    return found


def _add_defaults(own: dict[str, Any], config: Mapping[str, Any], registry: Registry) -> None:
    """Note the defaults of the parts of which a configuration and the method's own setting name other options."""
    for part, kind in PARTS.items():
        given = (config.get(part) or {}).get("options", {})
        fixed = own[part]["options"] if part in own else {}
        if given.keys() ^ fixed.keys() and parts_of(config).get(part) == parts_of(own).get(part):
            own["defaults"].setdefault(part, _defaults(registry, kind, own[part]["name"]))


def changes(config: RunConfig, registry: Registry) -> dict[str, Any]:
    """Return in what a run differs from its method's own setting, and its options of the data, named as in `--set`.

    Empty where the method's plugin is not installed, so that nothing can be compared.
    """
    method = _method(registry, config.method)
    if method is None:
        return {}
    own, dumped = _own_setting(method, config.regime), config.model_dump(mode="json")
    _add_defaults(own, dumped, registry)
    names, own_names = parts_of(dumped), parts_of(own)
    return {
        **{part: name for part, name in names.items() if name != own_names.get(part)},
        **{name.removeprefix("recipe."): value for name, value in _departures(dumped, own).items()},
        **{f"data.{name}": value for name, value in config.dataset.options.items()},
    }


def departures(config: RunConfig, base: RunConfig) -> list[str]:
    """Return in which options of parts, recipe and backbones one configuration departs from another: ["epochs=1"]."""
    ours, theirs = (_options_of(each.model_dump(mode="json")) for each in (config, base))
    changed = {key: value for key, value in ours.items() if key not in theirs or theirs[key] != value}
    return [f"{key.removeprefix('recipe.')}={_word(value)}" for key, value in sorted(changed.items())]


def _options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**setting_of(config), **_backbone_options(config)}


def changed_parts(record: Record, own: Own) -> str:
    """Return "loss hashnet, hash layer greedyhash" for the parts that are not the method's own, else ""."""
    known = own.get(record.method, {}).get(record.regime)
    return _other_parts(parts_of(config_of(record)), parts_of(known)) if known is not None else ""


def row_names(records: Sequence[Record], own: Own) -> list[RowName]:
    """Name the row of each record; records of different configurations never get the same name.

    Where a method's own setting is not known, that of most of its records stands in; if there is none, each is named.
    """
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        groups[record.method, record.backbone_name, record.regime].append(number)
    setups = _unusual_setups(records)
    names: dict[int, RowName] = {}
    for (method, _, regime), numbers in groups.items():
        group = [records[number] for number in numbers]
        known = own.get(method, {}).get(regime)
        judged = _by_own(group, known) if known is not None else _by_most(group)
        unusual = [
            {**({} if records[number].config.tuned else departures), **setups[number]}
            for (_, departures), number in zip(judged, numbers, strict=True)
        ]
        for number, named in zip(numbers, unusual, strict=True):
            if tuned := records[number].config.tuned:
                named[TUNED] = tuned
        for number, (parts, _), named in zip(numbers, judged, _told_apart(group, judged, unusual), strict=True):
            name = f"{method} with {parts}" if parts else method
            words = [f"{TUNED}, {named.pop(TUNED)}"] if TUNED in named else []
            text = ", ".join(words + [f"{key}={_word(value)}" for key, value in sorted(named.items())])
            names[number] = RowName(plain(name), plain(text), "most" if known is None else "own")
    return [names[number] for number in range(len(records))]


def _by_own(group: Sequence[Record], own: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return (changed parts in words, departing settings) of each record against the method's own setting."""
    return [
        (_other_parts(parts_of(config_of(record)), parts_of(own)), _departures(config_of(record), own))
        for record in group
    ]


def _departures(config: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    ours, parts, own_parts = setting_of(config), parts_of(config), parts_of(own)
    theirs = setting_of(own)
    for part in PARTS:
        if parts.get(part) != own_parts.get(part):  # another part: what was given to it departs from its defaults
            theirs = {key: value for key, value in theirs.items() if not key.startswith(f"{part}.")}
        else:
            defaults = {f"{part}.{option}": value for option, value in own.get("defaults", {}).get(part, {}).items()}
            theirs, ours = {**defaults, **theirs}, {**(defaults if part in config else {}), **ours}
    if own.get("recipe") is None:  # nothing is trained by steps: a recipe that old records carry says nothing
        ours = {key: value for key, value in ours.items() if not key.startswith(("recipe.", "schedule."))}
    else:
        ours = {**(_RECIPE_DEFAULTS if "recipe.epochs" in ours else {}), **ours}
    return {key: value for key, value in ours.items() if key not in theirs or theirs[key] != value}


def _by_most(group: Sequence[Record]) -> list[tuple[str, dict[str, Any]]]:
    """Return the same against the configuration of most of the group; where none has most, what differs is named."""
    flats = [_whole(record) for record in group]
    counted = Counter(canonical_json(flat) for flat in flats).most_common(2)
    tied = len(counted) > 1 and counted[0][1] == counted[1][1]
    base = next(flat for flat in flats if canonical_json(flat) == counted[0][0])
    keys = {key for flat in flats for key in flat}
    differing = {key for key in keys if any(flat.get(key) != base.get(key) for flat in flats)}
    found = []
    for record, flat in zip(group, flats, strict=True):
        departing = {key: flat[key] for key in differing if key in flat and (tied or flat[key] != base.get(key))}
        parts = "" if tied else _other_parts(parts_of(config_of(record)), {p: base[p] for p in PARTS if p in base})
        found.append((parts, {k: v for k, v in departing.items() if tied or k not in PARTS}))
    return found


def _whole(record: Record) -> dict[str, Any]:
    """Return parts, settings and whatever else decides what was trained, flat."""
    config = config_of(record)
    rest = {k: v for k, v in method_config(record).items() if k not in (*PARTS, "recipe", "backbones", "precision")}
    return {**parts_of(config), **setting_of(config), **rest, "freeze_backbone": record.frozen}


def _unusual_setups(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return of each record the options of backbones and the precision that most records beside it do not have."""
    setups = [setup_of(record) for record in records]
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        groups[record.protocol, record.backbone_name].append(number)
    found: list[dict[str, Any]] = [{} for _ in records]
    for numbers in groups.values():
        for key in {key for number in numbers for key in setups[number]}:
            values = [setups[number].get(key) for number in numbers]
            counted = Counter(canonical_json(value) for value in values).most_common(2)
            tied = len(counted) > 1 and counted[0][1] == counted[1][1]
            for number, value in zip(numbers, values, strict=True):
                if key in setups[number] and (tied or canonical_json(value) != counted[0][0]):
                    found[number][key] = value
    return found


def _told_apart(
    group: Sequence[Record], judged: Sequence[tuple[str, dict[str, Any]]], named: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add to records of different configurations that would be named alike what they differ in.

    Only records of one protocol are told apart: others never stand on one board.
    """
    flats = [{**_whole(record), **setup_of(record), "floor": record.floor} for record in group]
    alike: dict[str, list[int]] = defaultdict(list)
    for number, ((parts, _), settings) in enumerate(zip(judged, named, strict=True)):
        alike[canonical_json([parts, settings, group[number].protocol])].append(number)
    found = list(named)
    for numbers in alike.values():
        keys = {key for number in numbers for key in flats[number]}
        for key in keys:
            if len({canonical_json(flats[number].get(key)) for number in numbers}) > 1:
                for number in numbers:
                    if key in flats[number]:
                        found[number] = {**found[number], key: flats[number][key]}
    return found


def _other_parts(parts: Mapping[str, str], own: Mapping[str, str]) -> str:
    """Return the parts that differ from the method's own, in words; what only one of the two states is no change."""
    return ", ".join(
        f"{part.replace('_', ' ')} {parts[part]}"
        for part in PARTS
        if part in parts and part in own and parts[part] != own[part]
    )


def _method(registry: Registry, name: str) -> Method | None:
    try:
        method: Method = registry.get("methods", name)
    except HashzooError:
        return None
    return method


def _own_setting(method: Method, regime: str) -> dict[str, Any]:
    by_steps = method.training == "gradient" and regime != "none"
    setting = method.settings.get(regime) or (default_setting(method, regime) if by_steps else Setting())
    names = {"loss": method.loss, "hash_layer": method.hash_layer, "trainer": method.trainer, "fitter": method.fitter}
    parts = {
        part: {"name": name, "options": {**setting.options.get(part, {}), **method.options.get(part, {})}}
        for part, name in names.items()
        if name and (by_steps or part not in ("loss", "trainer"))
    }
    recipe = asdict(setting.recipe) if setting.recipe is not None else None
    own = {**parts, "recipe": recipe, "defaults": {}}
    return dict(_as_json(own))


def _defaults(registry: Registry, kind: str, name: str) -> dict[str, Any]:
    """Return the defaults of a component's options that are JSON; none where it cannot be loaded."""
    try:
        options = registry.options(kind, name)
    except HashzooError:
        return {}
    plain_values = (str, int, float, bool, type(None))
    return {option: value for option, value in options.items() if isinstance(value, plain_values)}


def _as_json(value: Any) -> Any:
    """Return nested mappings and sequences as dictionaries and lists, as a record holds them."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _word(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


_RECIPE_DEFAULTS = setting_of({"recipe": asdict(Recipe(epochs=0, batch_size=0, lr=0.0))})
"""What fields of a recipe mean that a record older than them does not hold."""
