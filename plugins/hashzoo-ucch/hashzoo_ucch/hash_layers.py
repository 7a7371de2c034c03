"""UCCH's hash layer: hidden layers of ReLU units, tanh, and unit length (TPAMI 2023)."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from hashzoo import Problem, UsageError
from hashzoo.losses import sign, unit


class UnitTanh(nn.Module):
    """ReLU layers, a linear layer, tanh and division by the length: relaxed (N, K) of length 1, codes its sign.

    The networks of the paper stand on fixed features: 4096 -> 8192 -> 8192 -> K for images, d -> 8192 -> K for texts.
    Weights and biases start as torch's nn.Linear does.

    Options:
        hidden: units of a hidden layer; 8192 in the released code
        layers: hidden layers; released code: 2 for images, 1 for texts; 0 for none
    """

    def __init__(self, feature_dim: int, problem: Problem, *, hidden: int = 8192, layers: int = 1) -> None:
        super().__init__()
        if hidden < 1 or layers < 0:
            raise UsageError(f"hidden must be at least 1 and layers at least 0; got {hidden!r} and {layers!r}.")
        widths = [feature_dim, *[hidden] * layers]
        parts: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            parts += [nn.Linear(before, after), nn.ReLU()]
        self.network = nn.Sequential(*parts, nn.Linear(widths[-1], problem.bits))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = unit(torch.tanh(self.network(features)))
        return relaxed, sign(relaxed)
