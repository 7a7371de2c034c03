"""OrthoHash's loss and layer against worked values, plain loops and where cosines break."""

from __future__ import annotations

import math
from pathlib import Path

import hashzoo_orthohash
import pytest
import torch
from hashzoo_orthohash.hash_layers import OrthoHashLayer
from hashzoo_orthohash.losses import OrthoHashLoss

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import center_distances

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_orthohash.hashzoo_register_methods()}
U = torch.tensor(
    [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]], dtype=torch.float64
)
SINGLE = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
SEVERAL = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]])
CENTERS = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]])


def problem(bits: int = 4, classes: int = 3) -> Problem:
    return Problem(bits=bits, num_classes=classes, num_train=100, multilabel=True)


def terms(loss: OrthoHashLoss, v: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    return loss(HashOutput(v, v, v.detach().sign()), Batch({}, labels, torch.arange(len(v))))


def fixture(**options: object) -> OrthoHashLoss:
    loss = OrthoHashLoss(problem(), **options).double()
    loss.codebook.copy_(CENTERS)
    return loss


def test_worked_values() -> None:
    loss = fixture()
    each = [terms(loss, U[i : i + 1], SINGLE[i : i + 1])["cross_entropy"].item() for i in range(4)]
    assert each == pytest.approx([6.563159, 5.812060, 9.597751, 11.452595], abs=1e-6)
    assert terms(loss, U, SINGLE)["cross_entropy"].item() == pytest.approx(8.356391, abs=1e-6)
    several = [terms(loss, U[i : i + 1], SEVERAL[i : i + 1])["cross_entropy"].item() for i in range(4)]
    assert several == pytest.approx([2.489427, 1.676306, 3.203322, 0.0], abs=1e-6)
    assert terms(loss, U, SEVERAL)["cross_entropy"].item() == pytest.approx(2.456352, abs=1e-6)


def test_worked_values_of_the_options() -> None:
    wide = fixture(margin=0.3)
    assert terms(wide, U, SINGLE)["cross_entropy"].item() == pytest.approx(9.155774, abs=1e-6)
    assert terms(wide, U, SEVERAL)["cross_entropy"].item() == pytest.approx(2.743084, abs=1e-6)
    angle = fixture(margin_on="angle")
    assert terms(angle, U, SINGLE)["cross_entropy"].item() == pytest.approx(7.925497, abs=1e-6)


@pytest.mark.parametrize(
    ("labels", "first", "third"),
    [
        (SINGLE, (-0.380889, -1.047710, -0.571776, -0.952930), (1.255979, 0.875114, 0.020354, 0.895468)),
        (SEVERAL, (-0.249471, -0.687784, -0.377104, -0.628314), (0.332213, -0.285769, 2.591590, 2.305821)),
    ],
)
def test_worked_gradients_are_at_right_angles_to_the_outputs(
    labels: torch.Tensor, first: tuple[float, ...], third: tuple[float, ...]
) -> None:
    v = U.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(terms(fixture(), v, labels)["cross_entropy"], v)
    assert gradient[0].tolist() == pytest.approx(first, abs=1e-6)
    assert gradient[2].tolist() == pytest.approx(third, abs=1e-6)
    assert (gradient * U).sum(dim=1).tolist() == pytest.approx([0.0] * 4, abs=1e-12)


@pytest.mark.parametrize("margin_on", ["cosine", "angle"])
def test_equals_a_plain_loop(margin_on: str) -> None:
    values = []
    for row, present in zip(U.tolist(), SEVERAL.tolist(), strict=True):
        if not any(present):
            continue
        logits = []
        for code, one in zip(CENTERS.tolist(), present, strict=True):
            near = sum(a * b for a, b in zip(row, code, strict=True)) / (math.hypot(*row) * 2.0)
            if one:
                near = near - 0.4 if margin_on == "cosine" else math.cos(math.acos(near) + 0.4)
            logits.append(5.0 * near)
        total = math.log(sum(math.exp(value) for value in logits))
        values.append(sum(total - value for value, one in zip(logits, present, strict=True) if one) / sum(present))
    loss = fixture(scale=5.0, margin=0.4, margin_on=margin_on)
    assert terms(loss, U, SEVERAL)["cross_entropy"].item() == pytest.approx(sum(values) / len(values), rel=1e-9)


def test_best_value_with_orthogonal_codes() -> None:
    loss = OrthoHashLoss(problem(128, 100), codebook="hadamard")
    best = terms(loss, loss.codebook.clone(), torch.eye(100))["cross_entropy"]
    assert best.item() == pytest.approx(0.152287, abs=1e-5)  # log(1 + 99 exp(-8 (1 - 0.2)))


def test_quantization_is_the_cosine_with_the_codes() -> None:
    assert list(terms(fixture(), U, SINGLE)) == ["cross_entropy"]
    found = terms(fixture(quantization_weight=0.5), U, SINGLE)["quantization"]
    expected = [1.0 - sum(abs(v) for v in row) / (math.hypot(*row) * 2.0) for row in U.tolist()]
    assert found.item() == pytest.approx(0.5 * sum(expected) / 4)


def test_a_loaded_loss_keeps_its_codebook() -> None:
    torch.manual_seed(0)
    first, other = OrthoHashLoss(problem(16)), OrthoHashLoss(problem(16))
    assert not torch.equal(first.codebook, other.codebook)
    other.load_state_dict(first.state_dict())
    assert torch.equal(first.codebook, other.codebook)
    torch.manual_seed(0)
    assert center_distances(OrthoHashLoss(problem(64, 20), codebook="distant").codebook)[0] >= 28


def test_layer_normalizes_a_batch_and_codes_single_items() -> None:
    torch.manual_seed(0)
    layer = OrthoHashLayer(6, problem(8))
    features = torch.randn(50, 6) + 3.0
    relaxed, _ = layer(features)
    z = features @ layer.linear.weight.T
    by_hand = (z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(relaxed, by_hand, atol=1e-5)
    before = layer.norm.running_mean.clone()
    one, codes = layer(features[:1])
    assert torch.equal(layer.norm.running_mean, before)
    layer.eval()
    again, _ = layer(features[:1])
    assert torch.allclose(one, again)
    assert torch.equal(codes, torch.where(again >= 0, 1.0, -1.0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e4])
def test_odd_outputs_stay_finite(dtype: torch.dtype, value: float) -> None:
    for margin_on in ("cosine", "angle"):
        loss = OrthoHashLoss(problem(64), margin_on=margin_on, quantization_weight=1.0)
        for labels in (SEVERAL, torch.zeros(4, 3)):
            v = (value * torch.cat([loss.codebook, -loss.codebook[:1]])).to(dtype).requires_grad_()
            total = sum(terms(loss, v, labels).values())
            (gradient,) = torch.autograd.grad(total, v)
            assert total.dtype == torch.float32
            assert torch.isfinite(total)
            assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "options",
    [{"scale": 0.0}, {"margin": -0.1}, {"quantization_weight": -1.0}, {"margin_on": "sine"}, {"codebook": "learned"}],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"above 0|at least 0|Known"):
        OrthoHashLoss(problem(), **options)
    with pytest.raises(UsageError, match="std"):
        OrthoHashLayer(6, problem(), std=0.0)


def test_recipe_is_the_released_codes() -> None:
    recipe = METHODS["orthohash"].recipe
    assert (recipe.optimizer, recipe.lr, recipe.backbone_lr_scale, recipe.weight_decay) == ("adam", 1e-4, 0.1, 5e-4)
    assert (recipe.epochs, recipe.batch_size, recipe.schedule.every, recipe.schedule.gamma) == (100, 256, 80, 0.1)


def test_published_values() -> None:
    (table,) = hashzoo_orthohash.hashzoo_register_paper_tables()
    assert [(row.dataset, row.bits, row.value) for row in table.rows] == [("ImageNet-100", 64, 0.711)]
