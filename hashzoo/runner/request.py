"""What a user asks for: the options of `hashzoo run`, from the command line, a TOML file or Python."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt, MinLen

from hashzoo.declared import check_fields, fits
from hashzoo.errors import UsageError, unknown_name

MAX_BITS = 65_536
"""Longest code; no published one is longer, and a typing mistake is not to fill the memory."""

Name = Annotated[str, MinLen(1)]
Names = tuple[Name, ...]


@dataclass(frozen=True)
class RunRequest:
    """One `hashzoo run`; None means "what the method, dataset or protocol says".

    `backbone` is a name for all modalities or {modality: name}; `settings` are dotted options such as
    {"lr": 1e-4, "loss.gamma": 20}; `tuned` is a file of `hashzoo tune` whose choice is used;
    `validation` > 0 measures on that share of the train split instead of the queries.
    """

    method: Name
    dataset: Name | None = None
    protocol: Name | None = None
    bits: tuple[Annotated[int, Ge(1), Le(MAX_BITS)], ...] | None = field(
        default=None,
        metadata={
            "is": f"positive integers such as 16,32,48,64 (in a TOML file [16, 32]), at most {MAX_BITS:,}",
            "says": "Bits",
        },
    )
    seeds: tuple[Annotated[int, Ge(0)], ...] = field(
        default=(0,),
        metadata={"is": "integers from 0 up such as 0,1,2", "says": "Seeds"},
    )
    backbone: Name | Mapping[str, Name] | None = field(
        default=None,
        metadata={"is": "a name, or a name for each modality"},
    )
    freeze_backbone: bool = False
    weights: Name | None = None
    loss: Name | None = None
    hash_layer: Name | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    tuned: Path | None = field(default=None, metadata={"is": "the path of a file of hashzoo tune"})
    validation: Annotated[float, Ge(0), Lt(1)] = field(
        default=0.0,
        metadata={"is": "the share of the train split held out, at least 0 and below 1", "says": "--validation"},
    )
    metrics: Names | None = field(
        default=None,
        metadata={"is": "a list of names"},
    )
    evaluators: Names | None = field(
        default=None,
        metadata={"is": "a list of names"},
    )
    ties: Name = "expected"
    convention: Name = "hashzoo"
    device: Name = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: Annotated[int, Ge(0)] = 0
    out: Path = field(
        default=Path("runs"),
        metadata={"is": "the path of a folder"},
    )
    resume: bool = True
    overwrite: Literal["never", "missing", "always"] = field(default="missing", metadata={"kind": "overwrite mode"})
    track: Names = field(
        default=(),
        metadata={"is": "a list of names"},
    )

    def __post_init__(self) -> None:
        if isinstance(self.out, str):
            object.__setattr__(self, "out", Path(self.out))
        if isinstance(self.tuned, str):
            object.__setattr__(self, "tuned", Path(self.tuned))
        for name in (*NUMBERS, *NAMES):
            object.__setattr__(self, name, listed(getattr(self, name)))
        check_fields(self)
        for name in NUMBERS:
            values = getattr(self, name)
            if values is not None and (not values or len(set(values)) != len(values)):
                raise UsageError(f"Give at least one of {name}, each once; got {list(values)}.")

    @property
    def label(self) -> str:
        """The run in words, bits and seed being the first."""
        bits = f"{self.bits[0]} bits" if self.bits else "features"
        where = self.protocol or self.dataset or "the default data"
        return f"{self.method} on {where}, {bits}, seed {self.seeds[0]}"

    def do(self, threads: int = 0, wait: bool = True) -> None:
        """Make the records as a task of a study, with `threads` of torch where a number is given.

        What its data and backbone gave stays in memory for the next task of this process. Without `wait`, a cell that
        another process works on is `BusyError`.
        """
        from hashzoo.runner.run import run
        from hashzoo.runner.shelf import OF_TASKS

        if threads:
            import torch

            torch.set_num_threads(threads)
        run(self, shelf=OF_TASKS, wait=wait)


NUMBERS, NAMES = ("bits", "seeds"), ("metrics", "evaluators", "track")
"""Fields that hold several numbers or names."""

MOST_NUMBERS = 100_000
"""A list of bits or seeds that is longer is a slip of the finger, and would take the memory."""


def parse_value(text: str) -> Any:
    """Read the right side of `--set key=value` as a TOML value; what is none is taken as text.

    >>> parse_value("1e-4"), parse_value("true"), parse_value("[1, 2]"), parse_value("cosine")
    (0.0001, True, [1, 2], 'cosine')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except RecursionError:
        raise UsageError(f"--set takes key=value, and {text[:40]!r}... is nested too deep; write it flatter.") from None


OF_RECIPE = "recipe."
"""May stand before an option of the recipe; settings are kept without it, so that each has one name."""


def parse_assignments(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Read `--set` arguments `key=value`; a key given twice or without a value is refused."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not key.strip() or not value.strip():
            raise UsageError(f"--set takes key=value, for example --set loss.gamma=20; got {assignment[:80]!r}.")
        name = key.strip().removeprefix(OF_RECIPE)
        if name in settings:
            raise UsageError(f"--set {name} is given twice; give it once.")
        settings[name] = parse_value(value.strip())
    return settings


def parse_numbers(text: str, what: str) -> tuple[int, ...]:
    """Read a comma-separated list of integers such as "16,32,48,64"; "0-2" stands for 0,1,2.

    >>> parse_numbers("16, 32", "Bits"), parse_numbers("0-2,5", "Seeds")
    ((16, 32), (0, 1, 2, 5))
    """
    try:
        parts = [
            [int(end) for end in part.split("-")] if "-" in part.strip()[1:] else [int(part)]
            for part in text.split(",")
        ]
        ranges = [range(part[0], part[-1] + 1) if len(part) == 2 else part for part in parts]
        if any(len(part) > 2 for part in parts) or not all(len(part) for part in ranges):
            raise ValueError
        if sum(part[-1] - part[0] for part in parts) > MOST_NUMBERS:
            raise UsageError(f"{what} {text[:60]} are more than {MOST_NUMBERS:,} numbers; give fewer.")
        return tuple(number for part in ranges for number in part)
    except ValueError:
        raise UsageError(
            f"{what} must be integers separated by commas, or ranges from the smaller to the larger, for example "
            f"{'0,1,2 or 0-2' if what == 'Seeds' else '16,32,48,64'}; got {text[:80]!r}."
        ) from None


def listed(value: Any) -> Any:
    """Return a list of values as a tuple, one value as a tuple of it, None as None."""
    if value is None or isinstance(value, tuple):
        return value
    return tuple(value) if isinstance(value, (list, range, set)) else (value,)


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested tables into dotted keys: {"loss": {"gamma": 20}} into {"loss.gamma": 20}; "recipe.lr" is "lr"."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[(prefix + key).removeprefix(OF_RECIPE)] = value
    return flat


Keys = Mapping[str, tuple[Any, str]]
"""Keys of a TOML file beside the fields of a request: of each its declared type and, in words, what it must be."""


def read_config(path: Path, also: Keys = MappingProxyType({})) -> dict[str, Any]:
    """Read a TOML file with the fields of RunRequest, those named in `also`, and a table [set] of dotted options.

    Texts of several values, such as bits = "16,32" and seeds = "0-2", are taken apart as on the command line.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"The configuration {path} cannot be read: {error.strerror}; give an existing TOML file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from None
    given = table.pop("set", {})
    if not isinstance(given, Mapping):
        raise UsageError(f"`set` in {path} must be a table, for example [set] and below it lr = 1e-4; got {given!r}.")
    known = {f.name for f in fields(RunRequest)} - {"settings"} | set(also)
    for key, value in table.items():
        if key not in known:
            raise unknown_name(f"run option (in {path})", key, {*known, "set"})
        if key in also and not fits(value, also[key][0]):
            raise UsageError(f"`{key}` in {path} must be {also[key][1]}; got {value!r:.200}.")
    return {**take_apart(table), "settings": flatten(given)}


def take_apart(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, texts of several numbers or names as tuples.

    >>> take_apart({"bits": "16,32", "seeds": "0-1", "metrics": "map, map@h2", "threads": 2})
    {'bits': (16, 32), 'seeds': (0, 1), 'metrics': ('map', 'map@h2'), 'threads': 2}
    """
    taken = dict(values)
    for name in NUMBERS:
        if isinstance(taken.get(name), str):
            taken[name] = parse_numbers(taken[name], name.capitalize())
    for name in NAMES:
        if isinstance(taken.get(name), str):
            taken[name] = tuple(part.strip() for part in taken[name].split(","))
    return taken


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> RunRequest:
    """Build a request from a file's values and those of the command line, which win; settings are merged by key."""
    settings = {**base.get("settings", {}), **over.get("settings", {})}
    values = {**base, **{k: v for k, v in over.items() if v is not None}, "settings": settings}
    if "method" not in values:
        raise UsageError("No method is named; give --method, for example --method greedyhash.")
    try:
        return RunRequest(**values)
    except TypeError as error:
        raise UsageError(f"The run's options do not fit together: {error}.") from None
