"""CNNH's loss: worked values, and targets that follow the index."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from hashzoo import Batch, HashOutput, Problem, UsageError, build_loss

U = [[0.8, -0.4], [0.5, 0.3], [-0.7, 0.6], [0.1, -0.9]]
TARGETS = [[1, -1], [1, 1], [-1, -1], [1, -1]]


def forward(loss: torch.nn.Module, u: torch.Tensor, labels: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return loss(HashOutput(u, u, u.sign()), Batch({}, labels, index))["regression"]


@pytest.mark.parametrize(("regression", "value"), [("squared", 0.576250), ("sigmoid", 0.542347)])
def test_worked_values(regression: str, value: float) -> None:
    loss = build_loss("cnnh", Problem(2, 3, 4), regression=regression)
    loss.targets.copy_(torch.tensor(TARGETS))
    u = torch.tensor(U, dtype=torch.float64)
    found = forward(loss, u, torch.ones(4, 3), torch.arange(4))
    assert found.item() == pytest.approx(value, abs=1e-6)


def prepared(seed: int = 3, **options: object) -> tuple[torch.nn.Module, torch.Tensor]:
    labels = torch.eye(5)[torch.arange(60) % 5]
    labels[7] = 0.0
    loss = build_loss("cnnh", Problem(12, 5, 60), **options)
    loss.prepare(SimpleNamespace(labels=labels), seed)
    return loss, labels


@pytest.mark.parametrize("step", ["exact", "newton"])
def test_targets_follow_the_index_of_a_shuffled_batch(step: str) -> None:
    loss, labels = prepared(step=step)
    u = loss.targets.float()
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    assert forward(loss, u[order], labels[order], order).item() == 0.0
    assert forward(loss, u[order], labels[order], order.flip(0)).item() > 0.5


def test_targets_depend_on_the_seed_alone() -> None:
    torch.rand(3)
    first, _ = prepared(3)
    torch.rand(5)
    assert torch.equal(first.targets, prepared(3)[0].targets)
    assert not torch.equal(first.targets, prepared(4)[0].targets)
    fresh = build_loss("cnnh", Problem(12, 5, 60))
    fresh.load_state_dict(first.state_dict())
    assert torch.equal(fresh.targets, first.targets)


def test_images_without_a_label_do_not_count() -> None:
    loss, labels = prepared()
    u = loss.targets.float()
    u[7] = 9.0
    index = torch.tensor([6, 7, 8])
    assert forward(loss, u[index], labels[index], index).item() == 0.0
    assert forward(loss, u[7:8], labels[7:8], index[1:2]).item() == 0.0


@pytest.mark.parametrize("options", [{"sweeps": 0}, {"step": "gradient"}, {"regression": "hinge"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        build_loss("cnnh", Problem(4, 3, 10), **options)
