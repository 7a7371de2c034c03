"""What a user asks of a study: lists of methods and protocols beside the options of a run, and who does the cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hashzoo.errors import UsageError
from hashzoo.plugins import Registry
from hashzoo.runner.plan import check_component, is_of_training
from hashzoo.runner.request import Keys, RunRequest, flatten, merge, parse_value
from hashzoo.studies.grid import every_method
from hashzoo.studies.task import Engine

SET_FOR = "set_for"
"""The table of settings of one method only, in a TOML file: [set_for.dch]."""

KEYS: Keys = {
    "workers": (int, "a whole number such as 2"),
    "engine": (str, 'a text such as "ray:cpus=2"'),
    "keep_going": (bool, "true or false"),
    SET_FOR: (Mapping[str, Mapping[str, Any]], f"tables by method, such as [{SET_FOR}.dch] and below it lr = 1e-4"),
}
"""What a study has beside the options of a run."""

ALL = "all"
"""In place of methods: all that take as many modalities as the data have."""

NAMED = {"method": "methods", "dataset": "datasets", "loss": "losses", "hash_layer": "hash_layers"}
"""Options that name something registered, each with its kind."""


@dataclass(frozen=True)
class EngineChoice:
    """An engine by name with its options."""

    name: str = "local"
    options: Mapping[str, Any] | None = None

    def build(self, registry: Registry) -> Engine:
        """Return the engine; UsageError for a name or an option that does not exist."""
        options = dict(self.options or {})
        check_component(registry, "engines", self.name, options)
        engine: Engine = registry.build("engines", self.name, options=options)
        return engine

    @property
    def processes(self) -> int:
        """How many cells it does at a time, as far as that can be told: its option `workers`, else 1."""
        workers = (self.options or {}).get("workers", 1)
        return workers if isinstance(workers, int) and workers > 0 else 1


def choose_engine(engine: str | None, workers: int | None) -> EngineChoice:
    """Read "ray:address=auto,workers=8"; `workers` alone means that many processes of this machine.

    >>> choose_engine("ray:workers=8", None), choose_engine(None, 2).processes
    (EngineChoice(name='ray', options={'workers': 8}), 2)
    """
    name, _, rest = ("local" if engine is None else engine).partition(":")
    if not name.strip():
        raise UsageError(f"--engine names no engine; give one of hashzoo list engines, such as local; got {engine!r}.")
    options: dict[str, Any] = {}
    for pair in rest.split(",") if rest else ():
        key, separator, value = pair.partition("=")
        if not separator or not key.strip() or not value.strip():
            raise UsageError(
                f"--engine takes NAME or NAME:key=value,key=value, such as local:workers=2; got {engine!r}."
            )
        options[key.strip()] = parse_value(value.strip())
    if workers is not None:
        if "workers" in options:
            raise UsageError("The number of workers is given twice; give it as --workers or as an option of --engine.")
        options["workers"] = workers
    return EngineChoice(name, options)


def names_of(value: Any, what: str) -> tuple[str, ...]:
    """Return the names in "a,b" or in a list, each once.

    >>> names_of("dch, itq", "method"), names_of(["dch"], "method"), names_of(None, "method")
    (('dch', 'itq'), ('dch',), ())
    """
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise UsageError(f"A study's {what} is a name or a list of names; got {value!r}.")
    if not parts:
        raise UsageError(f"A study's {what} is an empty list; name one, or leave the line out.")
    names = tuple(part.strip() for part in parts)
    if not all(names) or len(set(names)) != len(names):
        raise UsageError(f"Name each {what} once, separated by commas; got {value!r}.")
    return names


def is_study(values: Mapping[str, Any], dry_run: bool = False) -> bool:
    """Whether what was asked for is more than one run: several methods or protocols, or an engine to do the cells."""
    methods, protocols = names_of(values.get("method"), "method"), names_of(values.get("protocol"), "protocol")
    asked = any(values.get(key) is not None and values.get(key) is not False for key in KEYS)
    return dry_run or asked or len(methods) > 1 or len(protocols) > 1 or methods == (ALL,)


def requests_of(values: Mapping[str, Any], registry: Registry) -> list[RunRequest]:
    """Return a request for each method on each protocol, protocol by protocol; UsageError for a name that is none."""
    methods = names_of(values.get("method"), "method")
    protocols: Sequence[str | None] = names_of(values.get("protocol"), "protocol") or (None,)
    rest = {key: value for key, value in values.items() if key not in ("method", "protocol", *KEYS)}
    if not methods:
        raise UsageError("No method is named; give --method, for example --method dch,itq or --method all.")
    _require_names(methods, protocols, rest, registry)
    found = []
    for protocol in protocols:
        names = every_method(protocol, values.get("dataset"), registry) if methods == (ALL,) else methods
        given = {**rest, **({"protocol": protocol} if protocol else {})}
        found += [merge({}, {**given, "method": name}) for name in names]
    return found


def study_of(values: Mapping[str, Any], registry: Registry) -> tuple[list[RunRequest], str]:
    """Return the requests of a study, each with the settings that are for its method, and what is to be said of them.

    Settings of all methods are left out where a method has none such; those of one method are taken as they are.
    """
    requests, note = without_absent_recipes(requests_of(values, registry), registry)
    return _with_own_settings(requests, values.get(SET_FOR) or {}, registry), note


def _require_names(
    methods: Sequence[str], protocols: Sequence[str | None], rest: Mapping[str, Any], registry: Registry
) -> None:
    """Raise UsageError for the first name that is not registered, before anything is planned with it."""
    if ALL in methods and len(methods) > 1:
        raise UsageError(f"{ALL!r} means every method that takes the data; give it alone; got {','.join(methods)!r}.")
    named = [("method", name) for name in methods if name != ALL]
    named += [(key, rest[key]) for key in NAMED if isinstance(rest.get(key), str)]
    for key, name in named:
        registry.get(NAMED[key], name)
    for protocol in protocols:
        if protocol is not None:
            registry.protocol(protocol)


def _with_own_settings(
    requests: Sequence[RunRequest], own: Mapping[str, Mapping[str, Any]], registry: Registry
) -> list[RunRequest]:
    """Return the requests, each with the settings that are for its method alone; they win over those of all."""
    given = {registry.listed("methods", name): flatten(settings) for name, settings in own.items()}
    there = {registry.listed("methods", request.method) for request in requests}
    for name in given:
        if name not in there:
            raise UsageError(
                f"[{SET_FOR}.{name}] is for a method that is not in the study; name one of {_words(there)}."
            )
    return [
        replace(request, settings={**request.settings, **given.get(registry.listed("methods", request.method), {})})
        for request in requests
    ]


def below_the_command_line(own: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of single methods in a file without what the command line says otherwise.

    >>> below_the_command_line({"dch": {"lr": 1, "epochs": 2}, "itq": {}}, {"method": "dch", "settings": {"lr": 3}})
    {'dch': {'epochs': 2}}
    >>> below_the_command_line({"dch": {"lr": 1}}, {"method": "hashzoo-dch:dch", "settings": {}})
    {'dch': {'lr': 1}}
    """
    methods = names_of(given.get("method"), "method")
    return {
        name: {key: value for key, value in flatten(settings).items() if key not in given["settings"]}
        for name, settings in own.items()
        if not methods or methods == (ALL,) or any(_may_be_same(name, asked) for asked in methods)
    }


def _may_be_same(name: str, other: str) -> bool:
    """Whether two names may be of one method: alike, one of them perhaps with its distribution in front."""
    bare = name.rpartition(":")[2] == other.rpartition(":")[2]
    return name == other or (bare and not (":" in name and ":" in other))


def without_absent_recipes(requests: Sequence[RunRequest], registry: Registry) -> tuple[list[RunRequest], str]:
    """Return a study's requests without settings of training where there is none, and a sentence that says where.

    Only in a study of several methods of which one is trained by gradients: else the setting can only be a mistake.
    """
    untrained = {r.method for r in requests if registry.get("methods", r.method).training != "gradient"}
    keys = {key for r in requests for key in r.settings if is_of_training(key)}
    if not keys or not untrained or all(request.method in untrained for request in requests):
        return list(requests), ""
    kept = [
        replace(request, settings={k: v for k, v in request.settings.items() if not is_of_training(k)})
        if request.method in untrained
        else request
        for request in requests
    ]
    return kept, f"Not trained by gradients, so without {_words(keys)}: {_words(untrained)}."


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
