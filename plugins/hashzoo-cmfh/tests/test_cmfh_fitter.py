"""CMFH against worked values, plain least squares and its own objective."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hashzoo_cmfh.fitter import CMFH

from hashzoo import Problem, UsageError

# eight pairs of three numbers; the values below were worked out by hand on them
X = torch.tensor([[2, 0, 1], [1, 1, 0], [0, 2, 1], [3, 1, 2], [1, 3, 0], [0, 1, 4], [2, 2, 1], [1, 0, 3]]).double()
T = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 1, 0]]).double()
ROLES = ("image", "text")
V0 = torch.tensor([[1, 0], [1, 1], [0, 1], [1, -1], [-1, 1], [-1, -1], [0, -1], [-1, 0]]).double()
P0 = torch.eye(3, dtype=torch.float64)[:, :2]


def cmfh(bits: int = 2, n: int = 8, **options: Any) -> CMFH:
    return CMFH(Problem(bits, 3, n, modalities=ROLES), **options)


def centred() -> tuple[torch.Tensor, torch.Tensor]:
    return X - X.mean(0), T - T.mean(0)


def random_pairs(n: int = 120) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    common = torch.randn(n, 4, generator=draw)
    x = common @ torch.randn(4, 9, generator=draw) + 0.3 * torch.randn(n, 9, generator=draw) + 3.0
    y = common @ torch.randn(4, 6, generator=draw) + 0.3 * torch.randn(n, 6, generator=draw) - 1.0
    return x, y


def test_one_round_by_hand() -> None:
    method, x = cmfh(), centred()
    ridges = method.ridges(x)
    (u1, u2), v, (p1, p2) = method.one_round(x, ridges, V0, (P0, P0))
    assert u1.flatten().tolist() == pytest.approx(
        [0.664452, -0.332226, -0.664452, -0.498339, 0.332226, -0.996678], abs=1e-6
    )
    assert u2.flatten().tolist() == pytest.approx(
        [0.498339, -0.166113, -0.166113, -0.166113, 0.498339, -0.166113], abs=1e-6
    )
    assert v[0].tolist() == pytest.approx([0.626855, -0.873237], abs=1e-6)
    assert v[7].tolist() == pytest.approx([-0.376175, -0.376770], abs=1e-6)
    assert p1.flatten().tolist() == pytest.approx(
        [0.661287, -0.172337, -0.088414, 0.457515, -0.081158, -0.112866], abs=1e-6
    )
    assert p2.flatten().tolist() == pytest.approx(
        [1.128689, 0.003943, -0.246515, 1.005885, -0.123872, 0.502297], abs=1e-6
    )
    assert method.objective(x, (u1, u2), V0, (P0, P0)) == pytest.approx(1908.772957, abs=1e-5)
    assert method.objective(x, (u1, u2), v, (P0, P0)) == pytest.approx(558.987086, abs=1e-5)
    assert method.objective(x, (u1, u2), v, (p1, p2)) == pytest.approx(252.586832, abs=1e-5)


def test_the_released_ridges_by_hand() -> None:
    method, x = cmfh(ridges="released"), centred()
    (u1, u2), v, (p1, p2) = method.one_round(x, method.ridges(x), V0, (P0, P0))
    assert v[0].tolist() == pytest.approx([0.626855, -0.873228], abs=1e-6)
    assert p1[0].tolist() == pytest.approx([0.660345, -0.172296], abs=1e-6)
    assert method.objective(x, (u1, u2), V0, (P0, P0)) == pytest.approx(1908.772981, abs=1e-5)
    assert method.objective(x, (u1, u2), v, (p1, p2)) == pytest.approx(252.601423, abs=1e-5)


def test_the_objective_never_rises_and_every_step_is_stationary() -> None:
    method, x = cmfh(), centred()
    ridges, v, p = method.ridges(x), V0, (P0, P0)
    values = []
    for _ in range(500):
        u, v, p = method.one_round(x, ridges, v, p)
        values.append(method.objective(x, u, v, p))
    assert all(later <= earlier + 2e-12 for earlier, later in itertools.pairwise(values))
    assert values[-1] == pytest.approx(9.211412, abs=1e-5)
    assert v.mean(0).abs().max() < 1e-12  # the numerator of V is linear in centred rows
    leaves = [t.clone().requires_grad_() for t in (*u, v, *p)]
    u1, u2, free_v, p1, p2 = leaves
    total = 0.01 * sum(t.square().sum() for t in leaves)
    for table, basis, projection in ((x[0], u1, p1), (x[1], u2, p2)):
        total = total + 0.5 * (table - free_v @ basis).square().sum()
        total = total + 100.0 * (free_v - table @ projection).square().sum()
    assert total.item() == pytest.approx(values[-1], rel=1e-12)
    for gradient in torch.autograd.grad(total, (p1, p2)):  # the last step's minimum
        assert gradient.abs().max() < 1e-9


def test_what_is_fitted_is_a_projection_of_centred_features() -> None:
    x, y = random_pairs()
    method = cmfh(4, 120)
    state = method.fit({"image": x, "text": y}, None, 0)
    assert torch.allclose(state["image"]["mean"], x.mean(0))
    assert state["image"]["weight"].shape == (9, 4)
    assert not state["text"]["bias"].any()
    again, other = (method.fit({"image": x, "text": y}, None, seed) for seed in (0, 1))
    assert torch.equal(again["text"]["weight"], state["text"]["weight"])
    assert not torch.equal(other["text"]["weight"], state["text"]["weight"])
    shifted = method.fit({"image": x + 7.0, "text": y}, None, 0)
    assert torch.allclose(shifted["image"]["weight"], state["image"]["weight"], atol=1e-4)


def test_the_modalities_agree_on_what_they_share() -> None:
    x, y = random_pairs(400)
    state = cmfh(8, 400).fit({"image": x, "text": y}, None, 0)
    one, two = ((t - state[r]["mean"]) @ state[r]["weight"] >= 0 for r, t in (("image", x), ("text", y)))
    assert (one == two).float().mean() > 0.85


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        CMFH(Problem(2, 3, 8))
    for options in ({"lam": 1.0}, {"gamma": 0.0}, {"rounds": 0}, {"ridges": "other"}):
        with pytest.raises(UsageError, match=r"must be"):
            cmfh(**options)
