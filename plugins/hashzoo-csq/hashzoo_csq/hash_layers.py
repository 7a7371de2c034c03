"""CSQ's head: linear layers of the features' width before the one that gives the bits (CVPR 2020)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Problem, UsageError
from hashzoo.losses import sign


class CSQHashLayer(nn.Module):
    """Linear D-D, ReLU, dropout, linear D-D, ReLU, linear D-K; relaxed is its output z, codes the sign of z.

    The released head ends in tanh; here the loss applies it, so that its cross-entropy does not saturate. The initial
    values are those of torch's linear layer.

    Options:
        layers: number of linear layers; released code 3, DeepHash-pytorch 1
        dropout: share of zeroed outputs behind the first layer in training; released code, 0.5 with ResNet50, else none
    """

    def __init__(self, feature_dim: int, problem: Problem, *, layers: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        if not isinstance(layers, int) or isinstance(layers, bool) or layers < 1:
            raise UsageError(f"layers must be an integer of at least 1; got {layers!r}.")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout must be a number from 0 to below 1; got {dropout!r}.")
        parts: list[nn.Module] = []
        for number in range(layers - 1):
            parts += [nn.Linear(feature_dim, feature_dim), nn.ReLU()]
            parts += [nn.Dropout(dropout)] if dropout and not number else []
        self.layers = nn.Sequential(*parts, nn.Linear(feature_dim, problem.bits))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = self.layers(features)
        return relaxed, sign(relaxed)
