"""What a user asks of a study: lists of methods and protocols beside the options of a run, and who does the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashzoo.errors import UsageError
from hashzoo.plugins import Registry
from hashzoo.runner.plan import check_component
from hashzoo.runner.request import RunRequest, merge, parse_value
from hashzoo.studies.grid import every_method
from hashzoo.studies.task import Engine

KEYS = ("workers", "engine", "keep_going")
"""What a study has beside the options of a run."""

ALL = "all"
"""In place of methods: all that take as many modalities as the data have."""


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
    name, _, rest = (engine or "local").partition(":")
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
    """Return a request for each method on each protocol, protocol by protocol."""
    methods = names_of(values.get("method"), "method")
    protocols: Sequence[str | None] = names_of(values.get("protocol"), "protocol") or (None,)
    rest = {key: value for key, value in values.items() if key not in ("method", "protocol", *KEYS)}
    if not methods:
        raise UsageError("No method is named; give --method, for example --method dch,itq or --method all.")
    found = []
    for protocol in protocols:
        names = every_method(protocol, values.get("dataset"), registry) if methods == (ALL,) else methods
        given = {**rest, **({"protocol": protocol} if protocol else {})}
        found += [merge({}, {**given, "method": name}) for name in names]
    return found
