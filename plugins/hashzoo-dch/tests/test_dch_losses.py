"""DCH's losses against worked values, plain loops, the paper's form and its derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from hashzoo_dch.losses import (
    DCHLoss,
    DCHSigmoidLoss,
    cauchy_cross_entropy,
    normalized_distance,
    squared_euclidean,
)

from hashzoo import Batch, HashOutput, Problem, UsageError

Z = [[0.5, -0.5], [0.25, 0.75], [-1.0, 0.5]]
LABELS = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def problem(bits: int, classes: int = 2) -> Problem:
    return Problem(bits=bits, num_classes=classes, num_train=100, multilabel=True)


def terms(loss: torch.nn.Module, z: torch.Tensor, labels: object) -> dict[str, torch.Tensor]:
    output = HashOutput(features=z, relaxed=z, codes=z.detach().sign())
    return loss(output, Batch({}, torch.as_tensor(labels), torch.arange(len(z))))


def random_case() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(7)
    z = torch.tanh(torch.randn(8, 6, generator=draw, dtype=torch.float64))
    labels = (torch.rand(8, 4, generator=draw) < 0.35).float()
    labels[0] = 0.0  # an unlabelled image
    return z, labels


def similar(a: torch.Tensor, b: torch.Tensor) -> bool:
    return any(x == 1 and y == 1 for x, y in zip(a.tolist(), b.tolist(), strict=True))


def angle_distance(a: list[float], b: list[float]) -> float:
    product = sum(x * y for x, y in zip(a, b, strict=True))
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    return len(a) / 2 * (1.0 - product / lengths)


def loop(z: torch.Tensor, labels: torch.Tensor, each: object, sides: str) -> float:
    rows, n = z.tolist(), len(z)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    alike = sum(similar(labels[i], labels[j]) for i, j in pairs)
    total = 0.0
    for i, j in pairs:
        s = similar(labels[i], labels[j])
        weight = 1.0
        if s and sides != "none":
            weight = len(pairs) / alike
        if not s and sides == "two_sided":
            weight = len(pairs) / (len(pairs) - alike)
        total += weight * each(rows[i], rows[j], s)  # type: ignore[operator] # a function of the test
    return total / len(pairs)


def test_worked_values() -> None:
    z = torch.tensor(Z, dtype=torch.float64)
    distance = normalized_distance(z, z)
    assert [distance[0, 1].item(), distance[0, 2].item(), distance[1, 2].item()] == pytest.approx(
        [1.447214, 1.948683, 0.858579], abs=1e-6
    )
    two_sided = terms(DCHLoss(problem(2), gamma=2.0, quantization_weight=1.0), z, LABELS)
    assert two_sided["pairwise"].item() == pytest.approx(1.498933965, abs=1e-9)
    assert 3 * two_sided["quantization"].item() == pytest.approx(0.076775068, abs=1e-9)
    plain = terms(DCHLoss(problem(2), gamma=2.0, weights="none"), z, LABELS)
    assert plain["pairwise"].item() == pytest.approx(0.817816286, abs=1e-9)


@pytest.mark.parametrize("sides", ["two_sided", "one_sided", "none"])
def test_pairs_equal_plain_loops_of_the_papers_form(sides: str) -> None:
    z, labels = random_case()
    gamma = 3.0

    def each(a: list[float], b: list[float], s: bool) -> float:
        d = angle_distance(a, b)
        return s * math.log(d / gamma) + math.log(1.0 + gamma / d)

    got = terms(DCHLoss(problem(6, 4), gamma=gamma, weights=sides), z, labels)
    assert got["pairwise"].item() == pytest.approx(loop(z, labels, each, sides), rel=1e-9)


def test_quantization_equals_a_plain_loop() -> None:
    z, labels = random_case()
    expected = 0.0
    for row in z.tolist():
        expected += math.log(1.0 + angle_distance([abs(v) for v in row], [1.0] * 6) / 3.0)
    got = terms(DCHLoss(problem(6, 4), gamma=3.0, quantization_weight=0.5), z, labels)
    assert got["quantization"].item() == pytest.approx(0.5 * expected / len(z), rel=1e-9)
    squared = terms(DCHLoss(problem(6, 4), quantizer="squared", quantization_weight=1.0), z, labels)
    assert squared["quantization"].item() == pytest.approx(((z.abs() - 1.0) ** 2).mean().item())


def test_euclidean_variant_equals_a_plain_loop() -> None:
    z, labels = random_case()

    def each(a: list[float], b: list[float], s: bool) -> float:
        d = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
        return s * math.log(d / 20.0) + math.log(1.0 + 20.0 / d)

    got = terms(DCHLoss(problem(6, 4), distance="euclidean"), z, labels)
    assert got["pairwise"].item() == pytest.approx(loop(z, labels, each, "two_sided"), rel=1e-9)


def test_sigmoid_variant_equals_a_plain_loop() -> None:
    z, labels = random_case()

    def each(a: list[float], b: list[float], s: bool) -> float:
        theta = 10.0 / 6.0 * sum(x * y for x, y in zip(a, b, strict=True))
        return math.log(1.0 + math.exp(theta)) - s * theta

    got = terms(DCHSigmoidLoss(problem(6, 4)), z, labels)
    assert got["pairwise"].item() == pytest.approx(loop(z, labels, each, "two_sided"), rel=1e-9)
    same = terms(DCHLoss(problem(6, 4)), z, labels)
    assert got["quantization"].item() == pytest.approx(same["quantization"].item())


def test_on_codes_the_distances_are_hammings_and_four_times_hammings() -> None:
    draw = torch.Generator().manual_seed(1)
    codes = torch.randint(0, 2, (9, 16), generator=draw).double() * 2 - 1
    hamming = (codes[:, None, :] != codes[None, :, :]).sum(dim=2).double()
    assert torch.allclose(normalized_distance(codes, codes), hamming, atol=1e-9)
    assert torch.allclose(squared_euclidean(codes), 4.0 * hamming, atol=1e-9)


def test_distances_are_never_negative() -> None:
    draw = torch.Generator().manual_seed(1)
    z = torch.randn(200, 48, generator=draw)
    for distance in (normalized_distance(z, z), squared_euclidean(z)):
        assert distance.min().item() == 0.0  # without care, rounding gives -1e-5 on the diagonal


def test_derivative_by_the_distance() -> None:
    gamma = 3.0
    distance = torch.linspace(0.1, 30.0, 50, dtype=torch.float64, requires_grad=True)
    for s in (1.0, 0.0):
        loss = cauchy_cross_entropy(distance, torch.full_like(distance, s), gamma).sum()
        (got,) = torch.autograd.grad(loss, distance)
        d = distance.detach()
        expected = s / (gamma + d) - (1.0 - s) * gamma / (d * (gamma + d))
        assert torch.allclose(got, expected, atol=1e-12)


def test_gradients_agree_with_finite_differences() -> None:
    z, labels = random_case()
    z.requires_grad_()
    for loss in (
        DCHLoss(problem(6, 4)),
        DCHLoss(problem(6, 4), distance="euclidean", quantizer="squared", weights="one_sided"),
        DCHSigmoidLoss(problem(6, 4)),
    ):
        assert torch.autograd.gradcheck(lambda x, loss=loss: sum(terms(loss, x, labels).values()), (z,), atol=1e-7)


def test_the_diagonal_does_not_count() -> None:
    z, labels = random_case()
    one = terms(DCHLoss(problem(6, 4)), z[1:2], labels[1:2])
    assert one["pairwise"].item() == 0.0
    two = terms(DCHLoss(problem(6, 4), weights="none"), z[1:3], torch.ones(2, 4))
    expected = math.log(1.0 + angle_distance(z[1].tolist(), z[2].tolist()) / 20.0)
    assert two["pairwise"].item() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("labels", [[[1.0, 0]] * 4, [[0.0, 0]] * 4, [[1.0, 0], [0, 1], [1, 1], [0, 0]]])
def test_equal_directions_and_zero_vectors_stay_finite(dtype: torch.dtype, labels: list[list[float]]) -> None:
    rows = torch.full((4, 64), 0.3)
    rows[1] = 0.0
    rows[2] *= 3.0
    for factor in (1.0, 1e-6, 1e3):
        z = (rows * factor).to(dtype).requires_grad_()
        for loss in (
            DCHLoss(problem(64)),
            DCHLoss(problem(64), distance="euclidean"),
            DCHSigmoidLoss(problem(64)),
        ):
            total = sum(terms(loss, z, labels).values())
            (gradient,) = torch.autograd.grad(total, z)
            assert total.dtype == torch.float32
            assert torch.isfinite(total)
            assert torch.isfinite(gradient).all()


def test_a_zero_vector_is_at_half_the_bits_and_gets_no_gradient() -> None:
    z = torch.tensor([[0.0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.float64, requires_grad=True)
    distance = normalized_distance(z, z)
    assert distance[0, 1].item() == 2.0
    (gradient,) = torch.autograd.grad(distance.sum(), z)
    assert not gradient[0].any()


@pytest.mark.parametrize(
    "options",
    [
        {"gamma": 0.0},
        {"quantization_weight": -0.1},
        {"distance": "hamming"},
        {"weights": "both"},
        {"quantizer": "log_cosh"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"at least 0|above 0|Known"):
        DCHLoss(problem(8), **options)
    with pytest.raises(UsageError, match="alpha must be"):
        DCHSigmoidLoss(problem(8), alpha=-1.0)
    with pytest.raises(UsageError, match="slope must be"):
        DCHSigmoidLoss(problem(8), slope=0.0)
    with pytest.raises(UsageError, match="alpha is None only"):
        DCHSigmoidLoss(problem(8), alpha=1.0, slope=5.0)


def test_the_slope_of_the_sigmoid_is_a_number_over_the_bits() -> None:
    assert DCHSigmoidLoss(problem(8)).alpha == 10.0 / 8
    assert DCHSigmoidLoss(problem(32), slope=16.0).alpha == 0.5
    assert DCHSigmoidLoss(problem(32), alpha=0.25).alpha == 0.25
