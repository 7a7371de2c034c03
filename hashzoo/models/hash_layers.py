"""Generic hash layers: features (N, D) to relaxed outputs (N, K) and codes (N, K) in {-1, +1}."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.losses import sign
from hashzoo.specs import Problem


class LinearHashLayer(nn.Module):
    """A linear layer; relaxed is its output, codes the sign of it, without gradient.

    Weights are drawn from N(0, std^2); biases from N(0, bias_std^2), which for bias_std = 0 are zeros. The
    default std 0.01 and bias 0 are those of the released code of DHN, HashNet and DCH; DCMH's draws its
    biases from N(0, 0.01^2) as well.
    """

    def __init__(self, feature_dim: int, bits: int, std: float, bias_std: float) -> None:
        super().__init__()
        for name, value in (("std", std), ("bias_std", bias_std)):
            if not value >= 0:
                raise UsageError(f"Hash layer option {name} must be a number of at least 0; got {value!r}.")
        self.linear = nn.Linear(feature_dim, bits)
        nn.init.normal_(self.linear.weight, std=std)
        nn.init.normal_(self.linear.bias, std=bias_std)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = self.linear(features)
        return relaxed, sign(relaxed)


class TanhHashLayer(LinearHashLayer):
    """A linear layer and tanh (DHN, AAAI 2016; DCH, CVPR 2018): relaxed in [-1, 1], codes its sign."""

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = torch.tanh(self.linear(features))
        return relaxed, sign(relaxed)


def build_linear(feature_dim: int, problem: Problem, std: float = 0.01, bias_std: float = 0.0) -> LinearHashLayer:
    """Build a linear hash layer of `problem.bits` bits.

    >>> layer = build_linear(8, Problem(bits=4, num_classes=2, num_train=10))
    >>> relaxed, codes = layer(torch.zeros(3, 8))
    >>> relaxed.shape, codes[0].tolist()
    (torch.Size([3, 4]), [1.0, 1.0, 1.0, 1.0])
    """
    return LinearHashLayer(feature_dim, problem.bits, std, bias_std)


def build_tanh(feature_dim: int, problem: Problem, std: float = 0.01, bias_std: float = 0.0) -> TanhHashLayer:
    """Build a linear hash layer followed by tanh."""
    return TanhHashLayer(feature_dim, problem.bits, std, bias_std)
