"""Bi-half Net's layer and loss against worked values, plain loops and what halves are."""

from __future__ import annotations

import math
from pathlib import Path

import hashzoo_bihalf
import pytest
import torch
from hashzoo_bihalf.hash_layers import BiHalfLayer, PullToCodes, halves
from hashzoo_bihalf.losses import BiHalfLoss

from hashzoo import Batch, HashOutput, Problem, UsageError

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
(METHOD,) = hashzoo_bihalf.hashzoo_register_methods()
U = torch.tensor(
    [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]], dtype=torch.float64
)
X = torch.tensor([[1.0, 0, 2], [0, 1, 1], [2, 1, 0], [1, 1, 1]], dtype=torch.float64)
B = torch.tensor([[1.0, -1, 1, -1], [1, 1, 1, -1], [-1, 1, -1, 1], [-1, -1, -1, 1]], dtype=torch.float64)


def problem(bits: int = 4) -> Problem:
    return Problem(bits=bits, num_classes=3, num_train=100)


def structure(loss: BiHalfLoss, codes: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    labels = torch.full((len(codes), 3), math.nan)
    (value,) = loss(HashOutput(features, codes, codes), Batch({}, labels, torch.arange(len(codes)))).values()
    return value


def angle(a: torch.Tensor, b: torch.Tensor) -> float:
    a, b = a.tolist(), b.tolist()
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def test_the_pull_is_not_scaled_with_the_loss_so_that_fp16_is_refused() -> None:
    """The defect that `no_fp16` keeps away: of a loss that is scaled, the pull is that of one that is not."""

    def gradient(scale: float) -> torch.Tensor:
        relaxed = U.clone().requires_grad_()
        codes = PullToCodes.apply(relaxed, halves(relaxed), 6.0)
        (found,) = torch.autograd.grad(scale * structure(BiHalfLoss(problem()), codes, X), relaxed)
        return found / scale

    assert not torch.allclose(gradient(65536.0), gradient(1.0), rtol=0.1)
    assert "adds a pull to the gradient" in BiHalfLayer.no_fp16


def test_worked_halves_and_gradient() -> None:
    assert torch.equal(halves(U), B)
    u = U.clone().requires_grad_()
    codes = PullToCodes.apply(u, halves(u), 6.0)
    assert torch.equal(codes, B)
    (gradient,) = torch.autograd.grad(codes, u, torch.full_like(U, 0.1))
    assert gradient[0].tolist() == pytest.approx([0.025, 0.325, 0.175, 0.25])
    assert torch.allclose(gradient, 0.1 + 6.0 * (U - B) / 16)


def test_worked_loss_and_gradient() -> None:
    loss = BiHalfLoss(problem())
    u = U.clone().requires_grad_()
    value = structure(loss, PullToCodes.apply(u, halves(u), 6.0), X)
    assert value.item() == pytest.approx(2.629830, abs=1e-6)
    (gradient,) = torch.autograd.grad(value, u)
    assert gradient[0].tolist() == pytest.approx([-0.075, 0.225, 0.075, 0.150], abs=1e-6)
    assert gradient[2].tolist() == pytest.approx([0.1125, -0.150, 0.300, -0.225], abs=1e-6)
    assert structure(BiHalfLoss(problem(), pairs="all"), B, X).item() == pytest.approx(1.273905, abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 7, 64])
def test_each_bit_splits_the_batch_in_halves(n: int) -> None:
    u = torch.randn(n, 12, generator=torch.Generator().manual_seed(n))
    found = halves(u)
    assert found.sum(dim=0).tolist() == [-(n % 2)] * 12  # of an odd number one more is -1
    for column, codes in zip(u.T.tolist(), found.T.tolist(), strict=True):
        up = [value for value, code in zip(column, codes, strict=True) if code > 0]
        down = [value for value, code in zip(column, codes, strict=True) if code < 0]
        assert len(up) == n // 2
        assert min(up) >= max(down)
    assert torch.equal(halves(3.0 * u + 5.0), found)  # only the order counts


def test_equal_values_are_split_by_their_rows() -> None:
    assert halves(torch.zeros(4, 2)).tolist() == [[1, 1], [1, 1], [-1, -1], [-1, -1]]


def test_the_layer_splits_in_training_and_signs_otherwise() -> None:
    torch.manual_seed(0)
    layer = BiHalfLayer(6, problem(8))
    features = torch.randn(10, 6) + 4.0
    relaxed, codes = layer(features)
    assert torch.equal(codes, halves(relaxed))
    assert codes.requires_grad
    layer.eval()
    relaxed, codes = layer(features)
    assert torch.equal(codes, torch.where(relaxed >= 0, 1.0, -1.0))
    one, code = layer.train()(features[:1])
    assert torch.equal(code, torch.where(one >= 0, 1.0, -1.0))


def test_halves_of_a_batch_are_paired_as_in_the_released_code() -> None:
    draw = torch.Generator().manual_seed(6)
    codes = torch.randint(0, 2, (7, 8), generator=draw).double() * 2 - 1
    x = torch.randn(7, 5, generator=draw, dtype=torch.float64)
    expected = [(angle(codes[i], codes[i + 3]) - angle(x[i], x[i + 3])) ** 2 for i in range(3)]
    assert structure(BiHalfLoss(problem(8)), codes, x).item() == pytest.approx(sum(expected) / 3)
    assert structure(BiHalfLoss(problem(8)), codes[:1], x[:1]).item() == 0.0


def test_all_pairs_and_centred_features_equal_plain_loops() -> None:
    draw = torch.Generator().manual_seed(7)
    codes = torch.randint(0, 2, (5, 8), generator=draw).double() * 2 - 1
    x = torch.randn(5, 6, generator=draw, dtype=torch.float64) + 3.0
    centred = x - sum(x) / 5
    expected = [
        (angle(codes[i], codes[j]) - angle(centred[i], centred[j])) ** 2 for i in range(5) for j in range(5) if i != j
    ]
    loss = BiHalfLoss(problem(8), pairs="all", center_features=True)
    assert structure(loss, codes, x).item() == pytest.approx(sum(expected) / 20)


def test_the_gradient_stops_at_the_features() -> None:
    features = torch.randn(6, 5, requires_grad=True)
    u = torch.randn(6, 8, requires_grad=True)
    value = structure(BiHalfLoss(problem(8)), PullToCodes.apply(u, halves(u), 6.0), features)
    got = torch.autograd.grad(value, [features, u], allow_unused=True)
    assert got[0] is None
    assert got[1].any()


def test_a_hash_layer_without_gradient_of_the_codes_is_refused() -> None:
    u = torch.randn(4, 8, requires_grad=True)
    with pytest.raises(UsageError, match="--hash-layer bihalf"):
        BiHalfLoss(problem(8))(HashOutput(u, u, u.detach().sign()), Batch({}, torch.zeros(4, 3), torch.arange(4)))


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(UsageError, match="one process; got 2"):
        BiHalfLayer(6, problem())(torch.randn(4, 6))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 1e4])
def test_odd_outputs_stay_finite(dtype: torch.dtype, value: float) -> None:
    for pairs in ("halves", "all"):
        u = torch.full((4, 64), value, dtype=dtype, requires_grad=True)
        found = structure(BiHalfLoss(problem(64), pairs=pairs), PullToCodes.apply(u, halves(u), 6.0), u)
        (gradient,) = torch.autograd.grad(found, u)
        assert found.dtype == torch.float32
        assert torch.isfinite(found)
        assert torch.isfinite(gradient).all()


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="Known: all, halves"):
        BiHalfLoss(problem(), pairs="some")
    with pytest.raises(UsageError, match="true or false"):
        BiHalfLoss(problem(), center_features=1)
    with pytest.raises(UsageError, match="gamma"):
        BiHalfLayer(6, problem(), gamma=-1.0)


def test_recipe_is_the_released_codes() -> None:
    recipe = METHOD.recipe
    assert (recipe.optimizer, recipe.lr, recipe.backbone_lr_scale, recipe.weight_decay) == ("sgd", 1e-4, 0.0, 5e-4)
    assert (recipe.epochs, recipe.batch_size, recipe.schedule.every, recipe.schedule.gamma) == (300, 32, 120, 0.1)
    assert METHOD.supervision == "unsupervised"


def test_published_values() -> None:
    (table,) = hashzoo_bihalf.hashzoo_register_paper_tables()
    assert [(row.dataset, row.bits, row.value, row.metric) for row in table.rows] == [
        ("CIFAR-10", 64, 0.595, "map@1000")
    ]
