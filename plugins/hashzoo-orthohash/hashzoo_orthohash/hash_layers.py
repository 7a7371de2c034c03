"""OrthoHash's hash layer: linear without bias, then batch normalization (NeurIPS 2021)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hashzoo import Problem, UsageError
from hashzoo.losses import sign


class OrthoHashLayer(nn.Module):
    """v = BN(W x); relaxed is v, codes its sign. The normalization balances each bit over a batch.

    Codes of a trained model use the running statistics. So does a training batch of one item, which has no variance.
    With several processes each normalizes its own part of a batch.

    Options:
        std: standard deviation of the initial weights of W; released code, 0.01
    """

    def __init__(self, feature_dim: int, problem: Problem, *, std: float = 0.01) -> None:
        super().__init__()
        if not std > 0:
            raise UsageError(f"std must be a number above 0; got {std!r}.")
        self.linear = nn.Linear(feature_dim, problem.bits, bias=False)
        nn.init.normal_(self.linear.weight, std=std)
        self.norm = nn.BatchNorm1d(problem.bits)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        z = self.linear(features)
        if len(z) > 1 or not self.training:
            relaxed = self.norm(z)
        else:
            norm = self.norm
            relaxed = F.batch_norm(z, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        return relaxed, sign(relaxed)
