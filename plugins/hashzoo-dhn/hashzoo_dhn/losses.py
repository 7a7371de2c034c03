"""The losses of DHN: pairwise likelihood and bimodal Laplacian quantization (AAAI 2016)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import (
    WEIGHTS,
    class_weights,
    cosine,
    log_cosh,
    pair_logistic,
    share_label,
    widen,
)

SIMILARITIES = ("inner_product", "cosine")
QUANTIZERS = ("log_cosh", "squared")
TARGETS = ("signed", "binary")


def quantization_error(z: torch.Tensor, quantizer: str) -> torch.Tensor:
    """Return the mean over the N images of the sum over the K bits of log cosh(|z| - 1), or of (|z| - 1)^2.

    The paper counts each image once per pair it is in; over all ordered pairs of a batch that sum is 2 N^2 times
    this mean, so the paper's lambda is half of ours. The released Caffe code's gradient is that of this mean.
    """
    distance = z.abs() - 1.0
    each = log_cosh(distance) if quantizer == "log_cosh" else distance**2
    return each.sum() / len(z)


class DHNLoss(nn.Module):
    """DHN (AAAI 2016): `pairwise` and `quantization`.

    pairwise = mean over the N^2 ordered pairs, i = j included, of softplus(theta_ij) - s_ij theta_ij with
    theta_ij = logit_scale <z_i, z_j>: the paper's negative log-likelihood divided by the number of pairs.
    quantization = quantization_weight times `quantization_error`.

    Options:
        quantization_weight: lambda; the paper cross-validates it over 1e-5..1e2, 0.2 is the newer released Caffe code's
        logit_scale: factor on the logit; paper 1, 0.5 is the likelihood of DPSH and of DeepHash-pytorch's DHN
        similarity: "inner_product", the paper's; "cosine" with logit_scale 10, the script of the TensorFlow code
        quantizer: "log_cosh", the paper's; "squared", (|z| - 1)^2, the TensorFlow code's
        weights: of the pairs; paper "none", "one_sided" in the TensorFlow code, or "two_sided"
    """

    def __init__(
        self,
        problem: Problem,
        *,
        quantization_weight: float = 0.2,
        logit_scale: float = 1.0,
        similarity: str = "inner_product",
        quantizer: str = "log_cosh",
        weights: str = "none",
    ) -> None:
        super().__init__()
        _check_weight(quantization_weight)
        if not logit_scale > 0:
            raise UsageError(f"logit_scale must be a number above 0; got {logit_scale!r}.")
        for what, value, known in (
            ("similarity", similarity, SIMILARITIES),
            ("quantizer", quantizer, QUANTIZERS),
            ("pair weighting", weights, WEIGHTS),
        ):
            if value not in known:
                raise unknown_name(what, value, known)
        self.logit_scale = logit_scale
        self.similarity = similarity
        self.weights = weights
        self.quantization_weight = quantization_weight
        self.quantizer = quantizer

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"pairwise", "quantization"} of a batch: relaxed (N, K), labels (N, C)."""
        z = widen(output.relaxed)
        similar = share_label(batch.labels, batch.labels).to(z.dtype)
        product = cosine(z, z) if self.similarity == "cosine" else z @ z.T
        weights = None if self.weights == "none" else class_weights(similar, None, self.weights)
        return {
            "pairwise": pair_logistic(self.logit_scale * product, similar, weights).mean(),
            "quantization": self.quantization_weight * quantization_error(z, self.quantizer),
        }


class DHNSquaredLoss(nn.Module):
    """DHN-E (AAAI 2016): the likelihood of DHN replaced by the mean over pairs of (s_ij - <z_i, z_j> / K)^2.

    Options:
        quantization_weight: lambda; ours, a tenth of DHN's: the squared loss of a pair does not grow with the bits
        targets: "signed" for s in {-1, +1}, as in KSH and CNNH, which the paper follows; "binary" for s in {0, 1}
    """

    def __init__(self, problem: Problem, *, quantization_weight: float = 0.02, targets: str = "signed") -> None:
        super().__init__()
        _check_weight(quantization_weight)
        if targets not in TARGETS:
            raise unknown_name("kind of targets", targets, TARGETS)
        self.bits = problem.bits
        self.targets = targets
        self.quantization_weight = quantization_weight

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"pairwise", "quantization"} of a batch: relaxed (N, K), labels (N, C)."""
        z = widen(output.relaxed)
        similar = share_label(batch.labels, batch.labels).to(z.dtype)
        target = 2.0 * similar - 1.0 if self.targets == "signed" else similar
        return {
            "pairwise": ((target - z @ z.T / self.bits) ** 2).mean(),
            "quantization": self.quantization_weight * quantization_error(z, "log_cosh"),
        }


def _check_weight(quantization_weight: float) -> None:
    if not quantization_weight >= 0:
        raise UsageError(f"quantization_weight must be a number of at least 0; got {quantization_weight!r}.")
