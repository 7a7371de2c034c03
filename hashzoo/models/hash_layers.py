"""Generic hash layers: features (N, D) to relaxed outputs (N, K) and codes (N, K) in {-1, +1}."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.fitting import anchor_count, rbf, unit_rows
from hashzoo.losses import sign
from hashzoo.specs import Problem


class LinearHashLayer(nn.Module):
    """A linear layer; relaxed is its output, codes the sign of it, without gradient.

    Weights are drawn from N(0, std^2); biases from N(0, bias_std^2), which for bias_std = 0 are zeros.

    Options:
        std: standard deviation of the weights; 0.01 is that of the released code of DHN, HashNet and DCH.
        bias_std: standard deviation of the biases; 0 in that code, 0.01 in DCMH's.

    >>> layer = LinearHashLayer(8, Problem(bits=4, num_classes=2, num_train=10))
    >>> relaxed, codes = layer(torch.zeros(3, 8))
    >>> relaxed.shape, codes[0].tolist()
    (torch.Size([3, 4]), [1.0, 1.0, 1.0, 1.0])
    """

    def __init__(self, feature_dim: int, problem: Problem, *, std: float = 0.01, bias_std: float = 0.0) -> None:
        super().__init__()
        for name, value in (("std", std), ("bias_std", bias_std)):
            if not value >= 0:
                raise UsageError(f"Hash layer option {name} must be a number of at least 0; got {value!r}.")
        self.linear = nn.Linear(feature_dim, problem.bits)
        nn.init.normal_(self.linear.weight, std=std)
        nn.init.normal_(self.linear.bias, std=bias_std)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = self.linear(features)
        return relaxed, sign(relaxed)


class TanhHashLayer(LinearHashLayer):
    """A linear layer and tanh (DHN, AAAI 2016; DCH, CVPR 2018): relaxed in [-1, 1], codes its sign.

    Options:
        std: standard deviation of the weights; 0.01 is that of the released code of DHN, HashNet and DCH.
        bias_std: standard deviation of the biases; 0 in that code.
    """

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = torch.tanh(self.linear(features))
        return relaxed, sign(relaxed)


class Projection(nn.Module):
    """An affine map that a fitter finds: relaxed = (x - mean) W + bias, codes its sign.

    State, all buffers: mean (D,), weight (D, K), bias (K,). Before it is fitted everything is zero and every code +1.
    """

    mean: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, feature_dim: int, problem: Problem) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("weight", torch.zeros(feature_dim, problem.bits))
        self.register_buffer("bias", torch.zeros(problem.bits))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = (features - self.mean) @ self.weight + self.bias
        return relaxed, sign(relaxed)


class Anchors(nn.Module):
    """A kernel expansion on m anchors that a fitter finds: relaxed = (exp(-scale |x - a|^2) - offset) W + bias.

    State, all buffers: anchors (m, D), mean (D,), scale (), which is 1 / (2 sigma^2), offset (m,), weight (m, K),
    bias (K,), and unit (): 1 where x is brought to unit length first, else 0. mean is taken from x and from the
    anchors, which changes no distance and saves digits in float32. Before it is fitted everything is zero and every
    code +1.

    Options:
        anchors: m, at most the number of train items; 300 is KSH's (CVPR 2012). The fitter's has to be the same.
    """

    anchors: torch.Tensor
    mean: torch.Tensor
    scale: torch.Tensor
    offset: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor
    unit: torch.Tensor

    def __init__(self, feature_dim: int, problem: Problem, *, anchors: int = 300) -> None:
        super().__init__()
        m = anchor_count(anchors, problem)
        self.register_buffer("anchors", torch.zeros(m, feature_dim))
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("scale", torch.zeros(()))
        self.register_buffer("offset", torch.zeros(m))
        self.register_buffer("weight", torch.zeros(m, problem.bits))
        self.register_buffer("bias", torch.zeros(problem.bits))
        self.register_buffer("unit", torch.zeros(()))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K), from features (N, D)."""
        x = torch.where(self.unit > 0, unit_rows(features), features)
        kernel = rbf(x - self.mean, self.anchors - self.mean, self.scale)
        relaxed = (kernel - self.offset) @ self.weight + self.bias
        return relaxed, sign(relaxed)
