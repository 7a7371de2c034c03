"""The loss of CSQ: every bit is a binary classification against the class's centre (CVPR 2020)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import CENTERS, class_centers, log_cosh, majority_targets, mean_labelled, widen

QUANTIZERS = ("squared", "log_cosh")
AS_IN_PAPER = "paper"


def centers_of(problem: Problem, kind: str) -> torch.Tensor:
    """Return the centres (C, K); "paper": a Hadamard matrix where K is a power of two and C <= 2 K, else balanced."""
    classes, bits = problem.num_classes, problem.bits
    if kind == AS_IN_PAPER:
        kind = "hadamard" if bits & (bits - 1) == 0 and classes <= 2 * bits else "balanced"
    return class_centers(classes, bits, kind)


class CSQLoss(nn.Module):
    """CSQ (CVPR 2020): `center` and `quantization`, with u = tanh z and z the relaxed output of the hash layer.

    center = mean over labelled images and over bits of the binary cross-entropy of (u + 1)/2 with (c + 1)/2, where c
    is the centre of the image's class; it equals softplus(-2 c z), which neither saturates nor overflows. With
    several labels c is, bit by bit, the majority of their centres, ties going to one random code. An image without
    labels counts in the quantization only. quantization = quantization_weight times the mean over N and K of
    (|u| - 1)^2, or of log cosh(|u| - 1). The released code's pairwise term, of weight 0 in all its commands, is left
    out.

    Options:
        quantization_weight: lambda; released code, 0.05 with ResNet50 and 0.001 with AlexNet
        quantizer: "squared" is the released code's, "log_cosh" the paper's (recalled), about half as large
        centers: "paper", or a kind of hashzoo.losses.class_centers; Hadamard rows where possible, else balanced: paper
    """

    centers: torch.Tensor
    filler: torch.Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        quantization_weight: float = 0.05,
        quantizer: str = "squared",
        centers: str = "paper",
    ) -> None:
        super().__init__()
        if not quantization_weight >= 0:
            raise UsageError(f"quantization_weight must be a number of at least 0; got {quantization_weight!r}.")
        if quantizer not in QUANTIZERS:
            raise unknown_name("quantizer", quantizer, QUANTIZERS)
        if centers not in (AS_IN_PAPER, *CENTERS):
            raise unknown_name("kind of centres", centers, (AS_IN_PAPER, *CENTERS))
        self.quantization_weight = quantization_weight
        self.quantizer = quantizer
        self.register_buffer("centers", centers_of(problem, centers))
        self.register_buffer("filler", class_centers(1, problem.bits, "bernoulli")[0])

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"center", "quantization"} of a batch: relaxed (N, K), labels (N, C)."""
        z = widen(output.relaxed)
        targets = majority_targets(batch.labels, self.centers, self.filler).to(z.dtype)
        distance = torch.tanh(z).abs() - 1.0
        error = log_cosh(distance) if self.quantizer == "log_cosh" else distance**2
        return {
            "center": mean_labelled(F.softplus(-2.0 * targets * z).mean(dim=1), batch.labels),
            "quantization": self.quantization_weight * error.mean(),
        }
