"""DHN's losses against worked values, plain loops and the paper's gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hashzoo_dhn.losses import DHNLoss, DHNSquaredLoss

from hashzoo import Batch, HashOutput, Problem, UsageError

Z = [[0.5, -0.5], [0.25, 0.75], [-1.0, 0.5]]
LABELS = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def problem(bits: int, classes: int = 2) -> Problem:
    return Problem(bits=bits, num_classes=classes, num_train=100, multilabel=True)


def terms(loss: torch.nn.Module, z: object, labels: object) -> dict[str, torch.Tensor]:
    relaxed = torch.as_tensor(z)
    output = HashOutput(features=relaxed, relaxed=relaxed, codes=relaxed.detach().sign())
    batch = Batch({}, torch.as_tensor(labels), torch.arange(len(relaxed)))
    return loss(output, batch)


def random_case(n: int = 7, bits: int = 5, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    z = torch.randn(n, bits, generator=draw, dtype=torch.float64)
    labels = (torch.rand(n, classes, generator=draw) < 0.35).float()
    labels[0] = 0.0  # an unlabelled image
    return z, labels


def similar(a: torch.Tensor, b: torch.Tensor) -> int:
    return int(any(x == 1 and y == 1 for x, y in zip(a.tolist(), b.tolist(), strict=True)))


def test_worked_values() -> None:
    got = terms(DHNLoss(problem(2), quantization_weight=1.0), torch.tensor(Z, dtype=torch.float64), LABELS)
    assert got["pairwise"].item() == pytest.approx(0.566169519, abs=1e-9)
    assert got["pairwise"].item() * 9 == pytest.approx(5.095525666, abs=1e-9)
    # the worked value is a mean over images and bits; ours sums over the 2 bits
    assert got["quantization"].item() == pytest.approx(2 * 0.108256570, abs=1e-9)


def test_worked_values_of_the_options() -> None:
    z = torch.tensor(Z, dtype=torch.float64)
    half = terms(DHNLoss(problem(2), logit_scale=0.5), z, LABELS)
    assert half["pairwise"].item() == pytest.approx(0.618323369, abs=1e-9)
    squared = terms(DHNLoss(problem(2), quantizer="squared", quantization_weight=1.0), z, LABELS)
    assert squared["quantization"].item() == pytest.approx(2 * 0.229166667, abs=1e-8)


def test_equals_plain_loops() -> None:
    z, labels = random_case()
    n, bits = z.shape
    likelihood = 0.0
    for i in range(n):
        for j in range(n):
            theta = sum(float(z[i, k] * z[j, k]) for k in range(bits))
            likelihood += math.log(1.0 + math.exp(theta)) - similar(labels[i], labels[j]) * theta
    quantization = 0.0
    for i in range(n):
        for k in range(bits):
            quantization += math.log(math.cosh(abs(float(z[i, k])) - 1.0))
    got = terms(DHNLoss(problem(bits, 4), quantization_weight=0.7), z, labels)
    assert got["pairwise"].item() == pytest.approx(likelihood / n**2, rel=1e-12)
    assert got["quantization"].item() == pytest.approx(0.7 * quantization / n, rel=1e-12)


def test_gradients_are_the_papers() -> None:
    z, labels = random_case()
    z.requires_grad_()
    n, bits = z.shape
    got = terms(DHNLoss(problem(bits, 4), quantization_weight=0.3), z, labels)
    (pairwise,) = torch.autograd.grad(got["pairwise"], z)
    (quantization,) = torch.autograd.grad(got["quantization"], z)
    with torch.no_grad():
        for i in range(n):
            expected = torch.zeros(bits, dtype=torch.float64)
            for j in range(n):
                sigma = 1.0 / (1.0 + math.exp(-float(z[i] @ z[j])))
                expected += 2.0 * (sigma - similar(labels[i], labels[j])) * z[j]
            assert torch.allclose(pairwise[i] * n**2, expected, atol=1e-12)
        expected = z.sign() * torch.tanh(z.abs() - 1.0)
        assert torch.allclose(quantization * n / 0.3, expected, atol=1e-12)


def test_gradients_agree_with_finite_differences() -> None:
    z, labels = random_case()
    z.requires_grad_()
    for loss in (
        DHNLoss(problem(5, 4)),
        DHNLoss(problem(5, 4), similarity="cosine", logit_scale=10.0, weights="one_sided"),
        DHNSquaredLoss(problem(5, 4)),
    ):
        assert torch.autograd.gradcheck(lambda x, loss=loss: sum(terms(loss, x, labels).values()), (z,), atol=1e-7)


@pytest.mark.parametrize(("targets", "low"), [("signed", -1), ("binary", 0)])
def test_dhn_e_equals_plain_loops(targets: str, low: int) -> None:
    z, labels = random_case()
    n, bits = z.shape
    total = 0.0
    for i in range(n):
        for j in range(n):
            wanted = 1 if similar(labels[i], labels[j]) else low
            total += (wanted - sum(float(z[i, k] * z[j, k]) for k in range(bits)) / bits) ** 2
    got = terms(DHNSquaredLoss(problem(bits, 4), targets=targets), z, labels)
    assert got["pairwise"].item() == pytest.approx(total / n**2, rel=1e-12)


def test_one_sided_weights_are_those_of_the_released_code() -> None:
    z, labels = random_case()
    n = len(z)
    alike = [similar(labels[i], labels[j]) for i in range(n) for j in range(n)]
    weight = len(alike) / sum(alike)
    plain = terms(DHNLoss(problem(5, 4)), z, labels)["pairwise"].item()
    only_similar = 0.0
    for i in range(n):
        for j in range(n):
            if similar(labels[i], labels[j]):
                theta = float(z[i] @ z[j])
                only_similar += math.log(1.0 + math.exp(-theta))
    expected = plain + (weight - 1.0) * only_similar / n**2
    got = terms(DHNLoss(problem(5, 4), weights="one_sided"), z, labels)
    assert got["pairwise"].item() == pytest.approx(expected, rel=1e-12)


def test_an_unlabelled_image_is_dissimilar_even_to_itself() -> None:
    z = torch.full((1, 4), 0.5, dtype=torch.float64)
    got = terms(DHNLoss(problem(4)), z, [[0.0, 0.0]])
    assert got["pairwise"].item() == pytest.approx(math.log(1.0 + math.exp(1.0)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_large_outputs_stay_finite(dtype: torch.dtype) -> None:
    for value in (0.0, 1.0, 1e3):
        z = torch.full((4, 64), value, dtype=dtype, requires_grad=True)
        labels = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 0]])
        for loss in (DHNLoss(problem(64)), DHNSquaredLoss(problem(64))):
            total = sum(terms(loss, z, labels).values())
            assert total.dtype == torch.float32
            (gradient,) = torch.autograd.grad(total, z)
            assert torch.isfinite(total)
            assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "options",
    [
        {"quantization_weight": -1.0},
        {"logit_scale": 0.0},
        {"similarity": "euclidean"},
        {"quantizer": "cubed"},
        {"weights": "both"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"at least 0|above 0|Known"):
        DHNLoss(problem(8), **options)
    with pytest.raises(UsageError, match="Known: binary, signed"):
        DHNSquaredLoss(problem(8), targets="plus")
