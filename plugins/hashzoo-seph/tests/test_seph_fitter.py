"""SePH against worked values, dense formulas, scipy, and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import torch
from hashzoo_seph import codes as stage1
from hashzoo_seph.codes import CodeDivergence, Descent, one_step, train_codes
from hashzoo_seph.fitter import SePH, kmeans, logistic_regression

from hashzoo import Problem, UsageError
from hashzoo.fitting import generator, rbf

# eight pairs of three numbers, one with two labels and one without; the values below were worked out by hand on them
X = torch.tensor([[2, 0, 1], [1, 1, 0], [0, 2, 1], [3, 1, 2], [1, 3, 0], [0, 1, 4], [2, 2, 1], [1, 0, 3]]).double()
T = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 1, 0]]).double()
LABELS = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 0, 0]]).double()
H = torch.tensor(
    [[0.1, 0.2], [0.2, 0.1], [-0.1, 0.1], [0.1, -0.1], [-0.2, -0.1], [-0.1, -0.2], [0.2, -0.2], [-0.2, 0.2]]
).double()
ROLES = ("image", "text")


def dense(labels: torch.Tensor, h: torch.Tensor, alpha: float) -> tuple[float, float, torch.Tensor, torch.Tensor]:
    """Divergence, penalty, P and Q by the definition, n x n."""
    t = labels / labels.norm(dim=1, keepdim=True).clamp_min(1e-300)
    p = (t @ t.T).fill_diagonal_(0.0)
    p = p / p.sum()
    near = (1.0 / (1.0 + 0.25 * torch.cdist(h, h).square())).fill_diagonal_(0.0)
    q = near / near.sum()
    terms = torch.where(p > 0, p * (p / q.clamp_min(1e-300)).log(), 0.0)
    return float(terms.sum()), alpha / h.numel() * float((h.abs() - 1).square().sum()), p, q


def random_pairs(n: int = 90, c: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    labels = (torch.rand(n, c, generator=draw) < 0.3).float()
    x = labels @ torch.randn(c, 6, generator=draw) + 0.3 * torch.randn(n, 6, generator=draw)
    y = labels @ torch.randn(c, 5, generator=draw) + 0.3 * torch.randn(n, 5, generator=draw) + 2.0
    return x, y, labels


def fitted(bits: int = 6, seed: int = 0, **options: Any) -> dict[str, Any]:
    x, y, labels = random_pairs()
    problem = Problem(bits, 4, len(x), multilabel=True, modalities=ROLES)
    small: dict[str, Any] = {"anchors": 20, "rounds": 100, "rate": 20.0} | options
    return SePH(problem, **small).fit({"image": x, "text": y}, labels, seed)


def relaxed(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    kernel = (-state["scale"] * torch.cdist(x.double(), state["anchors"].double()).square()).exp()
    return kernel @ state["weight"].double()


def test_divergence_and_gradient_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for block in (stage1.BLOCK, 16):  # all rows at once, and two at a time
        monkeypatch.setattr(stage1, "BLOCK", block)
        value, gradient = CodeDivergence(LABELS, 0.01).value_and_gradient(H)
        assert value == pytest.approx(0.856189 + 0.007250, abs=1e-6)
        assert gradient[0].tolist() == pytest.approx([-0.025101, 0.007105], abs=1e-6)
        assert gradient[3].tolist() == pytest.approx([-0.004780, -0.011787], abs=1e-6)
        assert gradient[7].tolist() == pytest.approx([0.027876, -0.027876], abs=1e-6)
    kl, penalty, p, q = dense(LABELS, H, 0.01)
    assert (kl, penalty) == (pytest.approx(0.856189, abs=1e-6), pytest.approx(0.007250, abs=1e-6))
    assert p[0].tolist() == pytest.approx([0, 0.061298, 0, 0.043344, 0, 0, 0.043344, 0], abs=1e-6)
    assert q[0].tolist() == pytest.approx(
        [0, 0.018270, 0.018135, 0.017958, 0.017571, 0.017487, 0.017613, 0.017958], abs=1e-6
    )
    assert CodeDivergence(LABELS, 0.01).total == pytest.approx(16.313708, abs=1e-6)


def test_the_gradient_is_that_of_the_value() -> None:
    divergence = CodeDivergence(LABELS, 0.5)
    _, gradient = divergence.value_and_gradient(H)
    step = 1e-6
    for row, bit in ((0, 0), (3, 1), (7, 0)):
        up, down = H.clone(), H.clone()
        up[row, bit] += step
        down[row, bit] -= step
        slope = (divergence.value_and_gradient(up)[0] - divergence.value_and_gradient(down)[0]) / (2 * step)
        assert gradient[row, bit].item() == pytest.approx(slope, abs=1e-8)
    flipped = H[:, [1, 0]] * torch.tensor([1.0, -1.0]).double()  # order and sign of bits do not matter
    assert divergence.value_and_gradient(flipped)[0] == pytest.approx(divergence.value_and_gradient(H)[0], abs=1e-12)


@pytest.mark.parametrize(
    ("exaggeration", "expected"),
    [
        (1.0, [((0.130121, 0.191474), 0.863286), ((0.181596, 0.178507), 0.858547), ((0.251466, 0.164337), 0.849456)]),
        (4.0, [((0.167046, 0.063863), 0.864135)]),
    ],
)
def test_steps_by_hand(exaggeration: float, expected: list[tuple[tuple[float, float], float]]) -> None:
    divergence = CodeDivergence(LABELS, 0.01)
    h, step, gains = H, torch.zeros_like(H), torch.ones_like(H)
    for row, kept in expected:
        before = dense(LABELS, h, 0.01)[0]
        _, gradient = divergence.value_and_gradient(h, exaggeration)
        h, step, gains = one_step(h, step, gains, gradient, 1.0, 0.5)
        assert h[0].tolist() == pytest.approx(row, abs=1e-6)
        assert before + dense(LABELS, h, 0.01)[1] == pytest.approx(kept, abs=1e-6)  # as the release pairs them


def test_codes_of_train_items_follow_their_labels() -> None:
    labels = torch.eye(4, dtype=torch.float64)[torch.arange(80) % 4]
    codes = train_codes(labels, 8, generator(0), Descent(300, 40.0, 100, 0.01))
    assert codes.abs().eq(1).all()
    for c in range(4):
        assert codes[c::4].std(0).max() == 0  # one code for a class
    assert len(torch.unique(codes[:4], dim=0)) == 4
    again = train_codes(labels, 8, generator(0), Descent(300, 40.0, 100, 0.01))
    assert torch.equal(codes, again)


def test_regression_by_hand() -> None:
    x = X - X.mean(0)
    sigma2 = torch.cdist(x, x).square().mean().item()
    assert sigma2 == pytest.approx(7.25)
    assert 2.0 * x.square().sum(1).mean().item() == pytest.approx(7.25)
    anchors = x[[0, 2, 5]]
    phi, inner = rbf(x, anchors, 1 / sigma2), rbf(anchors, anchors, 1 / sigma2)
    assert phi[0].tolist() == pytest.approx([1, 0.331725, 0.144998], abs=1e-6)
    h = torch.tensor([1, 1, -1, 1, -1, -1, 1, -1]).double()
    w = logistic_regression(phi, inner, h, 0.01)
    assert w.tolist() == pytest.approx([6.835689, -3.378740, -5.756030], abs=1e-5)
    value = torch.log1p((-h * (phi @ w)).exp()).sum() + 0.01 * w @ inner @ w
    assert value.item() == pytest.approx(1.852540, abs=1e-6)
    assert (phi @ w).tolist() == pytest.approx(
        [4.880262, 1.733725, -2.560262, 2.820270, -1.052445, -5.615473, 1.156437, -1.352134], abs=1e-5
    )


def test_regression_against_scipy_and_with_equal_anchors() -> None:
    x, _, _ = (t.double() for t in random_pairs())
    anchors = torch.cat([x[:10], x[:1]])  # one twice: the kernel of the anchors is singular
    phi, inner = rbf(x, anchors, 0.3), rbf(anchors, anchors, 0.3)
    h = torch.where(x[:, 0] + 0.3 * x[:, 1] >= 0, 1.0, -1.0).double()
    w = logistic_regression(phi, inner, h, 0.01)

    def value(v: np.ndarray) -> float:
        margins = h.numpy() * (phi.numpy() @ v)
        return float(np.logaddexp(0.0, -margins).sum() + 0.01 * v @ inner.numpy() @ v)

    found = scipy.optimize.minimize(value, np.zeros(11), method="L-BFGS-B", options={"maxiter": 5000, "maxfun": 10**6})
    assert value(w.numpy()) <= found.fun + 1e-6
    assert value(w.numpy()) == pytest.approx(found.fun, rel=1e-3)


def test_kmeans_against_a_plain_loop() -> None:
    x = random_pairs()[0].double()
    centres = kmeans(x, 6, generator(1))
    owner = torch.cdist(x, centres).argmin(1)
    for c in range(6):
        assert torch.allclose(centres[c], x[owner == c].mean(0), atol=1e-9)  # a fixed point of the updates
    assert torch.allclose(kmeans(x, len(x), generator(1)).sort(0).values, x.sort(0).values)  # as many as rows
    twins = torch.cat([torch.zeros(10, 2), torch.ones(1, 2), 2 * torch.ones(1, 2)]).double()
    found = kmeans(twins, 3, generator(0))  # empty clusters move to the farthest rows
    assert sorted(found[:, 0].tolist()) == [0.0, 1.0, 2.0]


def test_what_is_fitted() -> None:
    x, y, labels = random_pairs()
    for sampling in ("km", "rnd"):
        state = fitted(sampling=sampling)
        assert state["image"]["anchors"].shape == (20, 6)
        assert state["text"]["weight"].shape == (20, 6)
        assert state["image"]["scale"].item() == pytest.approx(1 / torch.cdist(x, x).square().mean().item(), rel=1e-4)
        assert not state["text"]["bias"].any()
    nearest_x = torch.cdist(state["image"]["anchors"], x).argmin(1)
    nearest_y = torch.cdist(state["text"]["anchors"], y).argmin(1)
    assert torch.equal(nearest_x, nearest_y)  # "rnd": the same pairs in both modalities
    known = labels.sum(1) > 0
    one, two = (relaxed(state[r], t)[known] >= 0 for r, t in (("image", x), ("text", y)))
    assert (one == two).float().mean() > 0.85


def test_unlabelled_items_take_no_part_in_the_regression() -> None:
    x, y, labels = random_pairs()
    problem = Problem(4, 4, len(x), multilabel=True, modalities=ROLES)
    none = labels.sum(1) == 0
    assert none.any()
    with pytest.raises(UsageError, match="no train item has one"):
        SePH(problem).fit({"image": x, "text": y}, torch.zeros_like(labels), 0)
    with pytest.raises(UsageError, match="needs labels"):
        SePH(problem).fit({"image": x, "text": y}, None, 0)


def test_fewer_items_than_anchors_lower_their_number() -> None:
    state = fitted(anchors=500, rounds=20)
    assert state["image"]["anchors"].shape == (90, 6)


def test_the_seed_decides() -> None:
    fits = [fitted(seed=seed, rounds=20)["text"]["weight"] for seed in (0, 0, 1)]
    assert torch.equal(fits[0], fits[1])
    assert not torch.equal(fits[0], fits[2])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        SePH(Problem(2, 3, 8))
    for options in ({"sampling": "all"}, {"anchors": 0}, {"beta": 0.0}, {"rate": -1.0}):
        with pytest.raises(UsageError, match="must be"):
            fitted(**options)
