"""DCHMT's hash layer: a choice between two values for each bit (ACM MM 2022)."""

from __future__ import annotations

import math

import torch
from torch import nn

from hashzoo import Problem, UsageError
from hashzoo.losses import sign


class BitChoice(nn.Module):
    """A hidden layer of ReLU units, and for each bit the softmax of two numbers p_0, p_1.

    relaxed = p_1 - p_0 in [-1, 1], which is tanh of half the difference of the two numbers; codes its sign. Weights are
    drawn uniformly by Kaiming's rule for fan-out, each bit's two numbers a layer of their own; biases are 0.

    Options:
        hidden: units of the hidden layer; released code 128
    """

    def __init__(self, feature_dim: int, problem: Problem, *, hidden: int = 128) -> None:
        super().__init__()
        if hidden < 1:
            raise UsageError(f"hidden must be at least 1; got {hidden!r}.")
        self.hidden = nn.Linear(feature_dim, hidden)
        self.choice = nn.Linear(hidden, 2 * problem.bits)
        for layer, fan_out in ((self.hidden, hidden), (self.choice, 2)):
            bound = math.sqrt(6.0 / fan_out)
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        scores = self.choice(torch.relu(self.hidden(features))).unflatten(1, (-1, 2))
        relaxed = torch.tanh(0.5 * (scores[..., 1] - scores[..., 0]))
        return relaxed, sign(relaxed)
