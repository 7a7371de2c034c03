"""SePH (CVPR 2015): codes from labels, then kernel logistic regression of each bit in each modality."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional as F

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    anchors_state,
    as_float64,
    choose_anchors,
    generator,
    labelled_rows,
    rbf,
    squared_distances,
    two_roles,
)
from hashzoo_seph.codes import Descent, train_codes

SAMPLINGS = ("km", "rnd")
KMEANS_ROUNDS = 100
NEWTON_ROUNDS = 100
TOLERANCE = 1e-5
"""Largest entry of the gradient at which a bit's regression ends; released code."""
SHORTEST = 1e-10


class SePH:
    """SePH (CVPR 2015), in two stages.

    1. Codes H (n, K) of the train items from their labels alone: min KL(P || Q) + alpha / (n K) | |H| - 1 |^2, P from
       the cosines of the label rows, Q from the distances of codes (`codes.py`). Items without a label take no part.
    2. For each modality the kernel k(x, a) = exp(-|x - a|^2 / sigma^2) to `anchors` points, sigma^2 the mean of all
       squared distances between train rows, and for each bit with targets h in {-1, +1}
       min_w sum_i log(1 + exp(-h_i phi_i w)) + beta w' K_0 w, by Newton's method. No intercept. Codes are sgn(phi w).

    Options:
        sampling: anchors are "km", centres of k-means in each modality, or "rnd", the same random train pairs in both
        anchors: number of anchors, at most n; 500. The hash layer's option of this name has to be the same
        alpha: weight of the quantization; paper 0.01
        beta: weight of the ridge; paper 0.01
        rounds: steps of stage 1; original release 1000 (a later copy 100)
        rate: their size, n / 2 at most; original release 100 (a later copy 500). Scale it with n, 0.1 n to 0.5 n
        exaggerated: steps that begin with 4 P in place of P; original release 100 (a later copy 0)
    """

    def __init__(
        self,
        problem: Problem,
        *,
        sampling: str = "km",
        anchors: int = 500,
        alpha: float = 0.01,
        beta: float = 0.01,
        rounds: int = 1000,
        rate: float = 100.0,
        exaggerated: int = 100,
    ) -> None:
        two_roles(problem, "Fitter 'seph'")
        if sampling not in SAMPLINGS:
            raise UsageError(f"sampling must be {' or '.join(map(repr, SAMPLINGS))}; got {sampling!r}.")
        if anchors < 1 or rounds < 1 or exaggerated < 0:
            raise UsageError(
                "anchors and rounds must be at least 1 and exaggerated at least 0; got "
                f"{anchors!r}, {rounds!r} and {exaggerated!r}."
            )
        if not alpha >= 0 or not beta > 0 or not rate > 0:
            raise UsageError(f"alpha must be at least 0, beta and rate above 0; got {alpha!r}, {beta!r} and {rate!r}.")
        self.problem, self.sampling, self.anchors, self.beta = problem, sampling, anchors, beta
        self.descent = Descent(rounds, rate, exaggerated, alpha)

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of each role's hash layer `anchors` from features (n, D_m) and labels (n, C)."""
        rows, known = labelled_rows(labels)
        draws = generator(seed)
        numbers = Descent(
            self.descent.rounds, min(self.descent.rate, len(rows) / 2), self.descent.exaggerated, self.descent.alpha
        )
        targets = train_codes(known, self.problem.bits, draws, numbers)
        states = {}
        for role in self.problem.modalities:
            x = as_float64(features[role])
            x = x - x.mean(0)
            m = min(self.anchors, len(x))
            # random anchors are the same rows in both modalities
            points = kmeans(x, m, draws) if self.sampling == "km" else choose_anchors(x, m, generator(seed))
            # the mean of |x_i - x_j|^2 over all n^2 pairs is twice the mean of |x_i|^2 of centred rows
            scale = 1.0 / max(2.0 * float(x.square().sum(1).mean()), torch.finfo(x.dtype).tiny)
            phi, inner = rbf(x[rows], points, scale), rbf(points, points, scale)
            weight = torch.stack([logistic_regression(phi, inner, h, self.beta) for h in targets.T], dim=1)
            states[role] = anchors_state(points + as_float64(features[role]).mean(0), scale, weight)
        return states


def kmeans(x: torch.Tensor, m: int, draws: torch.Generator) -> torch.Tensor:
    """Return m centres (m, D) of x (n, D): batch updates from random rows, an empty one becomes the farthest row."""
    centres = choose_anchors(x, m, draws)
    owner = None
    for _ in range(KMEANS_ROUNDS):
        distance, nearest = squared_distances(x, centres).min(1)
        for empty in (torch.bincount(nearest, minlength=m) == 0).nonzero().flatten():
            farthest = distance.argmax()
            nearest[farthest], distance[farthest] = empty, 0.0
        if owner is not None and torch.equal(nearest, owner):
            break
        owner = nearest
        counts = torch.bincount(nearest, minlength=m).clamp_min(1)
        centres = torch.zeros_like(centres).index_add_(0, nearest, x) / counts[:, None]
    return centres


def logistic_regression(phi: torch.Tensor, inner: torch.Tensor, h: torch.Tensor, beta: float) -> torch.Tensor:
    """Return w (m,) that minimises sum_i log(1 + exp(-h_i phi_i w)) + beta w' K_0 w, by Newton with halved steps.

    phi (n, m) and K_0 (m, m), which is raised on its diagonal by 1e-10 for the direction only; h (n,) is +-1.
    """
    w = torch.zeros(phi.shape[1], dtype=phi.dtype)
    raised = 2.0 * beta * inner + 1e-10 * torch.eye(len(inner), dtype=phi.dtype)

    def value(w: torch.Tensor) -> float:
        return float(F.softplus(-h * (phi @ w)).sum() + beta * w @ inner @ w)

    now = value(w)
    for _ in range(NEWTON_ROUNDS):
        wrong = torch.sigmoid(-h * (phi @ w))
        gradient = 2.0 * beta * inner @ w - phi.T @ (h * wrong)
        if float(gradient.abs().max()) <= TOLERANCE:
            break
        hessian = phi.T @ ((wrong * (1.0 - wrong))[:, None] * phi) + raised
        factor, trouble = torch.linalg.cholesky_ex(hessian)
        direction = torch.cholesky_solve(gradient[:, None], factor)[:, 0] if not int(trouble) else gradient
        slope, size = float(gradient @ direction), 1.0
        while (after := value(w - size * direction)) > now - 1e-4 * size * slope and size > SHORTEST:
            size /= 2.0
        if after >= now:
            break
        w, now = w - size * direction, after
    return w
