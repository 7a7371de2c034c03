"""SSDH's thresholds and loss against worked values, fits of scipy and plain loops."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import hashzoo_ssdh
import numpy as np
import pytest
import torch
from hashzoo_ssdh import losses, structure
from hashzoo_ssdh.losses import SSDHLoss
from hashzoo_ssdh.structure import blocks, deviations, find_thresholds, most_frequent, structure_of
from scipy.stats import norm

from hashzoo import Batch, HashOutput, Problem, UsageError, WorkError

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
(METHOD,) = hashzoo_ssdh.hashzoo_register_methods()
U = torch.tensor(
    [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]], dtype=torch.float64
)
S = torch.tensor([[1.0, 1, -1, 0], [1, 1, 0, -1], [-1, 0, 1, 0], [0, -1, 0, 1]], dtype=torch.float64)
DISTANCES = [0.05, 0.12, 0.31, 0.33, 0.34, 0.36, 0.38, 0.52, 0.61]


def problem(bits: int = 4, n: int = 100) -> Problem:
    return Problem(bits=bits, num_classes=3, num_train=n)


def clouds(n: int = 100, seed: int = 0, spread: float = 0.7) -> torch.Tensor:
    """Five groups in 12 dimensions, none negative, as features after a ReLU."""
    draw = torch.Generator().manual_seed(seed)
    centers = torch.rand(5, 12, generator=draw)
    return (centers[torch.arange(n) % 5] + spread * torch.rand(n, 12, generator=draw)).clamp_min(0.0)


def data(features: torch.Tensor) -> SimpleNamespace:
    return SimpleNamespace(features=lambda role: features, labels=torch.full((len(features), 3), math.nan))


def batch(index: torch.Tensor) -> Batch:
    return Batch({}, torch.full((len(index), 3), math.nan), index)


def prepared(features: torch.Tensor, **options: object) -> SSDHLoss:
    loss = SSDHLoss(problem(n=len(features)), **options)
    loss.prepare(data(features), seed=0)
    return loss


def all_distances(x: torch.Tensor) -> list[float]:
    rows = [[float(v) for v in row] for row in x]
    return [
        1.0 - sum(a * b for a, b in zip(p, q, strict=True)) / (math.hypot(*p) * math.hypot(*q))
        for i, p in enumerate(rows)
        for j, q in enumerate(rows)
        if i != j
    ]


def test_worked_deviations_and_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(features: torch.Tensor) -> Iterator[torch.Tensor]:
        yield from torch.tensor(DISTANCES, dtype=torch.float64).split(4)

    monkeypatch.setattr(structure, "blocks", given)
    left, right = deviations(torch.zeros(0), 0.34)
    assert (left, right) == pytest.approx((0.163401, 0.163783), abs=1e-6)
    monkeypatch.setattr(structure, "most_frequent", lambda features: 0.34)
    assert find_thresholds(torch.zeros(0), 2.0, 2.0) == pytest.approx((0.013197, 0.667567), abs=1e-6)


def test_deviations_are_those_of_gaussians_fitted_to_the_mirrored_halves() -> None:
    x = torch.nn.functional.normalize(clouds().double())
    mode, found = most_frequent(x), np.array(all_distances(x))
    halves = (found[found <= mode], found[found > mode])
    fitted = [norm.fit(np.concatenate([half, 2 * mode - half])) for half in halves]
    assert [mean for mean, _ in fitted] == pytest.approx([mode, mode])
    assert deviations(x, mode) == pytest.approx([deviation for _, deviation in fitted], rel=1e-9)


def test_mode_is_the_fullest_bin_without_the_diagonal() -> None:
    x = torch.nn.functional.normalize(clouds(60).double())
    counts, edges = np.histogram(all_distances(x), bins=100, range=(-1e-8, 1.0 - 1e-8))
    assert most_frequent(x) == pytest.approx(edges[counts.argmax()])
    few = torch.nn.functional.normalize(clouds(6, spread=3.0).double())
    assert most_frequent(few) >= 0  # with the six zeros of the diagonal it would be the first bin


def test_blocks_hold_every_ordered_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.nn.functional.normalize(clouds(23).double())
    monkeypatch.setattr(structure, "ROWS", 7)
    parts = list(blocks(x))
    assert len(parts) == 4
    assert sorted(torch.cat(parts).tolist()) == pytest.approx(sorted(all_distances(x)))


def test_structure_equals_a_plain_loop() -> None:
    x = torch.nn.functional.normalize(clouds(20).double())
    found = structure_of(x, torch.tensor(0.05), torch.tensor(0.2))
    distances = iter(all_distances(x))
    for i in range(20):
        for j in range(20):
            d = 0.0 if i == j else next(distances)
            assert found[i, j] == (1.0 if d < 0.05 else -1.0 if d > 0.2 else 0.0)


def test_worked_loss_and_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = prepared(clouds())
    monkeypatch.setattr(losses, "structure_of", lambda features, near, far: S)
    u = U.clone().requires_grad_()
    z = torch.tanh(u)
    value = loss(HashOutput(z, z, z), batch(torch.arange(4)))["structure"]
    (gradient,) = torch.autograd.grad(value, u)
    assert value.item() == pytest.approx(0.381324, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.041287, 0.023263, -0.021986, 0.052015], abs=1e-6)
    assert gradient[2].tolist() == pytest.approx([0.038888, -0.031670, 0.047256, -0.037794], abs=1e-6)


def test_the_features_of_the_batchs_rows_decide() -> None:
    x = clouds()
    loss = prepared(x)
    assert 0 < float(loss.thresholds[0]) < float(loss.thresholds[1])
    index = torch.tensor([17, 3, 55, 8, 22])
    z = torch.tanh(torch.randn(5, 4, generator=torch.Generator().manual_seed(1)))
    wanted = structure_of(loss.features[index].float(), *loss.thresholds)
    expected = sum(
        abs(float(wanted[i, j])) * (float(z[i] @ z[j]) / 4 - float(wanted[i, j])) ** 2
        for i in range(5)
        for j in range(5)
    )
    found = loss(HashOutput(torch.full((5, 12), math.nan), z, z), batch(index))["structure"]
    assert found.item() == pytest.approx(expected / 25, rel=1e-5)


def test_near_pairs_are_of_one_group_and_far_pairs_of_two() -> None:
    loss = prepared(clouds(spread=0.4), alpha=0.5, beta=0.5)
    found = structure_of(loss.features.float(), *loss.thresholds)
    same = (torch.arange(100)[:, None] - torch.arange(100)[None, :]) % 5 == 0
    assert same[found > 0].float().mean() > 0.9
    assert same[found < 0].float().mean() < 0.05


def test_centred_features_are_less_their_mean() -> None:
    x = clouds() + 30.0
    centred, by_hand = prepared(x, center_features=True), prepared(x - x.mean(dim=0))
    assert torch.equal(centred.thresholds, by_hand.thresholds)


def test_a_loaded_loss_has_features_and_thresholds() -> None:
    loss = prepared(clouds())
    other = SSDHLoss(problem())
    other.load_state_dict(loss.state_dict())
    z = torch.tanh(U).float()
    one, two = (x(HashOutput(z, z, z), batch(torch.tensor([9, 1, 30, 4])))["structure"] for x in (loss, other))
    assert torch.equal(one, two)
    assert set(loss.state_dict()) == {"features", "thresholds"}


def test_two_preparations_are_equal() -> None:
    assert torch.equal(prepared(clouds()).thresholds, prepared(clouds()).thresholds)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e4])
def test_odd_outputs_stay_finite(dtype: torch.dtype, value: float) -> None:
    loss = prepared(torch.cat([clouds(), torch.zeros(2, 12)]))  # two features without direction
    z = torch.full((4, 64), value, dtype=dtype, requires_grad=True)
    found = loss(HashOutput(z, z, z), batch(torch.tensor([0, 5, 100, 101])))["structure"]
    (gradient,) = torch.autograd.grad(found, z)
    assert found.dtype == torch.float32
    assert torch.isfinite(found)
    assert torch.isfinite(gradient).all()


def test_what_cannot_work_is_refused() -> None:
    for options in ({"alpha": -1.0}, {"beta": -1.0}, {"center_features": "yes"}):
        with pytest.raises(UsageError, match=r"at least 0|true or false"):
            SSDHLoss(problem(), **options)
    with pytest.raises(UsageError, match="one modality"):
        SSDHLoss(Problem(4, 3, 10, modalities=("image", "text")))
    z = torch.tanh(U).float()
    with pytest.raises(UsageError, match="prepare"):
        SSDHLoss(problem())(HashOutput(z, z, z), batch(torch.arange(4)))
    with pytest.raises(WorkError, match="no structure"):
        prepared(torch.ones(10, 12))


def test_recipe_is_the_released_codes() -> None:
    recipe = METHOD.recipe
    assert (recipe.optimizer, recipe.lr, recipe.batch_size, recipe.epochs) == ("adam", 1e-3, 24, 10)
    assert METHOD.supervision == "unsupervised"
