"""GreedyHash's hash layer: a linear layer and a sign whose gradient is passed straight through (NeurIPS 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hashzoo import Problem
from hashzoo.losses import sign


class StraightThroughSign(torch.autograd.Function):
    """B = sgn(H) forward, dL/dH = dL/dB backward, for every H and not only for |H| <= 1."""

    @staticmethod
    def forward(ctx: Any, relaxed: torch.Tensor) -> torch.Tensor:
        """Return the codes (N, K)."""
        return sign(relaxed)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the codes unchanged."""
        return gradient


class GreedyHashLayer(nn.Module):
    """A linear layer; relaxed is its output H, codes B = sgn(H) with the straight-through gradient.

    The initial values are those of torch's linear layer.
    """

    def __init__(self, feature_dim: int, problem: Problem) -> None:
        super().__init__()
        self.linear = nn.Linear(feature_dim, problem.bits)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = self.linear(features)
        codes: torch.Tensor = StraightThroughSign.apply(relaxed)  # type: ignore[no-untyped-call] # torch types it so
        return relaxed, codes
