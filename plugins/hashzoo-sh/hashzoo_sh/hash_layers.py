"""The hash layer of spectral hashing."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Problem
from hashzoo.losses import sign


class Cosines(nn.Module):
    """Eigenfunctions along axes (SH, NIPS 2008): relaxed_k = cos((x - mean) w_k - phase_k), codes its sign.

    State, all buffers: mean (D,), weight (D, K), whose column k is an axis times its frequency, phase (K,). Items
    beyond the range of the train items are not clipped: the cosine goes on. Before it is fitted every code is +1.
    """

    mean: torch.Tensor
    weight: torch.Tensor
    phase: torch.Tensor

    def __init__(self, feature_dim: int, problem: Problem) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("weight", torch.zeros(feature_dim, problem.bits))
        self.register_buffer("phase", torch.zeros(problem.bits))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = torch.cos((features - self.mean) @ self.weight - self.phase)
        return relaxed, sign(relaxed)
