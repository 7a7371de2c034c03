from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hashzoo.results.record import Record, write_record

LAYERS = {"lsh": "projection", "uncoded": "uncoded", "random": "random-codes"}
RECIPE = {"epochs": 1, "batch_size": 48, "lr": 0.001}


def whole_config(fields: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return a whole configuration from the parts of it that a test cares about."""
    roles = {name: name for name in fields["backbone"]}
    recipe = {"recipe": {**RECIPE, **given["recipe"]}} if given.get("recipe") is not None else {}
    plain = {
        "method": fields["method"],
        "dataset": {"name": fields["dataset"], "options": {}},
        "protocol": fields["protocol"],
        "protocol_label": fields["protocol"],
        "roles": roles,
        "backbones": {m: {"name": name, "options": {}} for m, name in fields["backbone"].items()},
        "freeze_backbone": fields["frozen"],
        "regime": fields["regime"],
        "hash_layer": {"name": LAYERS.get(fields["method"], "tanh"), "options": {}},
        "problem": {"bits": fields["bits"] or 1, "num_classes": 10, "num_train": 5000, "modalities": list(roles)},
        "bits": fields["bits"],
        "seed": fields["seed"],
    }
    return {**plain, **given, **recipe}


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """Build a record from a few fields; the others have plain values."""

    def build(method: str = "dch", bits: int = 16, seed: int = 0, **changed: Any) -> Record:
        fields: dict[str, Any] = {
            "method": method,
            "floor": False,
            "protocol": "cifar10-5k-disjoint",
            "dataset": "cifar10",
            "backbone": {"image": "alexnet"},
            "frozen": False,
            "regime": "finetune",
            "bits": bits,
            "seed": seed,
            "metrics": {"map": 0.5},
            "config": {},
            "plugins": {},
            "versions": {"hashzoo": "0.1.0"},
            "environment": {"system": "Linux x86_64"},
            "timings": {"train": 1.5},
            "codes_sha256": f"{method}-{bits}-{seed}",
            "split_sha256": "f" * 64,
            "convention": "hashzoo",
            "ties": "expected",
            "headline": "map",
            "created": "2030-01-31T12:00:00+00:00",
        }
        fields |= changed
        if isinstance(fields["config"], dict):
            fields["config"] = whole_config(fields, fields["config"])
        return Record(**fields)

    return build


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Path]:
    """Write records as run directories below a folder and return it."""

    def write(*records: Record, folder: str = "runs") -> Path:
        for number, record in enumerate(records):
            write_record(tmp_path / folder / f"run-{number}" / "record.json", record)
        return tmp_path / folder

    return write
