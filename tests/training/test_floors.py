"""The floors: what they are, what their trainer does, and where chance and random projections end up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hashzoo.errors import WorkError
from hashzoo.models.hash_layers import Projection
from hashzoo.models.hash_model import HashModel
from hashzoo.specs import Problem
from hashzoo.testing.toy import subject_of
from hashzoo.training import references as builtin
from hashzoo.training.fit import fit_layers
from hashzoo.training.job import WHOLE_BLOCK, TrainData
from hashzoo.training.reference_fitters import RandomProjection

FLOORS = {method.name: method for method in builtin.hashzoo_register_methods()}
PROBLEM = Problem(bits=8, num_classes=2, num_train=10)


class Doubled(nn.Module):
    """A backbone with dropout, whose evaluation mode can be told from its training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(2.0 * x)


class Fitted:
    """A fitter that notes what it is handed."""

    def __init__(self, state: dict[str, torch.Tensor] | None = None) -> None:
        self.seen: list[tuple[dict[str, torch.Tensor], torch.Tensor | None, int]] = []
        self.drawn: list[float] = []
        self.state = state or {"mean": torch.zeros(2), "weight": torch.ones(2, 8), "bias": torch.zeros(8)}

    def fit(self, features: Any, labels: Any, seed: int) -> dict[str, dict[str, torch.Tensor]]:
        self.seen.append((dict(features), labels, seed))
        self.drawn.append(torch.rand(()).item())
        return dict.fromkeys(features, self.state)


def fit(fitter: Any, n: int, seed: int = 0, hide: bool = False) -> HashModel:
    inputs = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    table = {"image": np.concatenate([inputs, np.full((5, 2), -1.0, np.float32)])}  # five rows are not train rows
    model = HashModel({"image": Doubled()}, {"image": Projection(2, PROBLEM)})
    data = TrainData(table, np.eye(2, dtype=np.uint8)[np.arange(n) % 2], np.arange(n), hide_labels=hide)
    fit_layers(model, fitter, data, seed)
    return model


def test_a_fitter_gets_the_train_features_in_order_and_the_labels() -> None:
    fitter, n = Fitted(), WHOLE_BLOCK + 7
    model = fit(fitter, n)
    ((features, labels, seed),) = fitter.seen
    assert torch.equal(features["image"], 2.0 * torch.arange(2.0 * n).reshape(n, 2))  # and without dropout
    assert not features["image"].requires_grad
    assert labels is not None
    assert labels[:3].tolist() == [[1, 0], [0, 1], [1, 0]]
    assert seed == 0
    assert model.hash_layers["image"].weight.tolist() == torch.ones(2, 8).tolist()


def test_hidden_labels_are_none() -> None:
    fitter = Fitted()
    fit(fitter, 4, hide=True)
    assert fitter.seen[0][1] is None


def test_what_a_fitter_draws_from_the_global_generator_depends_on_the_seed_alone() -> None:
    first, again, other = Fitted(), Fitted(), Fitted()
    fit(first, 4, seed=1)
    torch.rand(5)
    fit(again, 4, seed=1)
    fit(other, 4, seed=2)
    assert first.drawn == again.drawn
    assert first.drawn != other.drawn


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"mean": torch.zeros(2)}, "names and shapes are to be the same"),
        ({"mean": torch.zeros(2), "weight": torch.ones(2, 7), "bias": torch.zeros(8)}, "names and shapes"),
        ({"mean": torch.zeros(2), "weight": torch.full((2, 8), float("nan")), "bias": torch.zeros(8)}, "not finite"),
    ],
)
def test_state_that_does_not_fit_is_refused(state: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(WorkError, match=message):
        fit(Fitted(state), 4)


def test_lsh_projects_what_is_left_after_the_mean_of_the_train_features() -> None:
    model = fit(RandomProjection(PROBLEM), 9)
    features = 2.0 * np.arange(18, dtype=np.float64).reshape(9, 2)
    layer = model.hash_layers["image"]
    with torch.no_grad():
        got = model.eval()("image", torch.arange(18.0).reshape(9, 2)).relaxed.numpy()
    assert got == pytest.approx((features - features.mean(axis=0)) @ layer.weight.double().numpy(), abs=1e-4)


def test_what_the_floors_are() -> None:
    for method in FLOORS.values():
        assert method.floor
        assert method.supervision == "unsupervised"
        assert (method.loss, method.recipe) == ("", None)
    assert {name: method.training for name, method in FLOORS.items()} == {
        "random": "none", "random-cross-modal": "none", "lsh": "fit", "uncoded": "fit",
    }  # fmt: skip
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
