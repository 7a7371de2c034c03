"""DPN's hash layer: linear, without bias or activation (IJCAI 2020)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Problem, UsageError
from hashzoo.losses import sign


class DPNHashLayer(nn.Module):
    """A linear layer without bias; relaxed is its output, codes the sign of it.

    Options:
        std: standard deviation of the initial weights; the authors' code, 0.01
    """

    def __init__(self, feature_dim: int, problem: Problem, *, std: float = 0.01) -> None:
        super().__init__()
        if not std >= 0:
            raise UsageError(f"std must be a number of at least 0; got {std!r}.")
        self.linear = nn.Linear(feature_dim, problem.bits, bias=False)
        nn.init.normal_(self.linear.weight, std=std)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = self.linear(features)
        return relaxed, sign(relaxed)
