"""The result record: what one run at one bit length and seed measured, and all that doing it again needs.

A record is a JSON file written by hashzoo only. `record_sha256` covers everything else in the file, so that
a value changed by hand is noticed; it protects against mistakes and not against forgery.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from hashzoo.errors import WorkError
from hashzoo.files import json_sha256, read_text, write_text
from hashzoo.results.config import CellConfig, Json, Regime, config_from_schema_1

SCHEMA_VERSION = 2
"""Version of the record's fields; older ones are brought up by `MIGRATIONS` when read."""

Raw = dict[str, Any]

MIGRATIONS: Mapping[int, Callable[[Raw], Raw]] = {
    1: lambda raw: {**raw, "config": config_from_schema_1(raw["config"])},
}
"""Per schema version the function that turns its fields into those of the next version."""

VOLATILE = ("created", "timings", "record_sha256")
"""Fields in which two records of the same result on the same machine may differ."""


def defined(values: Mapping[str, float | None]) -> dict[str, float]:
    """Return the metrics that have a value: None and NaN (undefined) are left out; no record holds them.

    >>> defined({"map": 0.5, "precision@h2": float("nan"), "recall@h2": None})
    {'map': 0.5}
    """
    return {name: float(value) for name, value in values.items() if value is not None and not math.isnan(value)}


def now_utc() -> str:
    """Return the time as the record writes it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class PluginInfo(BaseModel):
    """The plugin that brought a component: its distribution, version and the sha256 of its files.

    `editable`: it was run from a working copy, which is not what anybody else gets under that version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    distribution: str
    version: str
    sha256: str
    editable: bool = False


class Record(BaseModel):
    """What one run at one (bits, seed) measured.

    `bits` is 0 where the features themselves are ranked. `backbone` maps modality to name. `regime` is
    "finetune", "frozen", "scratch", or "none" where nothing is trained. `floor` marks baselines that stay
    on every board. `metrics` is flat; with several pairs of modalities a name is prefixed
    ("image-to-text/map"). `curves` are lists of points. `config` is the resolved configuration; `plugins`
    maps "method", "dataset" and component kinds to the plugin that brought them. `table_sha256` is the fingerprint of
    the data set's content, `weights` the sha256 of the weights that a backbone started from, by modality. `headline`
    is the protocol's main metric. `origin_sha256` is, in a record accepted into the leaderboards, the `record_sha256`
    of the run's own record. `created` is ISO 8601 in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    _path: Path | None = PrivateAttr(default=None)

    schema_version: Literal[2] = 2
    method: str = Field(min_length=1)
    floor: bool
    protocol: str = Field(min_length=1)
    dataset: str = Field(min_length=1)
    backbone: dict[str, str]
    frozen: bool
    regime: Regime
    bits: int = Field(ge=0)
    seed: int = Field(ge=0)
    metrics: dict[str, float]
    curves: Json = Field(default_factory=dict)
    config: CellConfig
    plugins: dict[str, PluginInfo]
    versions: dict[str, str]
    environment: Json
    timings: dict[str, float]
    codes_sha256: str
    split_sha256: str
    table_sha256: str = ""
    weights: dict[str, str] = Field(default_factory=dict)
    convention: str
    ties: str
    headline: str
    created: str
    notes: list[str] = Field(default_factory=list)
    origin_sha256: str = ""
    evidence: dict[str, str] = Field(default_factory=dict)
    record_sha256: str = ""

    @field_validator("created")
    @classmethod
    def _created_is_utc(cls, value: str) -> str:
        if datetime.fromisoformat(value).utcoffset() != timedelta(0):
            raise ValueError("must be a time in UTC, as in 2030-01-31T12:00:00+00:00")
        return value

    @field_validator("curves")
    @classmethod
    def _curves_are_lists(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, points in value.items():
            if not isinstance(points, list):
                raise ValueError(f"curve {name!r} must be a list of points")
        return value

    @property
    def path(self) -> Path | None:
        """The file the record was read from or written to, None for one that is only in memory."""
        return self._path

    @property
    def backbone_name(self) -> str:
        """The backbones of all modalities as one name, such as "cnn-f+text-mlp"; each name once."""
        return "+".join(dict.fromkeys(self.backbone.values()))

    @property
    def collapsed(self) -> bool:
        """Whether a note says that the codes collapsed: most items on one code, or half of the bits never changing."""
        from hashzoo.evaluation.code_quality import is_collapse

        return any(map(is_collapse, self.notes))

    @property
    def headlines(self) -> dict[str, float]:
        """The value of the protocol's main metric in every direction that was measured, under the record's names."""
        return {name: value for name, value in self.metrics.items() if name.rpartition("/")[2] == self.headline}

    def _repr_html_(self) -> str:
        """Return the record as a table for a notebook."""
        from hashzoo.results.summary import record_html

        return record_html(self)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4f}" for name, value in self.headlines.items())
        return f"<Record {self.method} on {self.protocol}, {self.bits} bits, seed {self.seed}: {values}>"

    def __str__(self) -> str:
        return repr(self)

    def sealed(self) -> Record:
        """Return the record with its `record_sha256` filled in."""
        return self.model_copy(update={"record_sha256": seal(self.model_dump(mode="json"))})

    def at(self, path: Path) -> Record:
        """Return the record with the file that holds it."""
        copied = self.model_copy()
        copied._path = path
        return copied


def protocol_key(record: Record) -> tuple[str, str, str, str]:
    """Return protocol, split, convention and tie rule: records that differ in one of them are never compared."""
    return (record.protocol, record.split_sha256, record.convention, record.ties)


def seal(fields: Mapping[str, Any]) -> str:
    """Return the sha256 over a record's fields but `record_sha256`."""
    return json_sha256({key: value for key, value in fields.items() if key != "record_sha256"})


def same_result(one: Record, other: Record) -> bool:
    """Whether two records say the same but for time stamps and timings."""
    a, b = (record.model_dump(mode="json") for record in (one, other))
    return all(a[key] == b[key] for key in a if key not in VOLATILE)


def pretty_json(value: Any, depth: int = 0) -> str:
    """Return JSON with one line per entry of a mapping, in order, and each list on one line."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    pad = " " * (depth + 1)
    entries = (f"{pad}{json.dumps(str(k), ensure_ascii=False)}: {pretty_json(v, depth + 1)}" for k, v in value.items())
    return "{\n" + ",\n".join(entries) + "\n" + " " * depth + "}"


def write_record(path: Path, record: Record) -> Record:
    """Write a record through a temporary name, with its `record_sha256`, and return it as written.

    The record is validated again, so that a mapping changed after it was built cannot bring NaN into a file.
    Raises WorkError when the file cannot be written or a value does not fit.
    """
    try:
        checked = Record.model_validate(record.model_dump()).sealed()
    except ValidationError as error:
        raise WorkError(f"The record for {path} cannot be written: {_first_fault(error)}.") from error
    write_text(path, pretty_json(checked.model_dump(mode="json")) + "\n")
    return checked.at(path)


def read_record(path: Path) -> Record:
    """Read and check a record; records of older schemas are brought up to the present one.

    Raises WorkError, naming the file, for one that is missing, cut short, changed by hand, of a newer
    schema, or without a field.
    """
    raw = _parse(path, read_text(path))
    version = raw.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or "record_sha256" not in raw:
        raise WorkError(f"{path} is not a record of hashzoo: schema_version or record_sha256 is missing; leave it out.")
    if version > SCHEMA_VERSION:
        raise WorkError(
            f"{path} has record schema {version} and this hashzoo reads up to {SCHEMA_VERSION}; upgrade hashzoo."
        )
    if raw["record_sha256"] != seal(raw):
        raise WorkError(
            f"{path} was changed after hashzoo wrote it (its record_sha256 does not match); restore the file "
            "or run the cell again with --overwrite always."
        )
    try:
        migrated = migrate(raw, MIGRATIONS, SCHEMA_VERSION)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WorkError(
            f"{path} lacks what a record of schema {version} has ({type(error).__name__}: {error}); run the cell again "
            "with --overwrite always."
        ) from error
    if migrated is None:
        raise WorkError(
            f"{path} has record schema {version}, which no release wrote; run the cell again with --overwrite always."
        )
    try:
        return Record.model_validate(migrated).at(path)
    except ValidationError as error:
        raise WorkError(
            f"{path} is not a valid record: {_first_fault(error)}; run the cell again with --overwrite always."
        ) from error


def migrate(raw: Raw, migrations: Mapping[int, Callable[[Raw], Raw]], target: int) -> Raw | None:
    """Bring a record's fields from their schema to `target`, sealing anew; None where a step is missing."""
    version = raw["schema_version"]
    if version == target:
        return raw
    while version < target:
        if version not in migrations:
            return None
        raw = {**migrations[version](raw), "schema_version": version + 1}
        version += 1
    return {**raw, "record_sha256": seal(raw)}


def _parse(path: Path, text: str) -> Raw:
    def refuse(constant: str) -> NoReturn:
        raise WorkError(f"{path} holds {constant}, which no record does; run the cell again with --overwrite always.")

    try:
        raw = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise WorkError(
            f"{path} is not complete JSON ({error}); it was cut short or damaged: restore it, or run the cell "
            "again with --overwrite always."
        ) from error
    if not isinstance(raw, dict):
        raise WorkError(f"{path} is not a record of hashzoo: it holds no JSON object; leave it out.")
    return raw


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    where = ".".join(str(part) for part in fault["loc"]) or "record"
    return f"{where}: {fault['msg'][:1].lower()}{fault['msg'][1:]}{more}"
