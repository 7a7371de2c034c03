"""STMH's hash layer: an affine map and a threshold of each item's own (IJCAI 2015)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Problem
from hashzoo.losses import sign


class ItemThreshold(nn.Module):
    """Scores y = x W + bias (N, K) less a threshold of the item's own; codes their sign.

    Where the buffer `topics` is 0 (images) the threshold is the median of the item's K scores, so that half of its bits
    at least are +1. Where it is 1 (texts) exactly k = round(K / 2) bits are +1, those of the k largest scores, the
    lower index first among equals; the threshold lies midway between the k-th and the next score.

    State, all buffers: weight (D, K), bias (K,), topics (). Before it is fitted every score is zero.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    topics: torch.Tensor

    def __init__(self, feature_dim: int, problem: Problem) -> None:
        super().__init__()
        self.ones = chosen_topics(problem.bits)
        self.register_buffer("weight", torch.zeros(feature_dim, problem.bits))
        self.register_buffer("bias", torch.zeros(problem.bits))
        self.register_buffer("topics", torch.zeros(()))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        scores = features @ self.weight + self.bias
        relaxed = torch.where(self.topics > 0, self._largest(scores), _above_median(scores))
        return relaxed, sign(relaxed)

    def _largest(self, scores: torch.Tensor) -> torch.Tensor:
        falling, order = scores.sort(dim=1, descending=True, stable=True)
        last = min(self.ones, scores.shape[1] - 1)  # one bit: it is the item's only topic
        relaxed = scores - (falling[:, [self.ones - 1]] + falling[:, [last]]) / 2
        chosen = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, order[:, : self.ones], True)
        least = torch.finfo(scores.dtype).tiny  # equal scores on both sides of the cut
        return torch.where(chosen, relaxed.clamp_min(0.0), relaxed.clamp_max(-least))


def chosen_topics(bits: int) -> int:
    """Return k, the number of topics of each text: K / 2, half rounded up, at least 1."""
    return max(1, (bits + 1) // 2)


def _above_median(scores: torch.Tensor) -> torch.Tensor:
    rising = scores.sort(dim=1).values
    k = scores.shape[1]
    return scores - (rising[:, [(k - 1) // 2]] + rising[:, [k // 2]]) / 2
