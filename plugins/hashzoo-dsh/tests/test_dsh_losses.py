"""DSH's loss against worked values, plain loops and its derivatives."""

from __future__ import annotations

import pytest
import torch

from hashzoo import Batch, HashOutput, Problem, UsageError, build_loss

U = [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]]
SINGLE = [[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
SEVERAL = [[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]]


def terms(u: torch.Tensor, labels: object, **options: object) -> dict[str, torch.Tensor]:
    labels = torch.as_tensor(labels)
    loss = build_loss("dsh", Problem(u.shape[1], labels.shape[1], 100, multilabel=True), **options)
    return loss(HashOutput(u, u, u.detach().sign()), Batch({}, labels, torch.arange(len(u))))


@pytest.mark.parametrize(
    ("labels", "pairs", "third_row"),
    [
        (SINGLE, 0.8625, [0.294167, -0.235833, 0.252500, -0.227500]),
        (SEVERAL, 0.9450, [0.094167, -0.185833, 0.069167, 0.022500]),
    ],
)
def test_worked_values_and_gradients(labels: object, pairs: float, third_row: list[float]) -> None:
    u = torch.tensor(U, dtype=torch.float64, requires_grad=True)
    found = terms(u, labels)
    assert (found["similar"] + found["dissimilar"]).item() == pytest.approx(pairs, abs=1e-9)
    assert found["regularization"].item() == pytest.approx(0.0185, abs=1e-9)
    (gradient,) = torch.autograd.grad(sum(found.values()), u)
    assert gradient[0].tolist() == pytest.approx([-0.160833, -0.014167, -0.164167, 0.194167], abs=1e-6)
    assert gradient[2].tolist() == pytest.approx(third_row, abs=1e-6)


@pytest.mark.parametrize("margin", [2.0, 8.0, None])
def test_terms_equal_plain_loops(margin: float | None) -> None:
    draw = torch.Generator().manual_seed(7)
    u = 2.0 * torch.randn(9, 6, generator=draw, dtype=torch.float64)
    labels = (torch.rand(9, 4, generator=draw) < 0.35).float()
    m = 12.0 if margin is None else margin
    similar = dissimilar = pull = 0.0
    for i in range(9):
        pull += sum(abs(abs(v) - 1.0) for v in u[i].tolist())
        for j in range(i + 1, 9):
            d = sum((a - b) ** 2 for a, b in zip(u[i].tolist(), u[j].tolist(), strict=True))
            if any(a == b == 1 for a, b in zip(labels[i].tolist(), labels[j].tolist(), strict=True)):
                similar += d / 2
            else:
                dissimilar += max(m - d, 0.0) / 2
    found = terms(u, labels, margin=margin, alpha=0.5)
    assert found["similar"].item() == pytest.approx(similar / 72)
    assert found["dissimilar"].item() == pytest.approx(dissimilar / 72)
    assert found["regularization"].item() == pytest.approx(0.5 * pull / 9)


def test_gradients_agree_with_finite_differences() -> None:
    draw = torch.Generator().manual_seed(3)
    u = torch.randn(6, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    labels = torch.eye(3)[torch.tensor([0, 0, 1, 1, 2, 2])]
    assert torch.autograd.gradcheck(lambda x: sum(terms(x, labels, margin=6.0).values()), (u,), atol=1e-7)


def test_the_slope_of_the_regularization_is_the_released_codes() -> None:
    u = torch.tensor([[-2.0, -0.5, 0.0, 0.5, 2.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(terms(u, [[1.0]], alpha=1.0)["regularization"], u)
    assert slope.tolist() == [[-1.0, 1.0, 1.0, -1.0, 1.0]]


def test_a_pair_beyond_the_margin_gets_no_gradient() -> None:
    u = torch.tensor([[3.0, 3.0], [-3.0, -3.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(terms(u, torch.eye(2), alpha=0.0)["dissimilar"], u)
    assert not slope.any()


@pytest.mark.parametrize("options", [{"margin": 0.0}, {"margin": -1.0}, {"alpha": -0.1}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        build_loss("dsh", Problem(4, 3, 10), **options)
