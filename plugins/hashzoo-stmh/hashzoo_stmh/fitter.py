"""STMH (IJCAI 2015): robust image concepts and text topics, linked by a linear map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    as_float64,
    generator,
    squared_distances,
    two_roles,
)
from hashzoo_stmh.hash_layers import chosen_topics

UPDATES = ("exact", "released")
EPSILON = 2.2e-16
"""Under the root of the reweighting, as in the released code."""
ROWS = 4096
"""Items whose K x K systems are held at a time."""


@dataclass
class Factors:
    """Image concepts f1 (D_1, K) and scores g1 (n, K), text topics f2 (D_2, K) and choices g2 (n, K), link r (K, K).

    `weight` (n,) is the diagonal of the reweighting that turns the L2,1 norm into least squares.
    """

    g1: torch.Tensor
    g2: torch.Tensor
    weight: torch.Tensor
    f1: torch.Tensor
    f2: torch.Tensor
    r: torch.Tensor


class STMH:
    """STMH (IJCAI 2015): codes that are semantic concepts of images and topics of texts; labels are not seen.

    J = share1 sum_i |x_i - F_1 g_i| + share2 sum_i sum_c G_2ic |t_i - F_2c|^2 + lambda |G_2 - G_1 R|^2
    + gamma (|R|^2 + |G_1|^2 + |F_1|^2 + |F_2|^2), each row of G_2 in {0, 1} with exactly k = round(K / 2) ones; nothing
    is centred. An image's scores are x F_1 (F_1' F_1 + gamma / share1 I)^-1 R less their own median, a text's code is
    its k nearest topics. The images are the first role.

    Options:
        share1: weight of the images' part; released codes 0.5
        share2: weight of the texts' part; released codes 0.5
        lam: weight of the link; 1e-6 in the authors' entry point, 0.5 in a later copy
        gamma: weight of the ridge; 1e-6 in the authors' entry point, 1e-4 in a later copy
        rounds: at most so many; 5 in the authors' entry point, 10 in a later copy
        tolerance: least change of J in a round; released codes 0.01
        updates: "exact", the minimisers of J in turn, or "released" (README), after which J may rise
    """

    def __init__(
        self,
        problem: Problem,
        *,
        share1: float = 0.5,
        share2: float = 0.5,
        lam: float = 1e-6,
        gamma: float = 1e-6,
        rounds: int = 5,
        tolerance: float = 0.01,
        updates: str = "exact",
    ) -> None:
        two_roles(problem, "Fitter 'stmh'")
        for name, value in (("share1", share1), ("share2", share2), ("lam", lam), ("gamma", gamma)):
            if not value > 0:
                raise UsageError(f"{name} must be a number above 0; got {value!r}.")
        if rounds < 1 or not tolerance >= 0:
            raise UsageError(f"rounds must be at least 1 and tolerance at least 0; got {rounds!r} and {tolerance!r}.")
        if updates not in UPDATES:
            raise UsageError(f"updates must be {' or '.join(map(repr, UPDATES))}; got {updates!r}.")
        self.problem = problem
        self.share1, self.share2, self.lam, self.gamma = share1, share2, lam, gamma
        self.rounds, self.tolerance, self.exact = rounds, tolerance, updates == "exact"

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of each role's hash layer `stmh` from features (n, D_m)."""
        roles = self.problem.modalities
        x, t = (as_float64(features[role]) for role in roles)
        draws, bits = generator(seed), self.problem.bits
        g1 = torch.randn(len(x), bits, generator=draws, dtype=torch.float64)
        g2 = _ones_at(torch.rand(len(t), bits, generator=draws).argsort(dim=1), chosen_topics(bits))
        factors, before = self.start(g1, g2), math.inf
        for _ in range(self.rounds):
            factors = self.one_round(x, t, factors)
            after = self.objective(x, t, factors)
            if abs(before - after) < self.tolerance:
                break
            before = after
        eye = torch.eye(bits, dtype=torch.float64)
        scores = factors.f1 @ torch.linalg.solve(factors.f1.T @ factors.f1 + self.gamma / self.share1 * eye, factors.r)
        near = -factors.f2.square().sum(0)  # -|t - F_c|^2 = 2 t F_c - |F_c|^2 less |t|^2, which all topics share
        return {
            roles[0]: _state(scores, torch.zeros(bits), topics=False),
            roles[1]: _state(2.0 * factors.f2, near, topics=True),
        }

    def start(self, g1: torch.Tensor, g2: torch.Tensor) -> Factors:
        """Return the factors before the first round, of given scores and choices (n, K)."""
        none = torch.empty(0, g1.shape[1], dtype=g1.dtype)
        weight = torch.full((len(g1),), 0.5 * self.share1 if self.exact else 1.0, dtype=g1.dtype)
        return Factors(g1, g2, weight, none, none, none)

    def one_round(self, x: torch.Tensor, t: torch.Tensor, old: Factors) -> Factors:
        """Return the factors after one round: F_1, F_2, R, G_1, G_2 and the weights, in this order."""
        g1, g2, weight = old.g1, old.g2, old.weight
        eye = torch.eye(g1.shape[1], dtype=g1.dtype)
        weighted = weight[:, None] * g1
        # the exact weights contain share1, the released steps divide the ridge by it or multiply by it once more
        ridge = self.gamma / (1.0 if self.exact else self.share1)
        f1 = torch.linalg.solve(g1.T @ weighted + ridge * eye, weighted.T @ x).T
        if self.exact:
            f2 = t.T @ g2 / (g2.sum(0) + self.gamma / self.share2)
        else:
            f2 = torch.linalg.solve(g2.T @ g2 + self.gamma / self.share1 * eye, g2.T @ t).T
        r = torch.linalg.solve(g1.T @ g1 + self.gamma / self.lam * eye, g1.T @ g2)
        scale = (weight if self.exact else self.share1 * weight)[:, None]
        fixed, right = self.lam * r @ r.T + self.gamma * eye, scale * (x @ f1) + self.lam * g2 @ r.T
        g1 = torch.cat(
            [
                torch.linalg.solve(scale[rows, :, None] * (f1.T @ f1) + fixed, right[rows])
                for rows in torch.arange(len(x)).split(ROWS)
            ]
        )
        cost = self.share2 * squared_distances(t, f2.T) - 2.0 * self.lam * g1 @ r
        g2 = _ones_at(cost.argsort(dim=1, stable=True), chosen_topics(g1.shape[1]))
        weight = 0.5 * self.share1 / ((x - g1 @ f1.T).square().sum(1) + EPSILON).sqrt()
        return Factors(g1, g2, weight, f1, f2, r)

    def objective(self, x: torch.Tensor, t: torch.Tensor, factors: Factors) -> float:
        """Return J."""
        f = factors
        total = self.share1 * (x - f.g1 @ f.f1.T).norm(dim=1).sum()
        total = total + self.share2 * (f.g2 * squared_distances(t, f.f2.T)).sum()
        total = total + self.lam * (f.g2 - f.g1 @ f.r).square().sum()
        return float(total + self.gamma * sum(part.square().sum() for part in (f.r, f.g1, f.f1, f.f2)))


def _ones_at(order: torch.Tensor, k: int) -> torch.Tensor:
    """Return (n, K) with ones at the first k places of each row's order (n, K), zeros elsewhere."""
    return torch.zeros(order.shape, dtype=torch.float64).scatter_(1, order[:, :k], 1.0)


def _state(weight: torch.Tensor, bias: torch.Tensor, topics: bool) -> dict[str, torch.Tensor]:
    return {"weight": weight.float(), "bias": bias.float(), "topics": torch.tensor(float(topics))}
