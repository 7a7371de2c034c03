"""HashNet's loss against a worked value and plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from hashzoo_hashnet.losses import HashNetLoss

from hashzoo import Batch, HashOutput, Problem, UsageError

Z = [[0.5, -0.5], [0.25, 0.75], [-1.0, 0.5]]
LABELS = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def problem(bits: int, classes: int = 2) -> Problem:
    return Problem(bits=bits, num_classes=classes, num_train=100, multilabel=True)


def pairwise(loss: torch.nn.Module, h: torch.Tensor, labels: object) -> torch.Tensor:
    output = HashOutput(features=h, relaxed=h, codes=h.detach().sign())
    terms = loss(output, Batch({}, torch.as_tensor(labels), torch.arange(len(h))))
    assert list(terms) == ["pairwise"]  # no quantization
    return terms["pairwise"]


def random_case() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(5)
    h = torch.tanh(torch.randn(8, 6, generator=draw, dtype=torch.float64))
    labels = (torch.rand(8, 4, generator=draw) < 0.35).float()
    labels[0] = 0.0  # an unlabelled image
    return h, labels


def sets(labels: torch.Tensor) -> list[set[int]]:
    return [{c for c, value in enumerate(row) if value} for row in labels.tolist()]


def loop(h: torch.Tensor, labels: torch.Tensor, alpha: float, weighted: bool, continuous: bool) -> float:
    owned = sets(labels)
    n = len(h)
    pairs = [(i, j) for i in range(n) for j in range(n)]
    alike = sum(bool(owned[i] & owned[j]) for i, j in pairs)
    total = 0.0
    for i, j in pairs:
        s = bool(owned[i] & owned[j])
        theta = alpha * float(h[i] @ h[j])
        weight = 1.0
        if weighted:
            weight = len(pairs) / alike if s else len(pairs) / (len(pairs) - alike)
        if continuous and s:
            weight *= len(owned[i] & owned[j]) / len(owned[i] | owned[j])
        total += weight * (math.log(1.0 + math.exp(theta)) - s * theta)
    return total / len(pairs)


def test_worked_value() -> None:
    h = torch.tensor(Z, dtype=torch.float64)
    got = pairwise(HashNetLoss(problem(2), alpha=0.5), h, LABELS)
    assert got.item() == pytest.approx(1.237782929, abs=1e-9)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("continuous", [True, False])
def test_equals_plain_loops(weighted: bool, continuous: bool) -> None:
    h, labels = random_case()
    loss = HashNetLoss(
        problem(6, 4),
        alpha=0.4,
        weights="two_sided" if weighted else "none",
        similarity="jaccard" if continuous else "binary",
    )
    assert pairwise(loss, h, labels).item() == pytest.approx(loop(h, labels, 0.4, weighted, continuous), rel=1e-6)


def test_two_sided_weights_make_it_the_sum_of_two_means() -> None:
    h, labels = random_case()
    owned = sets(labels)
    values: dict[bool, list[float]] = {True: [], False: []}
    for i in range(len(h)):
        for j in range(len(h)):
            s = bool(owned[i] & owned[j])
            theta = 0.4 * float(h[i] @ h[j])
            values[s].append(math.log(1.0 + math.exp(theta)) - s * theta)
    expected = sum(sum(side) / len(side) for side in values.values())
    loss = HashNetLoss(problem(6, 4), alpha=0.4, similarity="binary")
    assert pairwise(loss, h, labels).item() == pytest.approx(expected, rel=1e-12)


def test_alpha_is_ten_over_the_bits() -> None:
    h, labels = random_case()
    default = pairwise(HashNetLoss(problem(6, 4)), h, labels)
    assert default.item() == pytest.approx(loop(h, labels, 10.0 / 6.0, True, False), rel=1e-6)
    continuous = pairwise(HashNetLoss(problem(6, 4), similarity="jaccard"), h, labels)
    assert continuous.item() == pytest.approx(loop(h, labels, 10.0 / 6.0, True, True), rel=1e-6)
    steep = pairwise(HashNetLoss(problem(6, 4), slope=30.0), h, labels)
    assert steep.item() == pytest.approx(loop(h, labels, 5.0, True, False), rel=1e-6)


def test_constant_weights_are_those_of_the_released_code() -> None:
    h, labels = random_case()
    owned = sets(labels)
    above = below = 0.0
    for i in range(len(h)):
        for j in range(len(h)):
            s = bool(owned[i] & owned[j])
            theta = 0.4 * float(h[i] @ h[j])
            weight = 5.0 if s else 1.0
            above += weight * (math.log(1.0 + math.exp(theta)) - s * theta)
            below += weight
    loss = HashNetLoss(problem(6, 4), alpha=0.4, weights="constant", similar_weight=5.0, similarity="binary")
    assert pairwise(loss, h, labels).item() == pytest.approx(above / below, rel=1e-6)


def test_gradient_agrees_with_finite_differences() -> None:
    h, labels = random_case()
    h.requires_grad_()
    loss = HashNetLoss(problem(6, 4), alpha=0.4)
    assert torch.autograd.gradcheck(lambda x: pairwise(loss, x, labels), (h,), atol=1e-7)


@pytest.mark.parametrize("labels", [[[1.0, 0]] * 4, [[0.0, 0]] * 4, [[1.0, 0], [0, 1], [1, 1], [0, 0]]])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_odd_batches_stay_finite(labels: list[list[float]], dtype: torch.dtype) -> None:
    for value in (0.0, 1.0, 100.0):
        h = torch.full((4, 64), value, dtype=dtype, requires_grad=True)
        got = pairwise(HashNetLoss(problem(64)), h, labels)
        (gradient,) = torch.autograd.grad(got, h)
        assert got.dtype == torch.float32
        assert torch.isfinite(got)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.0},
        {"slope": 0.0},
        {"alpha": 0.5, "slope": 5.0},
        {"weights": "both"},
        {"similarity": "cosine"},
        {"similar_weight": 0.0, "weights": "constant"},
        {"similar_weight": 5.0},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"above 0|Known|constant|alpha is None"):
        HashNetLoss(problem(8), **options)
