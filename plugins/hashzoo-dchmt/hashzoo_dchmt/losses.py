"""The loss of DCHMT (ACM MM 2022): distances of soft bits, pulled together and pushed apart to a margin."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.fitting import squared_distances
from hashzoo.losses import (
    share_label,
    two_roles,
    widen,
)

SHORTEST = 1e-12
"""Squared distances below this have no gradient in the push: the root's slope is infinite at 0."""


class DCHMTLoss(nn.Module):
    """DCHMT (ACM MM 2022): `pull` and `push` of soft bits across and within both modalities.

    An output u in [-1, 1]^K stands for the probabilities (1 - u_k) / 2 and (1 + u_k) / 2 of each bit, 2 K numbers
    whose squared distance is d^2 = |u - u'|^2 / 2, twice the Hamming distance on codes. With s_ij = 1 where i and j
    share a label, M = sqrt(2 K theta) and N items in the batch, for two sets of outputs

        pull = 1/N^2 sum_ij s_ij d_ij^2,  push = 1/N^2 sum_ij (1 - s_ij) (M - min(d_ij, M))^2,

    summed over image-text, image-image and text-text. The push ends at a Hamming distance of K theta.

    Options:
        theta: share of bits up to which dissimilar items are pushed apart; released code 0.5 (0.75 for MS-COCO)
    """

    def __init__(self, problem: Problem, *, theta: float = 0.5) -> None:
        super().__init__()
        if not 0.0 < theta <= 1.0:
            raise UsageError(f"theta must be a number above 0 and at most 1; got {theta!r}.")
        self.roles = two_roles(problem, "Loss 'dchmt'")
        self.margin = math.sqrt(2.0 * problem.bits * theta)

    def forward(self, output: Mapping[str, HashOutput], batch: Batch) -> dict[str, torch.Tensor]:
        """Return the two terms."""
        a, b = (widen(output[role].relaxed) for role in self.roles)
        similar = share_label(batch.labels, batch.labels).to(a.dtype)
        squares = [half_squares(x, y) for x, y in ((a, b), (a, a), (b, b))]
        none = a.new_zeros(())
        pull = sum(((similar * square).mean() for square in squares), none)
        push = sum((((1.0 - similar) * self.short_of(square).square()).mean() for square in squares), none)
        return {"pull": pull, "push": push}

    def short_of(self, squares: torch.Tensor) -> torch.Tensor:
        """Return M - min(d, M) (N, N) of squared distances d^2."""
        return (self.margin - squares.clamp_min(SHORTEST).sqrt()).clamp_min(0.0)


def half_squares(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return d^2 = |x_i - y_j|^2 / 2 (N, N) of outputs (N, K), never negative."""
    return 0.5 * squared_distances(x, y)
