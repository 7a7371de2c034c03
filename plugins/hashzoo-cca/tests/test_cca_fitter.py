"""CCA against worked values, its own conditions, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from hashzoo_cca.fitter import CCA

from hashzoo import Problem, UsageError

# eight pairs of three numbers; the values below were worked out by hand on them
X = torch.tensor([[2, 0, 1], [1, 1, 0], [0, 2, 1], [3, 1, 2], [1, 3, 0], [0, 1, 4], [2, 2, 1], [1, 0, 3]]).float()
T = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 1, 0]]).float()

ROLES = ("image", "text")


def fitted(x: torch.Tensor, y: torch.Tensor, bits: int = 2, seed: int = 0, **options: Any) -> dict[str, Any]:
    problem = Problem(bits, 3, len(x), modalities=ROLES)
    return CCA(problem, **options).fit({"image": x, "text": y}, None, seed)


def codes(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return ((x - state["mean"]) @ state["weight"] + state["bias"] >= 0).int()


def random_pairs(n: int = 200, d: int = 7, e: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    common = torch.randn(n, 4, generator=draw)
    x = common @ torch.randn(4, d, generator=draw) + 0.5 * torch.randn(n, d, generator=draw) + 3.0
    y = common @ torch.randn(4, e, generator=draw) + 0.5 * torch.randn(n, e, generator=draw) - 1.0
    return x, y


def test_worked_values() -> None:
    state = fitted(X, T)
    expected = [[-0.019203, 0.331200], [0.158423, -0.075634], [0.298851, 0.088448]]
    assert state["image"]["weight"].numpy() == pytest.approx(np.array(expected), abs=2e-6)
    expected = [[-0.824664, 0.237851], [-0.779103, -0.624682], [-0.304841, -0.358975]]
    assert state["text"]["weight"].numpy() == pytest.approx(np.array(expected), abs=2e-6)
    assert state["image"]["mean"].tolist() == [1.25, 1.25, 1.5]
    projected = (X[0] - state["image"]["mean"]) @ state["image"]["weight"]
    assert projected.tolist() == pytest.approx([-0.361856, 0.298719], abs=2e-6)
    bits = ["".join(map(str, row)) for row in codes(state["image"], X).tolist()]
    assert bits == ["01", "00", "00", "11", "00", "10", "01", "11"]
    bits = ["".join(map(str, row)) for row in codes(state["text"], T).tolist()]
    assert bits == ["01", "00", "10", "11", "00", "11", "01", "10"]


def test_weights_meet_the_conditions_of_cca_and_solve_the_eigenproblem() -> None:
    x, y = (t.double() - t.double().mean(0) for t in random_pairs())
    w, v = CCA(Problem(5, 3, 200, modalities=ROLES), regularization=1e-3).weights(x, y)
    cxx = x.T @ x + 1e-3 * torch.eye(7)
    cyy = y.T @ y + 1e-3 * torch.eye(5)
    assert torch.allclose(w.T @ cxx @ w, torch.eye(5).double(), atol=1e-9)
    assert torch.allclose(v.T @ cyy @ v, torch.eye(5).double(), atol=1e-9)
    cross = w.T @ (x.T @ y) @ v
    assert torch.allclose(cross, torch.diag(cross.diagonal()), atol=1e-9)
    rho = cross.diagonal()
    assert (rho[:-1] >= rho[1:]).all()
    assert 0.0 <= rho[-1] <= rho[0] <= 1.0
    cxy = (x.T @ y).numpy()
    squares = scipy.linalg.eigh(cxy @ np.linalg.inv(cyy.numpy()) @ cxy.T, cxx.numpy(), eigvals_only=True)
    assert (rho**2).numpy() == pytest.approx(squares[::-1][:5], abs=1e-9)


def test_codes_do_not_depend_on_the_basis_of_a_modality_nor_on_the_order_of_pairs() -> None:
    x, y = random_pairs()
    state = fitted(x, y, 4)
    mixing = torch.randn(7, 7, generator=torch.Generator().manual_seed(1)) + 3.0 * torch.eye(7)
    other = fitted(x @ mixing + 5.0, y, 4)
    one, two = codes(state["image"], x), codes(other["image"], x @ mixing + 5.0)
    # the sign of a direction is fixed by its weights, which another basis changes: both modalities flip together
    flipped = (one != two).float().mean(0)
    assert ((flipped < 0.02) | (flipped > 0.98)).all()
    both = (codes(state["text"], y) != codes(other["text"], y)).float().mean(0)
    assert torch.allclose(both.round(), flipped.round())
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(2))
    again = fitted(x[order], y[order], 4)
    assert torch.allclose(again["image"]["weight"], state["image"]["weight"], atol=1e-5)


def test_shorter_codes_are_prefixes() -> None:
    x, y = random_pairs()
    assert torch.equal(fitted(x, y, 5)["text"]["weight"][:, :3], fitted(x, y, 3)["text"]["weight"])


def test_trace_scale_does_not_see_the_unit_of_the_features() -> None:
    x, y = random_pairs()
    one = fitted(x, y, 3, scale="trace", regularization=0.1)
    other = fitted(1000.0 * x, 0.01 * y, 3, scale="trace", regularization=0.1)
    for role, factor in (("image", 1000.0), ("text", 0.01)):
        assert torch.allclose(other[role]["weight"] * factor, one[role]["weight"], rtol=1e-4)
    absolute = fitted(x, y, 3, regularization=0.1)
    assert not torch.allclose(absolute["image"]["weight"], one["image"]["weight"], rtol=1e-4)


def test_too_many_bits_are_refused_or_filled() -> None:
    x, y = random_pairs()
    with pytest.raises(UsageError, match=r"finds 5 correlated directions.*fewer than 6 bits"):
        fitted(x, y, 6)
    state = fitted(x, y, 8, fill="random")
    assert state["image"]["weight"].shape == (7, 8)
    assert torch.equal(state["image"]["weight"][:, :5], fitted(x, y, 5)["image"]["weight"])
    assert not torch.equal(state["image"]["weight"], fitted(x, y, 8, seed=1, fill="random")["image"]["weight"])
    constant = torch.cat([y, torch.zeros(len(y), 4)], dim=1)  # columns never used add no direction
    with pytest.raises(UsageError, match="finds 5"):
        fitted(x, constant, 7)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        CCA(Problem(2, 3, 8))
    for options in ({"regularization": -1.0}, {"scale": "mean"}, {"fill": "zeros"}):
        with pytest.raises(UsageError, match="must be"):
            CCA(Problem(2, 3, 8, modalities=ROLES), **options)
