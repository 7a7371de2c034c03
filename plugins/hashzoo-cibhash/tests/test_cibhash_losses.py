"""CIBHash's loss, head, views and trainer against worked values and plain loops."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import hashzoo_cibhash
import pytest
import torch
from hashzoo_cibhash.hash_layers import CIBHashLayer, ThroughProbability
from hashzoo_cibhash.losses import CIBHashLoss, bernoulli_divergence
from hashzoo_cibhash.trainer import CIBHashTrainer
from hashzoo_cibhash.views import random_view

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import sign

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
(METHOD,) = hashzoo_cibhash.hashzoo_register_methods()
U = torch.tensor(
    [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]], dtype=torch.float64
)
V = torch.tensor(
    [[0.6, -0.1, 0.7, -0.2], [0.4, -0.2, 1, -0.5], [-0.3, 0.8, -0.6, -0.1], [0.2, -0.5, -0.1, 0.6]], dtype=torch.float64
)


def problem(bits: int = 4) -> Problem:
    return Problem(bits=bits, num_classes=3, num_train=100)


def through(logits: torch.Tensor) -> torch.Tensor:
    return ThroughProbability.apply(logits, sign(logits))


def terms(loss: CIBHashLoss, logits: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
    labels = torch.full((len(logits), 3), math.nan)
    return loss(HashOutput(logits, logits, through(logits)), Batch({}, labels, index))


TWICE = torch.arange(4).repeat(2)


def test_worked_values() -> None:
    found = terms(CIBHashLoss(problem(), bottleneck_weight=1.0), torch.cat([U, V]), TWICE)
    assert found["contrast"].item() == pytest.approx(1.017696, abs=1e-6)
    assert found["bottleneck"].item() == pytest.approx(0.065648, abs=1e-6)
    default = terms(CIBHashLoss(problem()), torch.cat([U, V]), TWICE)
    assert sum(default.values()).item() == pytest.approx(1.017762, abs=1e-6)
    assert bernoulli_divergence(U, V).mean().item() == pytest.approx(0.064849, abs=1e-6)
    assert bernoulli_divergence(V, U).mean().item() == pytest.approx(0.066447, abs=1e-6)


def test_worked_gradients() -> None:
    u = U.clone().requires_grad_()
    loss = CIBHashLoss(problem(), bottleneck_weight=1.0)
    found = terms(loss, torch.cat([u, V]), TWICE)
    (contrast,) = torch.autograd.grad(found["contrast"], u, retain_graph=True)
    assert contrast[0].tolist() == pytest.approx([0.009905, 0.007291, 0.003860, 0.008615], abs=1e-6)
    assert contrast[2].tolist() == pytest.approx([0.012103, -0.010668, 0.000574, 0.024876], abs=1e-6)
    (bottleneck,) = torch.autograd.grad(found["bottleneck"], u)
    assert bottleneck[0].tolist() == pytest.approx([0.005348, -0.009010, 0.011118, -0.011439], abs=1e-6)


def test_equals_a_plain_loop() -> None:
    rows = torch.cat([U, V]).tolist()
    codes = [[1.0 if v >= 0 else -1.0 for v in row] for row in rows]

    def near(i: int, j: int) -> float:
        return sum(a * b for a, b in zip(codes[i], codes[j], strict=True)) / 4 / 0.5

    contrast = bottleneck = 0.0
    for i in range(8):
        j = (i + 4) % 8
        contrast += math.log(sum(math.exp(near(i, k)) for k in range(8) if k != i)) - near(i, j)
        for a, b in zip(rows[i], rows[j], strict=True):
            p, q = 1.0 / (1.0 + math.exp(-a)), 1.0 / (1.0 + math.exp(-b))
            bottleneck += p * math.log(p / q) + (1.0 - p) * math.log((1.0 - p) / (1.0 - q))
    found = terms(CIBHashLoss(problem(), temperature=0.5, bottleneck_weight=0.1), torch.cat([U, V]), TWICE)
    assert found["contrast"].item() == pytest.approx(contrast / 8)
    assert found["bottleneck"].item() == pytest.approx(0.1 * bottleneck / 8)


def test_views_are_found_by_index_in_any_order() -> None:
    order = torch.randperm(8, generator=torch.Generator().manual_seed(3))
    logits = torch.cat([U, V])
    first = terms(CIBHashLoss(problem()), logits, TWICE)
    again = terms(CIBHashLoss(problem()), logits[order], TWICE[order])
    for name, value in first.items():
        assert value.item() == pytest.approx(again[name].item())


def test_without_second_views_there_is_nothing_to_learn() -> None:
    for n in (1, 4):
        u = U[:n].clone().requires_grad_()
        found = terms(CIBHashLoss(problem()), u, torch.arange(n))
        (gradient,) = torch.autograd.grad(sum(found.values()), u)
        assert sum(found.values()).item() == 0.0
        assert not gradient.any()


def test_divergence_is_exact_where_probabilities_are_not() -> None:
    a = torch.tensor([[60.0], [-60.0], [0.0]], requires_grad=True)
    found = bernoulli_divergence(a, -a.detach())
    assert found.tolist() == pytest.approx([60.0, 60.0, 0.0])
    (gradient,) = torch.autograd.grad(found.sum(), a)
    assert torch.isfinite(gradient).all()


def test_the_head_gives_log_odds_and_signs_or_draws() -> None:
    torch.manual_seed(0)
    layer = CIBHashLayer(6, problem(8), hidden=16)
    logits, codes = layer(torch.randn(5, 6))
    assert torch.equal(codes, torch.where(logits >= 0, 1.0, -1.0))
    upstream = torch.randn(5, 8)
    (gradient,) = torch.autograd.grad(codes, logits, upstream)
    p = torch.sigmoid(logits)
    assert torch.allclose(gradient, upstream * p * (1 - p))
    sampled = CIBHashLayer(6, problem(8), hidden=16, codes="sampled")
    features = torch.randn(1, 6).expand(20_000, 6)
    logits, codes = sampled(features)
    assert torch.allclose(codes.mean(dim=0), 2 * torch.sigmoid(logits[0]) - 1, atol=0.03)
    logits, codes = sampled.eval()(features[:3])
    assert torch.equal(codes, torch.where(logits >= 0, 1.0, -1.0))


def images(n: int = 32, height: int = 24, width: int = 20) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    small = torch.rand(n, 3, 4, 4, generator=draw)
    large = torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)
    return (255 * large).round().to(torch.uint8).permute(0, 2, 3, 1)


def test_views_differ_from_each_other_and_resemble_their_image() -> None:
    x = images()
    torch.manual_seed(1)
    first, second = random_view(x), random_view(x)
    torch.manual_seed(1)
    assert torch.equal(first, random_view(x))
    assert first.shape == x.shape
    assert first.dtype == torch.uint8
    assert not torch.equal(first, second)
    own = (first.float() - x.float()).square().mean(dim=(1, 2, 3))
    other = (first.float() - x.roll(1, 0).float()).square().mean(dim=(1, 2, 3))
    assert own.mean() < 0.7 * other.mean()


def test_views_without_draws_are_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashzoo_cibhash.views.SMALLEST_PART", 1.0)
    monkeypatch.setattr("hashzoo_cibhash.views.JITTERED", 0.0)
    monkeypatch.setattr("hashzoo_cibhash.views.GRAYED", 0.0)
    monkeypatch.setattr("hashzoo_cibhash.views.BLURRED", 0.0)
    x = images()
    monkeypatch.setattr("torch.rand", lambda n: torch.full((n,), 0.5))  # ratio 1, no shift, not mirrored
    assert torch.equal(random_view(x), x)


def test_gray_views_have_equal_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashzoo_cibhash.views.GRAYED", 1.0)
    monkeypatch.setattr("hashzoo_cibhash.views.BLURRED", 0.0)
    found = random_view(images()).int()
    assert int((found[..., 0] - found[..., 1]).abs().max()) <= 1


def test_vectors_get_noise_or_dropout() -> None:
    torch.manual_seed(0)
    x = torch.randn(400, 50) * torch.arange(1.0, 51.0)
    x[:, 0] = 7.0
    change = CIBHashTrainer(noise=0.5).view(x) - x
    assert not change[:, 0].any()
    assert (change[:, 1:].std(dim=0) / x[:, 1:].std(dim=0)).mean().item() == pytest.approx(0.5, abs=0.02)
    assert torch.isfinite(CIBHashTrainer().view(x[:1])).all()
    view = CIBHashTrainer(views="dropout", dropout=0.25).view(torch.ones(400, 50))
    assert view.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert (view == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    with pytest.raises(UsageError, match="not for vectors; use noise or dropout"):
        CIBHashTrainer(views="augment").view(x)
    with pytest.raises(UsageError, match="not for images; use augment"):
        CIBHashTrainer(views="noise").view(images())


def test_what_cannot_work_is_refused() -> None:
    two = SimpleNamespace(data=SimpleNamespace(modalities=("image", "text")))
    with pytest.raises(UsageError, match="one modality; got image, text"):
        CIBHashTrainer().begin(two)
    many = SimpleNamespace(data=SimpleNamespace(modalities=("image",)), accelerator=SimpleNamespace(num_processes=2))
    with pytest.raises(UsageError, match="one process"):
        CIBHashTrainer().fit(many)
    u = U.clone().requires_grad_()
    with pytest.raises(UsageError, match="--hash-layer cibhash"):
        CIBHashLoss(problem())(HashOutput(u, u, sign(u)), Batch({}, torch.zeros(4, 3), torch.arange(4)))
    for build, wrong in (
        (CIBHashTrainer, {"views": "crop"}),
        (CIBHashTrainer, {"dropout": 1.0}),
        (CIBHashTrainer, {"noise": 0.0}),
        (lambda **o: CIBHashLoss(problem(), **o), {"temperature": 0.0}),
        (lambda **o: CIBHashLoss(problem(), **o), {"bottleneck_weight": -1.0}),
        (lambda **o: CIBHashLayer(6, problem(), **o), {"hidden": 0}),
        (lambda **o: CIBHashLayer(6, problem(), **o), {"codes": "soft"}),
    ):
        with pytest.raises(UsageError, match=next(iter(wrong)) + "|Known"):
            build(**wrong)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_odd_outputs_stay_finite(dtype: torch.dtype, value: float) -> None:
    logits = torch.full((8, 64), value, dtype=dtype, requires_grad=True)
    total = sum(terms(CIBHashLoss(problem(64)), logits, TWICE).values())
    (gradient,) = torch.autograd.grad(total, logits)
    assert total.dtype == torch.float32
    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()


def test_recipe_is_the_released_codes() -> None:
    recipe = METHOD.recipe
    assert (recipe.optimizer, recipe.lr, recipe.backbone_lr_scale, recipe.weight_decay) == ("adam", 1e-3, 0.0, 0.0)
    assert (recipe.epochs, recipe.batch_size) == (60, 64)
    assert METHOD.supervision == "unsupervised"
    assert METHOD.trainer == "cibhash"


def test_published_values_say_that_they_are_recalled() -> None:
    (table,) = hashzoo_cibhash.hashzoo_register_paper_tables()
    assert {row.confidence for row in table.rows} == {"recalled"}
    cells = {(row.dataset, row.bits): row.value for row in table.rows}
    assert cells["CIFAR-10", 64] == pytest.approx(0.641)
