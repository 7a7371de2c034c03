"""The losses of DCH: Cauchy cross-entropy and Cauchy quantization (CVPR 2018)."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import (
    WEIGHTS,
    class_weights,
    cosine,
    pair_logistic,
    share_label,
    unit,
    widen,
)

DISTANCES = ("cosine", "euclidean")
QUANTIZERS = ("cauchy", "squared")
SMALLEST_DISTANCE = 1e-5
"""Floor of the distance where the loss has a pole, log(1 + gamma / d); in the order of float32's error of d."""


def normalized_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return d_ij = K/2 (1 - cos(a_i, b_j)) (N, M) of a (N, K) and b (M, K), never negative; Hamming's on codes."""
    return (0.5 * a.shape[1] * (1.0 - cosine(a, b))).relu()


def squared_euclidean(z: torch.Tensor) -> torch.Tensor:
    """Return |z_i - z_j|^2 (N, N) of z (N, K), never negative; on codes it is four times Hamming's distance."""
    square = (z**2).sum(dim=1)
    return (square[:, None] + square[None, :] - 2.0 * (z @ z.T)).relu()


def cauchy_cross_entropy(distance: torch.Tensor, similar: torch.Tensor, gamma: float) -> torch.Tensor:
    """Return s log(1 + d/gamma) + (1 - s) log(1 + gamma/d) per pair.

    Equal to the paper's s log(d/gamma) + log(1 + gamma/d), which is infinity less infinity for s = 1 and d = 0.
    """
    above_pole = F.threshold(distance, SMALLEST_DISTANCE, SMALLEST_DISTANCE)
    return torch.log1p(similar / gamma * distance + (1.0 - similar) * gamma / above_pole)  # one of the two is 0


def quantization_error(z: torch.Tensor, gamma: float, quantizer: str) -> torch.Tensor:
    """Return the mean over images of log(1 + d(|z|, 1) / gamma), d = K/2 (1 - cos); or the mean of (|z| - 1)^2.

    The paper sums over images; here it is their mean, as `pairwise` is a mean over pairs.
    """
    size = z.abs()
    if quantizer == "squared":
        return ((size - 1.0) ** 2).mean()
    bits = z.shape[1]
    distance = (0.5 * bits - 0.5 * math.sqrt(bits) * unit(size).sum(dim=1)).relu()
    return torch.log1p(distance / gamma).mean()


class DCHLoss(nn.Module):
    """DCH (CVPR 2018): `pairwise` and `quantization`.

    pairwise = mean over the ordered pairs i != j of w_ij times the Cauchy cross-entropy of d_ij; w_ij = |S|/|S1| for
    similar and |S|/|S0| for dissimilar pairs of this batch. quantization = quantization_weight times
    `quantization_error`. A batch of one image has no pairs and a pairwise term of 0.

    Options:
        gamma: scale of the Cauchy distribution; paper: cross-validated; DeepHash-pytorch 20, another port 15
        quantization_weight: lambda; cross-validated in the paper, 0.1 in DeepHash-pytorch
        distance: "cosine", K/2 (1 - cos), the paper's; "euclidean", the released code's, is 4 times as large on codes
        weights: "two_sided" as above; "one_sided" leaves dissimilar pairs at 1, the released code's; "none"
        quantizer: "cauchy", the paper's; "squared", the mean of (|z| - 1)^2, the released code's
    """

    def __init__(
        self,
        problem: Problem,
        *,
        gamma: float = 20.0,
        quantization_weight: float = 0.1,
        distance: str = "cosine",
        weights: str = "two_sided",
        quantizer: str = "cauchy",
    ) -> None:
        super().__init__()
        _check_positive(gamma=gamma)
        if not quantization_weight >= 0:
            raise UsageError(f"quantization_weight must be a number of at least 0; got {quantization_weight!r}.")
        for what, value, known in (
            ("distance", distance, DISTANCES),
            ("pair weighting", weights, WEIGHTS),
            ("quantizer", quantizer, QUANTIZERS),
        ):
            if value not in known:
                raise unknown_name(what, value, known)
        self.gamma = gamma
        self.distance = distance
        self.weights = weights
        self.quantization_weight = quantization_weight
        self.quantizer = quantizer

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"pairwise", "quantization"} of a batch: relaxed (N, K), labels (N, C)."""
        z = widen(output.relaxed)
        similar = share_label(batch.labels, batch.labels).to(z.dtype)
        counted = torch.ones_like(similar).fill_diagonal_(0.0)
        weights = class_weights(similar, counted, self.weights) * counted
        return {
            "pairwise": (weights * self.each_pair(z, similar)).sum() / max(1, len(z) * (len(z) - 1)),
            "quantization": self.quantization_weight * quantization_error(z, self.gamma, self.quantizer),
        }

    def each_pair(self, z: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        """Return the unweighted loss (N, N) of every pair."""
        distance = normalized_distance(z, z) if self.distance == "cosine" else squared_euclidean(z)
        return cauchy_cross_entropy(distance, similar, self.gamma)


class DCHSigmoidLoss(DCHLoss):
    """DCH-C (CVPR 2018): the Cauchy cross-entropy replaced by softplus(alpha <z, z>) - s alpha <z, z>.

    Options:
        alpha: slope of the sigmoid; None for `slope` / K
        slope: alpha times the bits, where alpha is None; not known of DCH-C, 10 as in HashNet
        gamma: scale of the quantization; as in DCH
        quantization_weight: lambda; as in DCH
        weights: of the pairs; as in DCH
    """

    def __init__(
        self,
        problem: Problem,
        *,
        alpha: float | None = None,
        slope: float = 10.0,
        gamma: float = 20.0,
        quantization_weight: float = 0.1,
        weights: str = "two_sided",
    ) -> None:
        super().__init__(problem, gamma=gamma, quantization_weight=quantization_weight, weights=weights)
        _check_positive(alpha=1.0 if alpha is None else alpha, slope=slope)
        if slope != 10.0 and alpha is not None:
            raise UsageError(f"slope is read where alpha is None only; got alpha={alpha!r}.")
        self.alpha = slope / problem.bits if alpha is None else alpha

    def each_pair(self, z: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        """Return the unweighted loss (N, N) of every pair."""
        return pair_logistic(self.alpha * (z @ z.T), similar)


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise UsageError(f"{name} must be a number above 0; got {value!r}.")
