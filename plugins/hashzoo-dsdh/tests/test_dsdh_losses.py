"""DSDH's loss against worked values, brute force, and the life of its buffers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from hashzoo import Batch, HashOutput, Problem, UsageError, build_loss
from hashzoo.fitting import discrete_coordinate_descent, ridge

U = [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]]
SINGLE = [[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
SEVERAL = [[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]]


def signs(text: str) -> torch.Tensor:
    rows = [[1.0 if c == "+" else -1.0 for c in word] for word in text.split()]
    return torch.tensor(rows, dtype=torch.float64)


def prepared(labels: torch.Tensor, bits: int = 4, seed: int = 0, **options: object) -> torch.nn.Module:
    loss = build_loss("dsdh", Problem(bits, labels.shape[1], len(labels), multilabel=True), **options).double()
    loss.prepare(SimpleNamespace(labels=labels), seed)
    return loss


def output(u: torch.Tensor) -> HashOutput:
    return HashOutput(u, u, u.detach().sign())


def terms(loss: torch.nn.Module, u: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
    return loss(output(u), Batch({}, loss.last.labels[index].clone(), index))


def objective(u: torch.Tensor, B: torch.Tensor, W: torch.Tensor, Y: torch.Tensor, eta: float, mu: float, nu: float):
    return (eta * ((B - u) ** 2).sum() + mu * ((Y - B @ W) ** 2).sum() + nu * (W**2).sum()).item()


def random_case(n: int = 30, bits: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    labels = torch.eye(4, dtype=torch.float64)[torch.arange(n) % 4]
    labels[::3, 2] = 1.0
    return torch.randn(n, bits, generator=draw, dtype=torch.float64), labels


def test_worked_classifier_and_codes_of_single_labels() -> None:
    u, Y = torch.tensor(U, dtype=torch.float64), torch.tensor(SINGLE, dtype=torch.float64)
    loss = prepared(Y)
    loss.codes.copy_(torch.where(u >= 0, 1.0, -1.0))
    loss.end_epoch(0, output(u))
    W, B = loss.classifier, loss.codes
    assert W[0].tolist() == pytest.approx([0.244044, -0.005811, 0.238234], abs=1e-6)
    assert W[3].tolist() == pytest.approx([-0.249713, 0.238234, 0.476325], abs=1e-6)
    assert torch.equal(B, torch.where(u >= 0, 1.0, -1.0).double())
    assert objective(u, B, W, Y, 55.0, 1.0, 0.1) == pytest.approx(251.872037, abs=1e-6)


def test_worked_codes_of_several_labels_with_the_unlabelled_row_as_zeros() -> None:
    u, Y = torch.tensor(U, dtype=torch.float64), torch.tensor(SEVERAL, dtype=torch.float64)
    B = torch.where(u >= 0, 1.0, -1.0).double()
    W = ridge(B, Y, 0.1)
    assert objective(u, B, W, Y, 0.5, 1.0, 0.1) == pytest.approx(3.887191, abs=1e-6)
    B = discrete_coordinate_descent(B, Y @ W.T + 0.5 * u, W)
    assert objective(u, B, W, Y, 0.5, 1.0, 0.1) == pytest.approx(3.755765, abs=1e-6)
    assert torch.equal(B, signs("+-+- +++- -+++ +-++"))


@pytest.mark.parametrize(
    ("eta", "row"),
    [
        (55.0, [-22.488075, 65.686949, 21.608928, 44.677114]),
        (0.5, [-0.688075, 0.286949, -0.191072, 1.077114]),
    ],
)
def test_worked_gradient_of_the_released_code(eta: float, row: list[float]) -> None:
    u = torch.tensor(U, dtype=torch.float64, requires_grad=True)
    loss = prepared(torch.tensor(SINGLE, dtype=torch.float64), eta=eta, solve="batch")
    total = sum(terms(loss, u, torch.arange(4)).values())
    (gradient,) = torch.autograd.grad(total, u)
    # the released code descends (A - S) U + 2 eta (u - b), twice ours, and divides by n N afterwards
    assert (2.0 * 16.0 * gradient[0]).tolist() == pytest.approx(row, abs=1e-6)


def test_terms_equal_their_formula() -> None:
    u, Y = random_case()
    loss = prepared(Y, 8, eta=3.0)
    loss.last.outputs.copy_(torch.randn(30, 8, generator=torch.Generator().manual_seed(1)))
    index = torch.tensor([4, 9, 2])
    found = terms(loss, u[index], index)
    theta, s = 0.5 * u[index] @ loss.last.outputs.T, (Y[index] @ Y.T > 0).double()
    assert found["pairwise"].item() == pytest.approx((F.softplus(theta) - s * theta).mean().item())
    expected = 1.5 * ((loss.codes[index] - u[index]) ** 2).sum() / 90
    assert found["quantization"].item() == pytest.approx(expected.item())


def test_other_codes_give_another_gradient() -> None:
    u, Y = random_case()
    loss = prepared(Y, 8)
    found = []
    for _ in range(2):
        leaf = u.clone().requires_grad_()
        found.append(torch.autograd.grad(sum(terms(loss, leaf, torch.arange(30)).values()), leaf)[0])
        loss.codes.neg_()
    assert not torch.allclose(*found)


@pytest.mark.parametrize("eta", [0.05, 1.0, 55.0])
def test_solving_never_raises_the_objective_and_no_single_bit_lowers_it(eta: float) -> None:
    u, Y = random_case()
    loss = prepared(Y, 8, eta=eta, sweeps=100)
    last = None
    before = None
    for epoch in range(40):
        if before is not None and torch.equal(loss.codes, before):
            break  # a fixed point of both steps
        before = loss.codes.clone()
        loss.end_epoch(epoch, output(u))
        value = objective(u, loss.codes, loss.classifier, Y, eta, 1.0, 0.1)
        assert last is None or value <= last + 1e-9
        last = value
    B, W = loss.codes, loss.classifier
    for i in range(30):
        for k in range(8):
            flipped = B.clone()
            flipped[i, k] *= -1.0
            assert objective(u, flipped, W, Y, eta, 1.0, 0.1) >= last - 1e-9
    assert torch.equal(B, before)
    assert torch.allclose(B.T @ B @ W + 0.1 * W, B.T @ Y)  # the normal equations


def test_images_without_a_label_keep_the_sign_of_their_output() -> None:
    u, Y = random_case()
    Y[::5] = 0.0
    loss, without = prepared(Y, 8, eta=0.01), prepared(Y[Y.sum(1) > 0], 8, eta=0.01)
    without.codes.copy_(loss.codes[Y.sum(1) > 0])
    loss.end_epoch(0, output(u))
    without.end_epoch(0, output(u[Y.sum(1) > 0]))
    assert torch.equal(loss.codes[::5], torch.where(u >= 0, 1.0, -1.0).double()[::5])
    assert torch.equal(loss.codes[Y.sum(1) > 0], without.codes)
    nothing = prepared(torch.zeros(4, 3))
    nothing.end_epoch(0, output(torch.tensor(U)))
    assert torch.equal(nothing.codes, torch.where(torch.tensor(U) >= 0, 1.0, -1.0).double())


def test_the_first_codes_depend_on_the_seed_alone_and_survive_in_the_state() -> None:
    _, Y = random_case()
    first = prepared(Y, 8, seed=1)
    torch.rand(3)
    assert torch.equal(first.codes, prepared(Y, 8, seed=1).codes)
    assert not torch.equal(first.codes, prepared(Y, 8, seed=2).codes)
    fresh = build_loss("dsdh", Problem(8, 4, 30, multilabel=True)).double()
    fresh.load_state_dict(first.state_dict())
    u, _ = random_case()
    first.end_epoch(0, output(u))
    fresh.end_epoch(0, output(u))
    assert torch.equal(first.codes, fresh.codes)


@pytest.mark.parametrize("options", [{"eta": -1.0}, {"mu": 0.0}, {"nu": 0.0}, {"solve": "step"}, {"sweeps": 0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        build_loss("dsdh", Problem(4, 3, 10), **options)
