"""CMFH (CVPR 2014): one latent matrix for both modalities, by collective matrix factorization."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    Ridge,
    as_float64,
    generator,
    projection_state,
    two_roles,
)

Pair = tuple[torch.Tensor, torch.Tensor]
RIDGES = ("exact", "released")


class CMFH:
    """CMFH (CVPR 2014): latent rows V (n, K) that both modalities share, and projections P_m (D_m, K) onto them.

    With X_m (n, D_m) centred by its mean over the train split and lambda_1 = lambda, lambda_2 = 1 - lambda,

        J = sum_m lambda_m |X_m - V U_m|^2 + mu sum_m |V - X_m P_m|^2 + gamma (|V|^2 + sum_m |U_m|^2 + sum_m |P_m|^2)

    is lowered by its exact minimisers in U, V and P in turn, until a round lowers it by less than `tolerance`. Codes
    are the signs of (x - mean_m) P_m. Labels are not seen; V and P start uniform on (0, 1).

    Options:
        lam: share lambda of the first modality; released code 0.5
        mu: weight of the projections; released code 100
        gamma: weight of the ridge; released code 0.01. Raise it where n is hardly larger than D_m
        rounds: at most so many rounds; one released code stops at 25, the other has no bound
        tolerance: least decrease of J in a round; released code 0.01
        ridges: "exact", or "released": gamma alone for U and P, which is no minimiser of J
    """

    def __init__(
        self,
        problem: Problem,
        *,
        lam: float = 0.5,
        mu: float = 100.0,
        gamma: float = 0.01,
        rounds: int = 500,
        tolerance: float = 0.01,
        ridges: str = "exact",
    ) -> None:
        two_roles(problem, "Fitter 'cmfh'")
        if not 0 < lam < 1:
            raise UsageError(f"lam must be a number between 0 and 1; got {lam!r}.")
        if not mu > 0 or not gamma > 0 or not tolerance >= 0 or rounds < 1:
            raise UsageError(
                "mu and gamma must be above 0, tolerance at least 0 and rounds at least 1; got "
                f"{mu!r}, {gamma!r}, {tolerance!r} and {rounds!r}."
            )
        if ridges not in RIDGES:
            raise UsageError(f"ridges must be {' or '.join(map(repr, RIDGES))}; got {ridges!r}.")
        self.problem = problem
        self.shares, self.mu, self.gamma = (lam, 1.0 - lam), mu, gamma
        self.rounds, self.tolerance, self.exact = rounds, tolerance, ridges == "exact"

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of each role's hash layer `projection` from features (n, D_m)."""
        roles = self.problem.modalities
        first, second = (as_float64(features[role]) for role in roles)
        means = first.mean(0), second.mean(0)
        x = (first - means[0], second - means[1])
        draws = generator(seed)
        v, p1, p2 = (
            torch.rand(rows, self.problem.bits, generator=draws, dtype=torch.float64)
            for rows in (len(first), first.shape[1], second.shape[1])
        )
        ridges = self.ridges(x)
        before, p = math.inf, (p1, p2)
        for _ in range(self.rounds):
            u, v, p = self.one_round(x, ridges, v, p)
            after = self.objective(x, u, v, p)
            if before - after < self.tolerance:
                break
            before = after
        return {role: projection_state(means[m], p[m]) for m, role in enumerate(roles)}

    def ridges(self, x: Pair) -> tuple[Ridge, Ridge]:
        """Return the factored regressions of the P step; they stay the same in every round."""
        weight = self.gamma / self.mu if self.exact else self.gamma
        return Ridge(x[0], weight), Ridge(x[1], weight)

    def one_round(
        self, x: Pair, ridges: tuple[Ridge, Ridge], v: torch.Tensor, p: Pair
    ) -> tuple[Pair, torch.Tensor, Pair]:
        """Return U_m (K, D_m), V (n, K) and P_m (D_m, K) after the three steps, each of which minimises J."""
        eye = torch.eye(v.shape[1], dtype=v.dtype)
        weight = [self.gamma / (share if self.exact else 1.0) for share in self.shares]
        u1, u2 = (torch.linalg.solve(v.T @ v + w * eye, v.T @ t) for w, t in zip(weight, x, strict=True))
        right = self.shares[0] * x[0] @ u1.T + self.shares[1] * x[1] @ u2.T + self.mu * (x[0] @ p[0] + x[1] @ p[1])
        left = self.shares[0] * u1 @ u1.T + self.shares[1] * u2 @ u2.T + (2.0 * self.mu + self.gamma) * eye
        v = torch.linalg.solve(left, right.T).T
        return (u1, u2), v, (ridges[0].solve(v), ridges[1].solve(v))

    def objective(self, x: Pair, u: Pair, v: torch.Tensor, p: Pair) -> float:
        """Return J."""
        total = self.gamma * v.square().sum()
        for share, t, basis, projection in zip(self.shares, x, u, p, strict=True):
            total = total + share * (t - v @ basis).square().sum() + self.mu * (v - t @ projection).square().sum()
            total = total + self.gamma * (basis.square().sum() + projection.square().sum())
        return float(total)
