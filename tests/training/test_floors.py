"""The floors: what they are, what their trainer does, and where chance and random projections end up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from hashzoo.models.floor_layers import build_lsh
from hashzoo.models.hash_model import HashModel
from hashzoo.specs import HashOutput, Problem, Recipe
from hashzoo.testing import conformance
from hashzoo.testing.toy import subject_of
from hashzoo.training import references as builtin
from hashzoo.training.checkpoints import Checkpoints
from hashzoo.training.fit_once import ENCODE_BATCH, build_fit_once
from hashzoo.training.job import TrainData, TrainJob
from hashzoo.training.no_loss import build_no_loss

test_random = conformance("random")
test_random_cross_modal = conformance("random-cross-modal")
test_lsh = conformance("lsh")
test_uncoded = conformance("uncoded")

FLOORS = {method.name: method for method in builtin.hashzoo_register_methods()}
PROBLEM = Problem(bits=8, num_classes=2, num_train=10)


class Doubled(nn.Module):
    """A backbone with dropout, whose evaluation mode can be told from its training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(2.0 * x)


class Fitted(nn.Module):
    """A hash layer that notes what it is fitted on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []
        self.drawn: list[float] = []

    def fit(self, features: torch.Tensor) -> None:
        self.seen.append(features)
        self.drawn.append(torch.rand(()).item())

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x.sign()


def make_job(layer: nn.Module, n: int, seed: int = 0) -> TrainJob:
    inputs = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    table = {"image": np.concatenate([inputs, np.full((5, 2), -1.0, np.float32)])}  # five rows are not train rows
    return TrainJob(
        model=HashModel({"image": Doubled()}, {"image": layer}),
        loss=build_no_loss(PROBLEM),
        data=TrainData(table, np.zeros((n, 2)), np.arange(n)),
        problem=PROBLEM,
        recipe=Recipe(epochs=1, batch_size=1, lr=0.0),
        seed=seed,
        accelerator=Accelerator(cpu=True),
        checkpoints=Checkpoints(Path("nowhere")),
        report=lambda epoch, terms: None,
    )


def test_fit_is_called_once_with_the_train_features_in_order() -> None:
    layer = Fitted()
    n = ENCODE_BATCH + 7
    build_fit_once().fit(make_job(layer, n))
    (features,) = layer.seen
    assert torch.equal(features, 2.0 * torch.arange(2.0 * n).reshape(n, 2))  # and without dropout
    assert not features.requires_grad


def test_draws_of_fit_depend_on_the_seed_alone() -> None:
    first, again, other = Fitted(), Fitted(), Fitted()
    build_fit_once().fit(make_job(first, 4, seed=1))
    torch.rand(5)
    build_fit_once().fit(make_job(again, 4, seed=1))
    build_fit_once().fit(make_job(other, 4, seed=2))
    assert first.drawn == again.drawn
    assert first.drawn != other.drawn


def test_a_layer_without_fit_is_left_alone() -> None:
    layer = nn.Linear(2, 2)

    class Closed(TrainData):
        def inputs(self, modality: str, index: torch.Tensor) -> torch.Tensor:
            raise AssertionError("the train split was read for nothing")

    job = make_job(layer, 4)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    build_fit_once().fit(
        replace(job, data=Closed({"image": np.zeros((4, 2), np.float32)}, np.zeros((4, 2)), np.arange(4)))
    )
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_lsh_projects_what_is_left_after_the_mean_of_the_train_features() -> None:
    torch.manual_seed(0)
    layer = build_lsh(2, PROBLEM)
    job = make_job(layer, 9)
    build_fit_once().fit(job)
    features = 2.0 * np.arange(18, dtype=np.float64).reshape(9, 2)
    with torch.no_grad():
        got = job.model("image", job.data.inputs("image", torch.arange(9))).relaxed.numpy()
    assert got == pytest.approx((features - features.mean(axis=0)) @ layer.projection.double().numpy(), abs=1e-4)


def test_the_empty_loss_has_nothing() -> None:
    loss = build_no_loss(PROBLEM)
    z = torch.zeros(2, 8)
    assert loss(HashOutput(z, z, z), Any) == {}
    assert not list(loss.parameters())


def test_what_the_floors_are() -> None:
    for method in FLOORS.values():
        assert method.floor
        assert method.supervision == "none"
        assert (method.trainer, method.loss) == ("fit-once", "none")
    assert (FLOORS["uncoded"].coded, FLOORS["uncoded"].ranking) == (False, "cosine")
    assert all(method.coded for name, method in FLOORS.items() if name != "uncoded")


@pytest.mark.parametrize("name", ["random", "random-cross-modal"])
def test_random_codes_are_at_chance(name: str) -> None:
    subject = subject_of(name)
    table, database = subject.splits.table, subject.splits.database
    share = float((table.labels[subject.splits.query] @ table.labels[database].T > 0).mean())
    found = [subject.map(subject.train(seed=seed).model) for seed in range(3)]
    assert np.mean(found) == pytest.approx(share, abs=0.03)
    assert len(set(found)) == 3


def test_lsh_lies_between_chance_and_the_features_themselves() -> None:
    # with many bits random projections keep the angles, so that LSH comes near the uncoded cosine
    few, many, uncoded = subject_of("lsh", bits=8), subject_of("lsh", bits=512), subject_of("uncoded")
    values = [subject.map(subject.train().model) for subject in (few, many, uncoded)]
    assert 0.25 < values[0] < values[1]
    assert values[1] == pytest.approx(values[2], abs=0.05)
