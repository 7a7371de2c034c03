"""DJSRH's hash layer: tanh whose slope grows with the square root of the epoch (ICCV 2019, released code)."""

from __future__ import annotations

import math

import torch
from torch import nn

from hashzoo import Problem, UsageError
from hashzoo.losses import sign


class GrowingTanh(nn.Module):
    """A linear layer and tanh(slope z): relaxed in [-1, 1], codes its sign; slope = sqrt(t + 1) in epoch t = 0, 1, ...

    The slope belongs to the state; it never changes a code. Weights and biases start as torch's nn.Linear does, which
    is what the released code leaves them at.

    Options:
        growth: "sqrt" as in the released code, "none" keeps the slope at 1 (the ablation in its README)
    """

    slope: torch.Tensor

    def __init__(self, feature_dim: int, problem: Problem, *, growth: str = "sqrt") -> None:
        super().__init__()
        if growth not in ("sqrt", "none"):
            raise UsageError(f"growth must be 'sqrt' or 'none'; got {growth!r}.")
        self.growth = growth
        self.linear = nn.Linear(feature_dim, problem.bits)
        self.register_buffer("slope", torch.ones(()))

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Set the slope for epoch `epoch` (0-based)."""
        self.slope.fill_(math.sqrt(epoch + 1.0) if self.growth == "sqrt" else 1.0)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = torch.tanh(self.slope * self.linear(features))
        return relaxed, sign(relaxed)
