"""SePH's first stage (CVPR 2015): codes of the train items from their labels alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

BLOCK = 2**18
"""Numbers in a block of the n x n tables: small enough for a processor's cache."""
HELD = 2**25
"""Numbers up to which P is held; a larger one is computed again in each step."""
SMALLEST = torch.finfo(torch.float64).tiny
"""Probabilities are floored at it before logarithms."""
EXAGGERATION = 4.0
LATE_MOMENTUM = 250


@dataclass(frozen=True)
class Descent:
    """Numbers of the descent: rounds, rate, rounds with 4 P in place of P, weight alpha of the quantization."""

    rounds: int
    rate: float
    exaggerated: int
    alpha: float


class CodeDivergence:
    """KL(P || Q) of codes to labels, plus alpha' | |H| - 1 |^2 with alpha' = alpha / (n K).

    P_ij is proportional to the cosine of the label rows i and j of T (n, C), Q_ij to 1 / (1 + |h_i - h_j|^2 / 4) of
    relaxed codes H (n, K); both sum to 1 over i != j. All sums over pairs run in blocks of rows.
    """

    def __init__(self, labels: torch.Tensor, alpha: float) -> None:
        self.rows = labels / labels.norm(dim=1, keepdim=True).clamp_min(SMALLEST)
        self.total = float(self.rows.sum(0).square().sum() - self.rows.square().sum())
        self.alpha = alpha
        self._held = list(self._computed()) if len(labels) ** 2 <= HELD else None
        self.entropy = sum(float((p * p.clamp_min(SMALLEST).log()).sum()) for _, p in self._blocks())

    def value_and_gradient(self, h: torch.Tensor, exaggeration: float = 1.0) -> tuple[float, torch.Tensor]:
        """Return the objective at H, and its gradient (n, K) with P taken `exaggeration` times.

        With N_ij = 1 / (1 + d_ij), Q = N / Z and Lambda = (P - Q) N the gradient of the divergence is
        (diag(Lambda 1) - Lambda) H; it is linear in P N and N^2 / Z, so that one pass gives Z and both parts.
        """
        n, bits = h.shape
        one, square = torch.ones(n, 1, dtype=h.dtype), h.square().sum(1, keepdim=True)
        # near^-1 = 1 + (|h_i|^2 + |h_j|^2) / 4 - <h_i, h_j> / 2 as one product
        left = torch.cat([-0.5 * h, 0.25 * square + 1.0, one], dim=1)
        right = torch.cat([h, one, 0.25 * square], dim=1).T.contiguous()
        wide = torch.cat([h, one], dim=1)
        attracted, repelled = torch.empty_like(wide), torch.empty_like(wide)
        z = likelihood = 0.0
        for rows, p in self._blocks():
            near = (left[rows] @ right).reciprocal_()
            near[torch.arange(len(rows)), rows] = 1.0  # P is 0 there: no likelihood, no attraction
            likelihood += float(p.flatten() @ near.log().flatten())
            attracted[rows] = (p * near) @ wide
            near[torch.arange(len(rows)), rows] = 0.0
            z += float(near.sum())
            repelled[rows] = near.square_() @ wide
        attracted, repelled = (t[:, bits:] * h - t[:, :bits] for t in (attracted, repelled))
        weight = self.alpha / h.numel()
        slack = h.abs() - 1.0
        value = self.entropy - likelihood + math.log(z) + weight * float(slack.square().sum())
        return value, exaggeration * attracted - repelled / z + 2.0 * weight * slack * h.sign()

    def _blocks(self) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        """Return rows (b,) and P of these rows (b, n), 0 on the diagonal, block by block."""
        if self._held is not None:
            return self._held
        return self._computed()

    def _computed(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        n = len(self.rows)
        for rows in torch.arange(n).split(max(1, BLOCK // n)):
            p = self.rows[rows] @ self.rows.T / self.total
            p[torch.arange(len(rows)), rows] = 0.0
            yield rows, p


def train_codes(labels: torch.Tensor, bits: int, draws: torch.Generator, numbers: Descent) -> torch.Tensor:
    """Return codes (n, K) of +-1 for items with labels (n, C): the sign of the best H that the descent meets."""
    divergence = CodeDivergence(labels, numbers.alpha)
    h = 1e-4 * torch.randn(len(labels), bits, generator=draws, dtype=torch.float64)
    step, gains = torch.zeros_like(h), torch.ones_like(h)
    best, least = h, float("inf")
    for count in range(numbers.rounds + 1):
        value, gradient = divergence.value_and_gradient(h, EXAGGERATION if count < numbers.exaggerated else 1.0)
        if value < least:
            best, least = h, value
        h, step, gains = one_step(h, step, gains, gradient, numbers.rate, 0.5 if count < LATE_MOMENTUM else 0.8)
    return torch.where(best >= 0, 1.0, -1.0).double()


def one_step(
    h: torch.Tensor, step: torch.Tensor, gains: torch.Tensor, gradient: torch.Tensor, rate: float, momentum: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return H, step and gains after one step of t-SNE's descent, the columns of H centred."""
    gains = torch.where(gradient.sign() != step.sign(), gains + 0.2, gains * 0.8).clamp_min(0.01)
    step = momentum * step - rate * gains * gradient
    h = h + step
    return h - h.mean(0), step, gains
