"""DPSH's loss against worked values, plain loops, and the life of its buffers."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from hashzoo import Batch, HashOutput, Problem, UsageError, build_loss

U = [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]]
FIFTH = [-0.3, 0.2, -0.5, 0.9]
SINGLE = [[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]]
SEVERAL = [[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0], [0, 0, 1], [0, 0, 0]]


def prepared(labels: object, n: int, **options: object) -> torch.nn.Module:
    labels = torch.tensor(labels)[:n]
    loss = build_loss("dpsh", Problem(4, 3, n, multilabel=True), **options).double()
    loss.prepare(SimpleNamespace(labels=labels), 0)
    return loss


def terms(loss: torch.nn.Module, u: torch.Tensor, rows: list[int]) -> dict[str, torch.Tensor]:
    index = torch.tensor(rows)
    return loss(HashOutput(u, u, u.detach().sign()), Batch({}, loss.last.labels[index].clone(), index))


@pytest.mark.parametrize(
    ("labels", "value", "third_row"),
    [
        (SINGLE, 3.357912, [0.399385, -0.519514, 1.030592, -0.772288]),
        (SEVERAL, 3.436975, [0.383760, -0.528889, 1.002467, -0.737913]),
    ],
)
def test_worked_values_and_gradients_with_the_batch_alone(labels: object, value: float, third_row: list[float]) -> None:
    u = torch.tensor(U, dtype=torch.float64, requires_grad=True)
    total = sum(terms(prepared(labels, 4), u, [0, 1, 2, 3]).values())
    (gradient,) = torch.autograd.grad(total, u)
    assert total.item() == pytest.approx(value, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.265252, 0.740217, 0.237779, 0.521160], abs=1e-6)
    assert gradient[2].tolist() == pytest.approx(third_row, abs=1e-6)


@pytest.mark.parametrize(("labels", "pairs"), [(SINGLE, 0.534949), (SEVERAL, 0.619532)])
def test_worked_values_against_six_train_items(labels: object, pairs: float) -> None:
    loss = prepared(labels, 6)
    loss.last.outputs[4] = torch.tensor(FIFTH)
    u = torch.tensor(U, dtype=torch.float64, requires_grad=True)
    found = terms(loss, u, [0, 1, 2, 3])
    assert found["pairwise"].item() == pytest.approx(pairs, abs=1e-6)
    assert found["quantization"].item() == pytest.approx(1.9, abs=1e-6)
    (gradient,) = torch.autograd.grad(found["pairwise"], u)
    assert gradient[0].tolist() == pytest.approx([-0.012201, -0.005167, -0.011535, 0.020204], abs=1e-6)


@pytest.mark.parametrize("self_pairs", [True, False])
def test_pairs_equal_plain_loops(self_pairs: bool) -> None:
    draw = torch.Generator().manual_seed(7)
    labels = (torch.rand(9, 3, generator=draw) < 0.4).float()
    loss = prepared(labels.tolist(), 9, self_pairs=self_pairs, eta=3.0)
    loss.last.outputs[5:] = torch.randn(4, 4, generator=draw)
    u = 2.0 * torch.randn(3, 4, generator=draw, dtype=torch.float64)
    rows = [2, 7, 0]
    found = terms(loss, u, rows)
    pairs = 0.0
    for a, i in zip(u.tolist(), rows, strict=True):
        for j in range(9):
            theta = 0.5 * sum(x * y for x, y in zip(a, loss.last.outputs[j].tolist(), strict=True))
            s = any(p == q == 1 for p, q in zip(labels[i].tolist(), labels[j].tolist(), strict=True))
            pairs += (self_pairs or i != j) * (math.log1p(math.exp(theta)) - s * theta)
    pull = sum((abs(v) - 1.0) ** 2 for v in u.flatten().tolist())
    assert found["pairwise"].item() == pytest.approx(pairs / 27)
    assert found["quantization"].item() == pytest.approx(3.0 * pull / 27)


def test_outputs_are_written_before_they_are_compared_and_kept() -> None:
    loss = prepared(SINGLE, 6)
    u = torch.tensor(U, dtype=torch.float64)
    terms(loss, u[:2], [3, 1])
    terms(loss, u[2:], [1, 5])
    assert torch.equal(loss.last.outputs[[3, 1, 5]], torch.stack([u[0], u[2], u[3]]))
    assert not loss.last.outputs[[0, 2, 4]].any()


def test_the_gradient_is_half_that_of_the_sum_over_ordered_pairs() -> None:
    u = torch.tensor(U, dtype=torch.float64, requires_grad=True)
    found = terms(prepared(SINGLE, 4, eta=0.0), u, [0, 1, 2, 3])["pairwise"]
    (detached,) = torch.autograd.grad(found, u)
    labels = torch.tensor(SINGLE[:4], dtype=torch.float64)
    theta, s = 0.5 * u @ u.T, labels @ labels.T
    (full,) = torch.autograd.grad((torch.nn.functional.softplus(theta) - s * theta).sum() / 16, u)
    assert torch.allclose(2.0 * detached, full)


def test_a_resumed_loss_goes_on_as_the_unbroken_one() -> None:
    loss, u = prepared(SINGLE, 6), torch.tensor(U, dtype=torch.float64)
    terms(loss, u, [0, 1, 2, 3])
    fresh = build_loss("dpsh", Problem(4, 3, 6)).double()
    fresh.load_state_dict(loss.state_dict())
    for name, value in terms(loss, u[:2], [4, 5]).items():
        assert torch.equal(value, terms(fresh, u[:2], [4, 5])[name])


def test_extreme_outputs_keep_value_and_gradient_finite() -> None:
    for size in (1e4, -1e4, 0.0):
        loss = prepared(SINGLE, 4).float()
        u = torch.full((2, 4), size, requires_grad=True)
        total = sum(terms(loss, u, [0, 2]).values())
        (gradient,) = torch.autograd.grad(total, u)
        assert torch.isfinite(total)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("options", [{"eta": -1.0}, {"self_pairs": 2}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        build_loss("dpsh", Problem(4, 3, 10), **options)
