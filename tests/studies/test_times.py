"""How long cells will take: told from records of the same set-up only."""

from __future__ import annotations

from typing import Any

import pytest

from hashzoo.plugins import registry
from hashzoo.results.config import RunConfig
from hashzoo.results.record import Record
from hashzoo.runner.plan import resolve
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run
from hashzoo.studies.times import earlier_records, times_of


def config(method: str = "greedyhash", epochs: int = 2, **changed: Any) -> RunConfig:
    asked = {"protocol": "digits-1k", "settings": {"epochs": epochs}, **changed}
    return resolve(RunRequest(method, **asked), registry()).config


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Two epochs of greedyhash: 3 s of training and 1 s of all else."""
    out = tmp_path_factory.mktemp("runs")
    run(RunRequest("greedyhash", protocol="digits-1k", bits=(8,), settings={"epochs": 2}, out=out))
    (found,) = earlier_records(out)
    assert set(found.timings) == {"train", "encode", "evaluate"}
    return found.model_copy(update={"timings": {"train": 3.0, "encode": 0.25, "evaluate": 0.75}})


def test_the_same_set_up_takes_as_long(record: Record) -> None:
    times = times_of([record, record.model_copy(update={"timings": {"train": 5.0}})])
    assert times.of(config()) == pytest.approx((3 + 1 + 5) / 2)
    assert times.of(config("hashzoo-greedyhash:greedyhash")) == pytest.approx(4.5)  # another word for the same
    assert times.of(config(protocol=None, dataset="digits")) == pytest.approx(4.5)


def test_other_epochs_are_scaled_in_training_alone(record: Record) -> None:
    assert times_of([record]).of(config(epochs=20)) == pytest.approx(3 * 20 / 2 + 1)


def test_nothing_is_known_of_another_method_data_backbone_or_regime(record: Record) -> None:
    times = times_of([record])
    others = [
        config("dch"),
        config(protocol="cifar10-5k"),
        config(validation=0.2),
        config(backbone="pixels"),
        config(freeze_backbone=True),
    ]
    assert [times.of(other) for other in others] == [None] * len(others)
    assert times_of([]).of(config()) is None
