"""The single loss of OrthoHash: softmax over cosines with a fixed binary codebook (NeurIPS 2021)."""

from __future__ import annotations

import math

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import CENTERS, class_centers, label_cross_entropy, sign, unit, widen

MARGINS = ("cosine", "angle")
LARGEST_COSINE = 0.99999
"""Cosines are kept within this before their angle is taken (released code)."""


class OrthoHashLoss(nn.Module):
    """OrthoHash (NeurIPS 2021): `cross_entropy`.

    With c_ij the cosine of the relaxed output v_i (N, K) and code o_j of the codebook (C, K), logits are
    s (c_ij - m y_ij), or s cos(arccos(c_ij) + m y_ij) with the margin on the angle, and the target of an image is its
    labels divided by their number; mean over labelled images. The codebook is drawn when the loss is built.

    Options:
        scale: s; released code, 8
        margin: m, on every label of the image; released code, 0.2 (0.3 for CIFAR-10)
        margin_on: "cosine", the paper's OrthoCos, or "angle", its OrthoArc
        codebook: a kind of hashzoo.losses.class_centers; released code, "bernoulli"
        quantization_weight: weight of a term `quantization`, the mean of 1 - cos(v, sgn v), 0 leaves it out; paper, 0
    """

    codebook: torch.Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        scale: float = 8.0,
        margin: float = 0.2,
        margin_on: str = "cosine",
        codebook: str = "bernoulli",
        quantization_weight: float = 0.0,
    ) -> None:
        super().__init__()
        if not scale > 0:
            raise UsageError(f"scale must be a number above 0; got {scale!r}.")
        for name, value in (("margin", margin), ("quantization_weight", quantization_weight)):
            if not value >= 0:
                raise UsageError(f"{name} must be a number of at least 0; got {value!r}.")
        if margin_on not in MARGINS:
            raise unknown_name("place of the margin", margin_on, MARGINS)
        if codebook not in CENTERS:
            raise unknown_name("kind of codebook", codebook, CENTERS)
        self.scale = scale
        self.margin = margin
        self.margin_on = margin_on
        self.quantization_weight = quantization_weight
        self.register_buffer("codebook", class_centers(problem.num_classes, problem.bits, codebook))

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"cross_entropy"}, and {"quantization"} where it has a weight: relaxed (N, K), labels (N, C)."""
        v = widen(output.relaxed)
        directions = self.codebook.to(v.dtype) / math.sqrt(v.shape[1])
        near, labels = unit(v) @ directions.T, batch.labels.to(v.dtype)
        if self.margin_on == "angle":
            wide = torch.cos(torch.arccos(near.clamp(-LARGEST_COSINE, LARGEST_COSINE)) + self.margin)
            near = torch.where(labels > 0, wide, near)
        else:
            near = near - self.margin * labels
        terms = {"cross_entropy": label_cross_entropy(self.scale * near, labels)}
        if self.quantization_weight:
            aligned = (unit(v) * unit(sign(v))).sum(dim=1)
            terms["quantization"] = self.quantization_weight * (1.0 - aligned).mean()
        return terms
