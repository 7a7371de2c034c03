"""The hash layer of DNNH: the features are divided into K slices, each of which gives one bit (CVPR 2015)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Problem, UsageError
from hashzoo.losses import sign


class DivideAndEncode(nn.Module):
    """Divide-and-encode (DNNH, CVPR 2015): bit k sees slice k of the features alone.

    A linear layer takes features (N, D) to K slices of `width`; slice k goes through its own linear unit and a sigmoid
    to F_k in [0, 1]; relaxed is 2 F - 1, codes its sign. Weights N(0, 0.1^2) and bias 0 are those of a
    re-implementation that follows the authors' archive. With epsilon above 0 the paper's piecewise threshold follows:
    0 below 0.5 - epsilon, 1 above 0.5 + epsilon, F between, with no gradient outside.

    Options:
        width: numbers per slice; 50 in the paper. 0 cuts the features as they are into slices of D / K.
        epsilon: half width of the threshold's linear part; 0 is no threshold (the paper's value is not known here).
    """

    def __init__(self, feature_dim: int, problem: Problem, *, width: int = 50, epsilon: float = 0.0) -> None:
        super().__init__()
        bits = problem.bits
        if not 0.0 <= epsilon <= 0.5:
            raise UsageError(f"epsilon must be a number from 0 to 0.5; got {epsilon!r}.")
        if width < 0:
            raise UsageError(f"width must be an integer of at least 0; got {width!r}.")
        if not width and feature_dim % bits:
            raise UsageError(
                f"width=0 cuts the {feature_dim} features into {bits} equal slices, which cannot be; "
                "give a width, 50 in the paper."
            )
        self.bits, self.epsilon = bits, epsilon
        self.divide = nn.Linear(feature_dim, bits * width) if width else nn.Identity()
        self.weight = nn.Parameter(0.1 * torch.randn(bits, width or feature_dim // bits))
        self.bias = nn.Parameter(torch.zeros(bits))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K), of features (N, D)."""
        slices = self.divide(features).unflatten(1, (self.bits, -1))
        relaxed = torch.tanh(0.5 * ((slices * self.weight).sum(dim=2) + self.bias))  # 2 sigmoid(s) - 1
        if self.epsilon:
            relaxed = torch.where(relaxed.abs() <= 2.0 * self.epsilon, relaxed, sign(relaxed))
        return relaxed, sign(relaxed)
