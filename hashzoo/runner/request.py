"""What a user asks for: the options of `hashzoo run`, from the command line, a TOML file or Python."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hashzoo.errors import UsageError, unknown_name

OVERWRITE = ("never", "missing", "always")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
TEXTS = (
    "method", "dataset", "protocol", "weights", "loss", "hash_layer", "ties", "convention", "device", "precision",
    "overwrite",
)  # fmt: skip
LISTS = ("metrics", "evaluators", "track")
MAX_BITS = 65_536
"""Longest code; no published one is longer, and a typing mistake is not to fill the memory."""


@dataclass(frozen=True)
class RunRequest:
    """One `hashzoo run`; None means "what the method, dataset or protocol says".

    `backbone` is a name for all modalities or {modality: name}; `settings` are dotted options such as
    {"lr": 1e-4, "loss.gamma": 20}; `validation` > 0 measures on that share of the train split instead of the queries.
    """

    method: str
    dataset: str | None = None
    protocol: str | None = None
    bits: tuple[int, ...] | None = None
    seeds: tuple[int, ...] = (0,)
    backbone: str | Mapping[str, str] | None = None
    freeze_backbone: bool = False
    weights: str | None = None
    loss: str | None = None
    hash_layer: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    validation: float = 0.0
    metrics: tuple[str, ...] | None = None
    evaluators: tuple[str, ...] | None = None
    ties: str = "expected"
    convention: str = "hashzoo"
    device: str = "auto"
    precision: str = "auto"
    out: Path = Path("runs")
    resume: bool = True
    overwrite: str = "missing"
    track: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.out, (str, Path)):
            raise UsageError(f"out must be the path of a folder; got {self.out!r}.")
        object.__setattr__(self, "out", Path(self.out))
        for name in ("bits", "seeds", *LISTS):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, tuple(value) if isinstance(value, (tuple, list, range)) else (value,))
        self._check_kinds()
        self._check()

    def _check_kinds(self) -> None:
        for name in TEXTS:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise UsageError(f"{name} must be a text that is not empty; got {value!r}.")
        for name in LISTS:
            value = getattr(self, name)
            if value is not None and not all(isinstance(part, str) and part for part in value):
                raise UsageError(f"{name} must be a list of names; got {list(value)!r}.")
        for name in ("freeze_backbone", "resume"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} must be true or false; got {getattr(self, name)!r}.")
        named = self.backbone.values() if isinstance(self.backbone, Mapping) else (self.backbone,)
        if self.backbone is not None and not all(isinstance(part, str) and part for part in named):
            raise UsageError(f"backbone must be a name, or a name for each modality; got {self.backbone!r}.")

    def _check(self) -> None:
        for bits in self.bits or ():
            if not isinstance(bits, int) or isinstance(bits, bool) or bits < 1:
                raise UsageError(
                    f"Bits must be positive integers such as 16,32,48,64 (in a TOML file [16, 32]); got {bits!r}."
                )
            if bits > MAX_BITS:
                raise UsageError(f"Bits must be at most {MAX_BITS:,}; got {bits}.")
        for seed in self.seeds:
            if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
                raise UsageError(f"Seeds must be integers from 0 up such as 0,1,2; got {seed!r}.")
        for name in ("bits", "seeds"):
            values = getattr(self, name)
            if values is not None and (not values or len(set(values)) != len(values)):
                raise UsageError(f"Give at least one of {name}, each once; got {list(values)}.")
        if self.overwrite not in OVERWRITE:
            raise unknown_name("overwrite mode", self.overwrite, OVERWRITE)
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        share = self.validation
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 <= share < 1.0:
            raise UsageError(
                f"--validation is the share of the train split held out, at least 0 and below 1; got {share!r}."
            )


def parse_value(text: str) -> Any:
    """Read the right side of `--set key=value` as a TOML value; what is none is taken as text.

    >>> parse_value("1e-4"), parse_value("true"), parse_value("[1, 2]"), parse_value("cosine")
    (0.0001, True, [1, 2], 'cosine')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def parse_assignments(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Read `--set` arguments `key=value`; a key given twice or without a value is refused."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not key.strip() or not value.strip():
            raise UsageError(f"--set takes key=value, for example --set loss.gamma=20; got {assignment!r}.")
        if key.strip() in settings:
            raise UsageError(f"--set {key.strip()} is given twice; give it once.")
        settings[key.strip()] = parse_value(value.strip())
    return settings


def parse_numbers(text: str, what: str) -> tuple[int, ...]:
    """Read a comma-separated list of integers such as "16,32,48,64".

    >>> parse_numbers("16, 32", "bits")
    (16, 32)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{what} must be integers separated by commas, for example "
            f"{'0,1,2' if what == 'Seeds' else '16,32,48,64'}; got {text!r}."
        ) from None


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested tables into dotted keys: {"loss": {"gamma": 20}} into {"loss.gamma": 20}."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def read_config(path: Path) -> dict[str, Any]:
    """Read a TOML file with the fields of RunRequest and a table [set] of dotted options."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"The configuration {path} cannot be read: {error.strerror}; give an existing TOML file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from None
    given = table.pop("set", {})
    if not isinstance(given, Mapping):
        raise UsageError(f"`set` in {path} must be a table, for example [set] and below it lr = 1e-4; got {given!r}.")
    settings = flatten(given)
    known = {f.name for f in fields(RunRequest)} - {"settings"}
    for key in table:
        if key not in known:
            raise unknown_name(f"run option (in {path})", key, {*known, "set"})
    return {**table, "settings": settings}


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
