"""The configuration of a run as it stands in a record: one versioned model, checked when written and when read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hashzoo.files import canonical_json, json_sha256
from hashzoo.specs import Problem, Recipe

Regime = Literal["finetune", "frozen", "scratch", "none"]


def _plain_json(value: Any) -> Any:
    return json.loads(canonical_json(value))


Json = Annotated[dict[str, Any], BeforeValidator(_plain_json)]
"""A mapping that is JSON: tuples become lists; what JSON cannot hold (a path, NaN) is refused."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Part(_Model):
    """A registered thing by name, with the options it is built with."""

    name: str = Field(min_length=1)
    options: Json = Field(default_factory=dict)


class Evaluation(_Model):
    """How codes are evaluated; `metrics` None: all that the evaluators give."""

    evaluators: tuple[str, ...] = ("retrieval", "code_quality")
    metrics: tuple[str, ...] | None = None
    ties: str = "expected"
    convention: str = "hashzoo"


class RunConfig(_Model):
    """All that is needed to do a run again.

    `roles` maps each modality of the dataset to the method's role that it takes. `recipe`, `loss` and `trainer` are
    there for training by gradients, `fitter` for a closed form. `settings_source` says where recipe and options come
    from, and `tuned` how they were searched for ("30 trials"; "": they are the plugin's). `protocol_label` is the
    protocol's id, with "-validation" where a part of the train split was measured on.
    """

    version: Literal[2] = 2
    method: str = Field(min_length=1)
    training: Literal["gradient", "fit", "none"] = "gradient"
    supervision: Literal["supervised", "unsupervised"] = "supervised"
    database: Literal["hidden", "inputs", "labels"] = "hidden"
    ranking: Literal["hamming", "inner_product", "cosine"] = "hamming"
    dataset: Part
    protocol: str = Field(min_length=1)
    protocol_label: str = Field(min_length=1)
    validation: float = Field(default=0.0, ge=0.0, lt=1.0)
    roles: dict[str, str]
    backbones: dict[str, Part]
    freeze_backbone: bool
    regime: Regime
    hash_layer: Part
    loss: Part | None = None
    trainer: Part | None = None
    fitter: Part | None = None
    recipe: Recipe | None = None
    settings_source: str = ""
    tuned: str = ""
    evaluation: Evaluation = Evaluation()

    def trained_by(self) -> dict[str, Any]:
        """Return, as JSON, the part that decides what was trained: without data, place and evaluation."""
        left_out = {"dataset", "protocol", "protocol_label", "validation", "evaluation", "settings_source"}
        return self._without(left_out | CELL_FIELDS)

    def upstream(self) -> dict[str, Any]:
        """Return, as JSON, all that decides the codes: everything but how they are evaluated."""
        return self._without({"evaluation", "settings_source"} | CELL_FIELDS)

    def _without(self, fields: set[str]) -> dict[str, Any]:
        """Return the rest as JSON; what was not tuned is what it was before there was tuning."""
        return self.model_dump(mode="json", exclude=fields if self.tuned else fields | {"tuned"})

    @property
    def config_hash(self) -> str:
        """First 8 hex digits of the sha256 of `upstream`; part of the run directory's name."""
        return json_sha256(self.upstream())[:8]


CELL_FIELDS = {"precision", "bits", "seed", "problem", "input_shapes"}
"""What a cell's configuration has beside its run's."""


class CellConfig(RunConfig):
    """The configuration of one (bits, seed): the run's, with precision, what the builders knew, and input shapes."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    bits: int = Field(ge=0)
    seed: int = Field(ge=0)
    problem: Problem
    input_shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)


def config_from_schema_1(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a record of schema 1 in the present form."""
    new = {key: value for key, value in old.items() if key not in ("supervision", "loss", "trainer", "recipe")}
    untrained = old.get("supervision") == "none"
    if untrained and old["hash_layer"]["name"] == "lsh":
        new["hash_layer"] = {"name": "projection", "options": {}}  # the layer's name today
    new["supervision"] = "unsupervised" if untrained else old.get("supervision", "supervised")
    if untrained:
        fitted = old["hash_layer"]["name"] == "lsh"
        new["training"] = "fit" if fitted else "none"
        new["fitter"] = {"name": "lsh", "options": {}} if fitted else None
    else:
        new["training"] = "gradient"
        new |= {key: old[key] for key in ("loss", "trainer", "recipe") if key in old}
    modalities = list(old.get("backbones", {}))
    defaults = {
        "protocol_label": old.get("protocol", ""),
        "roles": {name: name for name in modalities},
        "problem": {
            "bits": max(1, int(old.get("bits", 1))), "num_classes": 1, "num_train": 1, "modalities": modalities,
        },
    }  # fmt: skip
    return {**defaults, **new, "version": 2}
