"""STMH against worked values, brute force, finite differences and its own objective."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from hashzoo_stmh.fitter import STMH
from hashzoo_stmh.hash_layers import ItemThreshold

from hashzoo import Problem, UsageError

# eight pairs of three numbers; the values below were worked out by hand on them
X = torch.tensor([[2, 0, 1], [1, 1, 0], [0, 2, 1], [3, 1, 2], [1, 3, 0], [0, 1, 4], [2, 2, 1], [1, 0, 3]]).double()
T = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 1, 0]]).double()
ROLES = ("image", "text")


def rows(text: str) -> torch.Tensor:
    return torch.tensor([[float(bit) for bit in row] for row in text.split()], dtype=torch.float64)


G1 = rows("1000 0100 0010 0001 1100 0110 0011 1001")
G2 = rows("1100 1100 0110 1010 0011 0011 1001 0101")


def stmh(bits: int = 4, n: int = 8, **options: Any) -> STMH:
    return STMH(Problem(bits, 3, n, modalities=ROLES), **({"lam": 0.5, "gamma": 1e-4} | options))


def random_start(n: int = 40, bits: int = 4, seed: int = 0) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    x, t = torch.randn(n, 6, generator=draw).double(), torch.randn(n, 7, generator=draw).double()
    g2 = torch.zeros(n, bits).double().scatter_(1, torch.rand(n, bits, generator=draw).argsort(1)[:, : bits // 2], 1.0)
    return x, t, torch.randn(n, bits, generator=draw).double(), g2


def layer(state: dict[str, torch.Tensor], width: int, bits: int) -> ItemThreshold:
    found = ItemThreshold(width, Problem(bits, 3, 8, modalities=ROLES))
    found.load_state_dict(state, strict=True)
    return found


def test_one_released_round_by_hand() -> None:
    method = stmh(updates="released")
    f = method.one_round(X, T, method.start(G1, G2))
    assert f.f1.flatten().tolist() == pytest.approx(
        [0.533383, 0.533250, -0.133239, 1.866494, 0.466657, 1.133279, 1.133279, 0.466657,
         0.666649, 0.666649, 1.333271, 1.333271], abs=1e-6,
    )  # fmt: skip
    assert f.f2.flatten().tolist() == pytest.approx(
        [0.999931, 0.000031, 0.000006, 0.000006, -0.249956, 0.749944, 0.249994, 0.249994,
         0.374975, -0.124975, 0.125012, 0.624963], abs=1e-6,
    )  # fmt: skip
    assert f.r[0].tolist() == pytest.approx([0.000040, 0.666596, 0.133332, 0.399984], abs=1e-6)
    assert f.r[3].tolist() == pytest.approx([0.666596, 0.000040, 0.133332, 0.399984], abs=1e-6)
    assert f.g1[0].tolist() == pytest.approx([1.248542, -0.320433, -0.538171, 0.824206], abs=1e-5)
    assert f.g1[7].tolist() == pytest.approx([0.713556, -2.607015, 1.939712, 1.256419], abs=1e-5)
    assert torch.equal(f.g2, rows("1001 0101 0110 1001 0011 0011 1001 0101"))
    assert f.weight.tolist() == pytest.approx(
        [2.373704, 1.051570, 1.686878, 1.458714, 1.036975, 0.749420, 1.035472, 1.386145], abs=1e-5
    )
    assert method.objective(X, T, f) == pytest.approx(9.330380, abs=1e-5)


def test_codes_of_the_train_items_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    method = stmh(updates="released", rounds=1)
    monkeypatch.setattr(method, "start", lambda g1, g2: STMH.start(method, G1, G2))
    state = method.fit({"image": X, "text": T}, None, 0)
    image, text = (layer(state[role], 3, 4)(x.float())[1] for role, x in (("image", X), ("text", T)))
    assert torch.equal((image > 0).double(), rows("1001 1010 0011 1001 1010 0101 1001 0101"))
    assert torch.equal((text > 0).double(), rows("1001 0110 0110 1010 0101 0011 1001 0110"))


def test_released_steps_fall_on_the_toy_and_rise_elsewhere() -> None:
    method = stmh(updates="released")
    f, values = method.start(G1, G2), []
    for _ in range(15):
        f = method.one_round(X, T, f)
        values.append(method.objective(X, T, f))
    assert (values[0], values[-1]) == (pytest.approx(9.330380, abs=1e-5), pytest.approx(6.609, abs=1e-3))
    rises = []
    for seed in range(10):
        x, t, g1, g2 = random_start(seed=seed)
        f, before = method.start(g1, g2), float("inf")
        for _ in range(15):
            f = method.one_round(x, t, f)
            after = method.objective(x, t, f)
            rises.append(after - before)
            before = after
    assert max(rises) > 0.01


@pytest.mark.parametrize("gamma", [1e-4, 1e-2, 1.0])
def test_the_objective_never_rises_with_exact_steps(gamma: float) -> None:
    method = stmh(gamma=gamma)
    for seed in range(3):
        x, t, g1, g2 = random_start(seed=seed)
        f, values = method.start(g1, g2), []
        for _ in range(30):
            f = method.one_round(x, t, f)
            values.append(method.objective(x, t, f))
            assert (f.g2.sum(1) == 2).all()
        assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))
        assert values[-1] < values[0]


def test_each_exact_step_is_the_minimum() -> None:
    method, (x, t, g1, g2) = stmh(gamma=0.01), random_start()
    old = method.one_round(x, t, method.start(g1, g2))
    f = method.one_round(x, t, old)
    # scores of images: no gradient of the reweighted objective at them
    free = f.g1.clone().requires_grad_()
    cost = (old.weight[:, None] * (x - free @ f.f1.T).square()).sum() + 0.5 * (old.g2 - free @ f.r).square().sum()
    (gradient,) = torch.autograd.grad(cost + 0.01 * free.square().sum(), free)
    assert gradient.abs().max() < 1e-9
    # choices of texts: the best of all subsets of two of four topics
    subsets = [torch.tensor(c).double() for c in itertools.product((0.0, 1.0), repeat=4) if sum(c) == 2]
    for row in range(8):

        def value(choice: torch.Tensor, row: int = row) -> float:
            chosen = f.g2.clone()
            chosen[row] = choice
            return method.objective(x, t, replace(f, g2=chosen))

        assert value(f.g2[row]) == pytest.approx(min(map(value, subsets)), abs=1e-12)


def test_the_hash_layer_against_a_plain_loop() -> None:
    draw = torch.Generator().manual_seed(0)
    for bits in (1, 2, 5, 8):
        weight, bias = torch.randn(3, bits, generator=draw), torch.randn(bits, generator=draw)
        x = torch.randn(30, 3, generator=draw)
        for topics in (0.0, 1.0):
            relaxed, codes = layer({"weight": weight, "bias": bias, "topics": torch.tensor(topics)}, 3, bits)(x)
            assert torch.equal(codes > 0, relaxed >= 0)
            for row, scores in zip(codes, x @ weight + bias, strict=True):
                if topics:
                    k = max(1, (bits + 1) // 2)
                    best = sorted(range(bits), key=lambda c: (-scores[c].item(), c))[:k]
                    assert sorted(best) == (row > 0).nonzero().flatten().tolist()
                else:
                    middle = scores.double().quantile(0.5).float()
                    assert torch.equal(row > 0, (scores >= middle) | torch.isclose(scores, middle, atol=1e-6))


def test_equal_scores_go_to_the_lower_index() -> None:
    state = {"weight": torch.zeros(3, 4), "bias": torch.tensor([0.0, 0.0, 0.0, -1.0])}
    _, codes = layer({**state, "topics": torch.tensor(1.0)}, 3, 4)(torch.zeros(2, 3))
    assert codes[0].tolist() == [1.0, 1.0, -1.0, -1.0]
    _, codes = layer({**state, "topics": torch.tensor(0.0)}, 3, 4)(torch.zeros(2, 3))
    assert codes[0].tolist() == [1.0, 1.0, 1.0, -1.0]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="needs two modalities; got 1"):
        STMH(Problem(2, 3, 8))
    for options in ({"lam": 0.0}, {"gamma": -1.0}, {"rounds": 0}, {"updates": "other"}):
        with pytest.raises(UsageError, match="must be"):
            stmh(**options)


def test_the_seed_decides() -> None:
    x, t, _, _ = random_start()
    fits = [stmh(8, 40).fit({"image": x, "text": t}, None, seed)["text"]["weight"] for seed in (0, 0, 1)]
    assert torch.equal(fits[0], fits[1])
    assert not torch.equal(fits[0], fits[2])
