"""SCM against worked values, the dense objective and a plain loop."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from hashzoo_scm.fitter import SCM, top_triples

from hashzoo import Problem, UsageError

# eight pairs of three numbers, one with two labels and one without; the values below were worked out by hand on them
X = torch.tensor([[2, 0, 1], [1, 1, 0], [0, 2, 1], [3, 1, 2], [1, 3, 0], [0, 1, 4], [2, 2, 1], [1, 0, 3]]).double()
T = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 1, 0]]).double()
LABELS = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 0, 0]]).double()
ROLES = ("image", "text")


def fitted(x: torch.Tensor, y: torch.Tensor, labels: torch.Tensor, bits: int = 2, **options: Any) -> dict[str, Any]:
    problem = Problem(bits, labels.shape[1], len(x), modalities=ROLES)
    return SCM(problem, **options).fit({"image": x.float(), "text": y.float()}, labels.float(), 0)


def signs(state: dict[str, Any], x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    both = []
    for role, t in zip(ROLES, (x, y), strict=True):
        both.append(torch.where((t.float() - state[role]["mean"]) @ state[role]["weight"] >= 0, 1.0, -1.0).double())
    return both[0], both[1]


def residuals(h1: torch.Tensor, h2: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """|K S - sum of the first t bits' products|^2 over all pairs, S formed densely."""
    t = labels / labels.norm(dim=1, keepdim=True).clamp_min(1e-12)
    rest = h1.shape[1] * (2.0 * t @ t.T - 1.0)
    values = [rest.square().sum().item()]
    for k in range(h1.shape[1]):
        rest = rest - torch.outer(h1[:, k], h2[:, k])
        values.append(rest.square().sum().item())
    return values


def random_pairs(n: int = 300, d: int = 12, e: int = 9, c: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    labels = (torch.rand(n, c, generator=draw) < 0.3).double()
    x = labels @ torch.randn(c, d, generator=draw).double() + torch.randn(n, d, generator=draw).double()
    y = labels @ torch.randn(c, e, generator=draw).double() + torch.randn(n, e, generator=draw).double() + 2.0
    return x, y, labels


def test_sequential_by_hand() -> None:
    state = fitted(X, T, LABELS)
    expected = [[-0.125491, -0.063280], [0.309453, -0.081899], [0.201877, 0.222990]]
    assert state["image"]["weight"].numpy() == pytest.approx(np.array(expected), abs=2e-6)
    expected = [[-0.737918, -0.710107], [-0.152058, -0.130630], [0.148340, 0.209840]]
    assert state["text"]["weight"].numpy() == pytest.approx(np.array(expected), abs=2e-6)
    h1, h2 = signs(state, X, T)
    assert h1.T.tolist() == [[-1, -1, 1, -1, 1, 1, 1, -1], [-1, -1, -1, 1, -1, 1, -1, 1]]
    assert h2.T.tolist() == [[-1, -1, 1, -1, 1, 1, -1, 1], [-1, -1, 1, -1, 1, 1, -1, 1]]
    assert residuals(h1, h2, LABELS) == pytest.approx([178.980664, 161.039538, 149.725830], abs=1e-5)


def test_three_bits_by_hand() -> None:
    # not nested: K scales the target; with eight items the residual rises at bit 3 although the values fall
    state = fitted(X, T, LABELS, 3)
    assert state["image"]["weight"][:, 2].tolist() == pytest.approx([-0.170660, 0.195620, 0.219382], abs=2e-6)
    assert state["text"]["weight"][:, 2].tolist() == pytest.approx([0.172292, -0.366225, 0.370627], abs=2e-6)
    h1, h2 = signs(state, X, T)
    assert residuals(h1, h2, LABELS) == pytest.approx([402.706494, 343.794806, 309.853680, 351.794806], abs=1e-5)


def test_orthogonal_by_hand() -> None:
    state = fitted(X, T, LABELS, solver="orth")
    expected = [[-0.125491, 0.300986], [0.309453, 0.103954], [0.201877, 0.253998]]
    assert state["image"]["weight"].numpy() == pytest.approx(np.array(expected), abs=2e-6)
    first = fitted(X, T, LABELS)
    assert torch.allclose(first["text"]["weight"][:, 0], state["text"]["weight"][:, 0], atol=1e-6)


def test_the_target_is_the_dense_product() -> None:
    x, y = X - X.mean(0), T - T.mean(0)
    t = LABELS / LABELS.norm(dim=1, keepdim=True).clamp_min(1e-12)
    s = 2.0 * t @ t.T - 1.0
    method = SCM(Problem(2, 3, 8, modalities=ROLES))
    gamma = method.target([x.T, y.T], LABELS)  # with A = X' the target is Gamma itself
    assert torch.allclose(gamma, 2.0 * x.T @ s @ y, atol=1e-12)
    assert gamma[0].tolist() == pytest.approx([17.656854, -5.0, -3.949747], abs=1e-6)


def test_sequential_against_a_loop_of_dense_eigenproblems() -> None:
    x, y, labels = random_pairs()
    state = fitted(x, y, labels, 6)
    a, b = (t.float().double() - t.float().double().mean(0) for t in (x, y))
    t = (labels / labels.norm(dim=1, keepdim=True).clamp_min(1e-12)).numpy()
    c1, c2 = (m.T @ m + 1e-6 * torch.eye(m.shape[1]) for m in (a, b))
    gamma = (6 * a.T @ torch.from_numpy(2.0 * t @ t.T - 1.0) @ b).numpy()
    for k in range(6):
        inverse = np.linalg.inv(c2.numpy())
        values, vectors = scipy.linalg.eigh(gamma @ inverse @ gamma.T, c1.numpy())
        w1 = vectors[:, -1]
        w2 = inverse @ gamma.T @ w1 / np.sqrt(values[-1])
        flip = np.sign(w1[np.abs(w1).argmax()])
        assert state["image"]["weight"][:, k].numpy() == pytest.approx(flip * w1, abs=1e-5)
        assert state["text"]["weight"][:, k].numpy() == pytest.approx(flip * w2, abs=1e-5)
        h1, h2 = (torch.where(m @ torch.from_numpy(w) >= 0, 1.0, -1.0).double() for m, w in ((a, w1), (b, w2)))
        gamma = gamma - torch.outer(a.T @ h1, b.T @ h2).numpy()


def test_the_residual_falls_while_there_are_directions_left() -> None:
    # not a guarantee of the method: with 12 bits on 5 labels it is lowest after four
    x, y, labels = random_pairs(2000, 40, 30, 24)
    state = fitted(x, y, labels, 32)
    values = residuals(*signs(state, x, y), labels)
    assert all(later < earlier for earlier, later in itertools.pairwise(values[:25]))


def test_rising_values_fall_back_to_cca() -> None:
    method = SCM(Problem(3, 3, 8, modalities=ROLES))
    a = [torch.eye(3, 8).double(), torch.diag(torch.tensor([3.0, 2.0, 1.0])).double() @ torch.eye(3, 8).double()]
    low = torch.zeros(3, 3, dtype=torch.float64)
    low[2, 2] = 1e-6  # taking a pair of signs away from this target makes its largest value rise
    pairs = method.sequential(a, low)
    cca = top_triples(a[0] @ a[1].T, 3)
    assert torch.equal(pairs[0][0].abs(), torch.tensor([0.0, 0.0, 1.0]).double())
    for k in (1, 2):
        assert torch.equal(pairs[k][0], cca[k][0])
        assert torch.equal(pairs[k][1], cca[k][2])


def test_orthogonal_has_as_many_label_directions_as_labels() -> None:
    x, y, labels = random_pairs()
    few, many = fitted(x, y, labels, 5, solver="orth"), fitted(x, y, labels, 8, solver="orth")
    assert torch.allclose(few["image"]["weight"], many["image"]["weight"][:, :5], atol=1e-6)
    with pytest.raises(UsageError, match="10 bits are more than the smaller width of the features, 9"):
        fitted(x, y, labels, 10, solver="orth")
    assert fitted(x, y, labels, 32)["text"]["weight"].shape == (9, 32)  # the sequential one has no such limit


def test_a_large_matrix_gives_the_same_top_triple() -> None:
    draw = torch.Generator().manual_seed(0)
    m = torch.randn(150, 170, generator=draw, dtype=torch.float64)
    ((u, size, v),) = top_triples(m, 1)
    left, sizes, right = torch.linalg.svd(m)
    assert size == pytest.approx(sizes[0].item(), rel=1e-10)
    assert abs((u @ left[:, 0]).item()) == pytest.approx(1.0, abs=1e-8)
    assert (u @ left[:, 0]).sign() == (v @ right[0]).sign()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        SCM(Problem(2, 3, 8))
    for options in ({"solver": "other"}, {"regularization": -1.0}):
        with pytest.raises(UsageError, match="must be"):
            fitted(X, T, LABELS, **options)
    with pytest.raises(UsageError, match="needs labels"):
        SCM(Problem(2, 3, 8, modalities=ROLES)).fit({"image": X, "text": T}, None, 0)
