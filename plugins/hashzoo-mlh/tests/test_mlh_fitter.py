"""MLH against values worked by hand, brute force over all pairs of codes, and counts of its draws."""

from __future__ import annotations

import itertools

import pytest
import torch
from hashzoo_mlh.fitter import MLHFitter, Pairs, infer, losses

from hashzoo import Problem, UsageError
from hashzoo.fitting import generator
from hashzoo.losses import share_label
from hashzoo.models.hash_layers import Projection
from hashzoo.testing.fits import Part, digits, fitted, mean_average_precision

U = torch.tensor([[0.3, -0.1, 0.4, 0.05]], dtype=torch.float64)
V = torch.tensor([[0.2, 0.15, -0.3, 0.1]], dtype=torch.float64)


def test_losses_by_hand() -> None:
    table = losses(4, 1)
    assert table[1].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert table[0].tolist() == [1, 0.5, 0, 0, 0]


def test_inference_by_hand() -> None:
    table = losses(4, 1)
    g, h, best = infer(U, V, table[1:])
    assert (g.tolist(), h.tolist()) == ([[1, -1, 1, -1]], [[1, 1, -1, 1]])
    assert best.item() == pytest.approx(2.25)
    size = float(U.abs().sum() + V.abs().sum())
    assert best.item() - size == pytest.approx(0.65)
    g, h, best = infer(U, V, table[:1])
    assert (g.tolist(), h.tolist()) == ([[1, 1, 1, 1]], [[1, 1, -1, 1]])
    assert best.item() - size == pytest.approx(0.3)


@pytest.mark.parametrize("similar", [0, 1])
def test_inference_by_brute_force_and_the_bound_holds(similar: int) -> None:
    draws = generator(similar)
    u, v = torch.randn(2, 100, 4, generator=draws, dtype=torch.float64)
    table = losses(4, 2)[similar]
    g, h, best = infer(u, v, table.expand(100, 5))
    codes = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)), dtype=torch.float64)
    distance = ((4 - codes @ codes.T) / 2).long()
    for i in range(100):
        every = table[distance] + (codes @ u[i])[:, None] + (codes @ v[i])[None, :]
        assert best[i].item() == pytest.approx(every.max().item())
        reached = table[int((g[i] != h[i]).sum())] + g[i] @ u[i] + h[i] @ v[i]
        assert reached.item() == pytest.approx(best[i].item())
        bound = best[i] - u[i].abs().sum() - v[i].abs().sum()
        assert bound >= table[int((u[i].sign() != v[i].sign()).sum())] - 1e-12


def test_a_step_is_the_negative_gradient_of_the_bound() -> None:
    draws = generator(5)
    a, b = torch.randn(2, 6, 3, generator=draws, dtype=torch.float64)
    similar = torch.tensor([True, False, True, False, False, True])
    fitter = MLHFitter(Problem(4, 2, 6), rho=2)
    weight = torch.randn(4, 3, generator=draws, dtype=torch.float64)

    def bound(w: torch.Tensor) -> float:
        u, v = a @ w.T, b @ w.T
        best = infer(u, v, fitter.losses[similar.long()])[2]
        return float((best - u.abs().sum(1) - v.abs().sum(1)).sum())

    step = fitter.step(weight, a, b, similar)
    for k, d in itertools.product(range(4), range(3)):
        move = torch.zeros_like(weight)
        move[k, d] = 1e-6
        assert float(step[k, d]) == pytest.approx(-(bound(weight + move) - bound(weight - move)) / 2e-6, abs=1e-5)


def test_pairs_are_drawn_evenly_from_all_and_from_the_similar_ones() -> None:
    labels = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    pairs, similar = Pairs(labels), share_label(labels, labels)
    assert pairs.share == pytest.approx(float(similar.mean()))
    draws = generator(0)
    for i, j, among in ((*pairs.any(60_000, draws), torch.ones(5, 5)), (*pairs.alike(60_000, draws), similar)):
        seen = torch.zeros(5, 5).index_put_((i, j), torch.ones(60_000), accumulate=True) / 60_000
        assert torch.equal(seen > 0, among > 0)
        assert torch.allclose(seen, among / among.sum(), atol=0.006)
        assert torch.equal(pairs.agree(i, j).float(), similar[i, j])


def test_every_batch_has_its_share_of_similar_pairs() -> None:
    y = torch.eye(10)[torch.arange(200) % 10]
    pairs = Pairs(y)
    assert pairs.share == pytest.approx(0.1)
    assert round(100 * max(0.5 - pairs.share, 0)) == 40


def test_pca_before_and_multi_label() -> None:
    draws = generator(1)
    y = (torch.rand(80, 4, generator=draws) > 0.6).float()
    x = y @ torch.randn(4, 6, generator=draws) + 0.1 * torch.randn(80, 6, generator=draws) + 10
    problem = Problem(8, 4, 80, multilabel=True)
    layer = fitted(MLHFitter(problem, iterations=1, pca=3), Projection(6, problem), Part(x, y))
    assert isinstance(layer, Projection)
    assert int(torch.linalg.matrix_rank(layer.weight)) == 3
    assert torch.isfinite(layer(x)[0]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"rho": 9},
        {"rho": -1},
        {"rho_share": 1.5},
        {"similar_share": 1.5},
        {"weight_decay": -1.0},
        {"lr": -1.0},
        {"iterations": -1},
        {"pca": -1},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        MLHFitter(Problem(8, 2, 10), **options)


def test_too_many_label_sets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashzoo_mlh.fitter.MAX_LABEL_SETS", 2)
    with pytest.raises(UsageError, match=r"MLH keeps .*: 3 are more than 2; train on fewer items"):
        Pairs(torch.eye(3))


@pytest.mark.parametrize(
    ("bits", "options", "rho"),
    [(32, {}, 8), (6, {}, 2), (64, {"rho_share": 0.1}, 6), (4, {"rho_share": 0.05}, 1), (64, {"rho": 3}, 3)],
)
def test_rho_is_a_share_of_the_bits_unless_it_is_given(bits: int, options: dict[str, float], rho: int) -> None:
    assert torch.equal(MLHFitter(Problem(bits, 2, 10), **options).losses, losses(bits, rho))


@pytest.mark.parametrize("bits", [16, 64])
def test_ahead_of_random_hyperplanes_on_digits(bits: int) -> None:
    parts, problem = digits(), Problem(bits, 10, 500)
    layer = fitted(MLHFitter(problem, iterations=2), Projection(64, problem), parts.train)
    plain = Projection(64, problem)
    plain.mean.copy_(parts.train.features.mean(0))
    plain.weight.copy_(torch.randn(64, bits, generator=generator(0)))
    assert mean_average_precision(layer, parts) > max(0.6, mean_average_precision(plain, parts))
