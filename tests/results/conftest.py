from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hashzoo.results.record import Record, write_record


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
            "config": {"method": method, "recipe": {"lr": 0.001}, "bits": bits, "seed": seed},
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
        return Record(**{**fields, **changed})

    return build


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Path]:
    """Write records as run directories below a folder and return it."""

    def write(*records: Record, folder: str = "runs") -> Path:
        for number, record in enumerate(records):
            write_record(tmp_path / folder / f"run-{number}" / "record.json", record)
        return tmp_path / folder

    return write
