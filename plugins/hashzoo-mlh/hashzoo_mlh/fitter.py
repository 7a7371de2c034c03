"""The fitter of MLH (Norouzi and Fleet, ICML 2011); letters: n rows, D width, K bits, N pairs a batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    MAX_LABEL_SETS,
    eigenvectors,
    generator,
    label_sets,
    labelled_rows,
    only_modality,
    projection_state,
    unit_rows,
)
from hashzoo.losses import share_label

BATCHES, PAIRS = 1000, 100
"""Batches of an iteration and pairs of a batch; released code."""
START, MOMENTUM = 0.1, 0.9
"""Deviation of the first weights, and momentum; released code."""


def losses(bits: int, rho: int) -> torch.Tensor:
    """Return the loss (2, K + 1) at each Hamming distance d, of dissimilar (row 0) and similar (row 1) pairs.

    max(rho - d + 1, 0) / (rho + 1) and max(d - rho + 1, 0) / (K - rho + 1): at most 1, as in the released code.
    """
    d = torch.arange(bits + 1, dtype=torch.float64)
    unlike = (rho - d + 1).clamp_min(0) / (rho + 1)
    alike = (d - rho + 1).clamp_min(0) / (bits - rho + 1)
    return torch.stack([unlike, alike])


def infer(u: torch.Tensor, v: torch.Tensor, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return codes g, h (N, K) that maximise loss(d(g, h)) + g u + h v for scores u, v (N, K), and the maximum (N,).

    table (N, K + 1) holds each pair's loss at d = 0..K. Loss-adjusted inference, exact: a bit that differs instead of
    agreeing gains delta = |u - v| - |u + v|, so that for each d the d bits of largest delta differ.
    """
    delta = (u - v).abs() - (u + v).abs()
    gain, order = torch.sort(delta, dim=1, descending=True, stable=True)
    rising = torch.cat([gain.new_zeros(len(gain), 1), gain.cumsum(1)], 1)
    best, distance = (table + rising).max(1)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(u.shape[1]).expand_as(order))
    differs = rank < distance[:, None]
    g = torch.where(torch.where(differs, u - v, u + v) > 0, 1.0, -1.0).to(u.dtype)
    return g, torch.where(differs, -g, g), best + (u + v).abs().sum(1)


class Pairs:
    """Draws pairs of rows: all n x n evenly, or the similar ones among them evenly, from labels (n, C)."""

    def __init__(self, labels: torch.Tensor) -> None:
        self.number, sets = label_sets(labels, MAX_LABEL_SETS, "MLH")
        self.similar = share_label(sets, sets) > 0
        count = torch.bincount(self.number, minlength=len(sets)).double()
        weight = torch.outer(count, count)
        self.share = float(weight[self.similar].sum() / weight.sum())
        self.order = torch.argsort(self.number, stable=True)
        self.begin = torch.cat([count.new_zeros(1), count.cumsum(0)]).long()
        self.one, self.other = self.similar.nonzero(as_tuple=True)
        self.reach = weight[self.similar].cumsum(0)

    def any(self, count: int, draws: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `count` ordered pairs, a row with itself included."""
        both = torch.randint(len(self.number), (2, count), generator=draws)
        return both[0], both[1]

    def alike(self, count: int, draws: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `count` ordered pairs that share a label, evenly: first their label sets, then a row of each."""
        spot = torch.rand(count, generator=draws, dtype=torch.float64) * self.reach[-1]
        cell = torch.searchsorted(self.reach, spot, right=True).clamp_max(len(self.reach) - 1)
        return self._member(self.one[cell], draws), self._member(self.other[cell], draws)

    def agree(self, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        """Return which pairs share a label, (N,)."""
        return self.similar[self.number[i], self.number[j]]

    def _member(self, group: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        size = self.begin[group + 1] - self.begin[group]
        place = (torch.rand(len(group), generator=draws, dtype=torch.float64) * size).long()
        return self.order[self.begin[group] + place]


class MLHFitter:
    """MLH: relaxed = (x - mean) W; x centred and of unit length in the fit, no threshold (as in the released runs).

    Lowers, over batches of pairs, max over g, h of [loss(d(g, h)) + g u + h v] - |u|_1 - |v|_1, which bounds the loss
    of the pair's codes; u, v are the scores of the two items. Gradient steps with momentum, and weight decay in place
    of the paper's rows of unit length (released code). Items without any label are left out.

    Options:
        rho: Hamming distance at which similar pairs begin to cost; by validation in the paper, 0 for `rho_share` K.
        rho_share: rho over the bits, rounded, where rho is 0; ours, 0.25.
        similar_share: least share of similar pairs in a batch (the released code's lambda); 0.5, released code.
        weight_decay: 1e-2, the best of the released code's candidates on a validation part of digits (README).
        lr: first rate, falling evenly to 0; 0.1, released code.
        iterations: of 1,000 batches of 100 pairs; 5, as good as 10 there (released code: 20 to 75, and 500 at last).
        pca: axes kept of the features of unit length; 0 for all (released code: 40 where targets are distances).
    """

    def __init__(
        self,
        problem: Problem,
        *,
        rho: int = 0,
        rho_share: float = 0.25,
        similar_share: float = 0.5,
        weight_decay: float = 1e-2,
        lr: float = 0.1,
        iterations: int = 5,
        pca: int = 0,
    ) -> None:
        if not 0 <= rho <= problem.bits:
            raise UsageError(f"MLH's option rho must lie between 0 and the {problem.bits} bits; got {rho!r}.")
        for name, share in (("rho_share", rho_share), ("similar_share", similar_share)):
            if not 0 <= share <= 1:
                raise UsageError(f"MLH's option {name} must lie between 0 and 1; got {share!r}.")
        for name, value in (("weight_decay", weight_decay), ("lr", lr), ("iterations", iterations), ("pca", pca)):
            if not value >= 0:
                raise UsageError(f"MLH's option {name} must be a number of at least 0; got {value!r}.")
        self.bits = problem.bits
        self.losses = losses(problem.bits, rho or max(1, round(rho_share * problem.bits)))
        self.similar_share, self.decay, self.lr = similar_share, weight_decay, lr
        self.iterations, self.pca = iterations, pca

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of the layer `projection`."""
        role, x = only_modality(features)
        mean = x.mean(0)
        rows, y = labelled_rows(labels)
        unit = unit_rows(x - mean)
        axes = self.axes(unit)
        weight = self.descend((unit @ axes)[rows] if self.pca else unit[rows], Pairs(y), generator(seed))
        return {role: projection_state(mean, axes @ weight.T if self.pca else weight.T)}

    def axes(self, unit: torch.Tensor) -> torch.Tensor:
        """Return the leading principal axes (D, p) of rows of unit length."""
        centred = unit - unit.mean(0)
        return eigenvectors(centred.T @ centred, min(self.pca, unit.shape[1]))[1] if self.pca else unit[:0]

    def descend(self, x: torch.Tensor, pairs: Pairs, draws: torch.Generator) -> torch.Tensor:
        """Return the weights (K, D) after the descent on items x (n, D)."""
        weight = START * torch.randn(self.bits, x.shape[1], generator=draws, dtype=x.dtype)
        momentum = torch.zeros_like(weight)
        extra = round(PAIRS * max(self.similar_share - pairs.share, 0.0))
        for iteration in range(self.iterations):
            rate = self.lr * (self.iterations - iteration) / self.iterations
            evenly = pairs.any(BATCHES * (PAIRS - extra), draws)
            alike = pairs.alike(BATCHES * extra, draws)
            one, other = (
                torch.cat([a.view(BATCHES, -1), b.view(BATCHES, -1)], 1) for a, b in zip(evenly, alike, strict=True)
            )
            for i, j in zip(one, other, strict=True):
                step = self.step(weight, x[i], x[j], pairs.agree(i, j)) / PAIRS
                momentum.mul_(MOMENTUM).add_(step - self.decay * weight, alpha=rate)
                weight = weight + momentum
        return weight

    def step(self, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        """Return the summed step (K, D) that lowers the bound for pairs of items a, b (N, D), similar (N,) or not."""
        u, v = a @ weight.T, b @ weight.T
        g, h, _ = infer(u, v, self.losses[similar.long()])
        return (u.sign() - g).T @ a + (v.sign() - h).T @ b
