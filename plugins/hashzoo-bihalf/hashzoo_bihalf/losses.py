"""The loss of Bi-half Net: codes keep the cosines between frozen features (AAAI 2021)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import PAIRS, cosine_structure, trainable_codes


class BiHalfLoss(nn.Module):
    """Bi-half Net (AAAI 2021): `structure` = mean over pairs of (cos(b_i, b_j) - cos(x_i, x_j))^2.

    b are the codes, with the gradient their layer gives them, x the features, which are constants; labels are not
    read. Pairs are image i of the first half of the batch with image i of the second; of an odd batch the last image
    is in no pair.

    Options:
        pairs: "halves" as in the released code, or "all" pairs i != j of the batch, whatever its order; ours
        center_features: subtract the batch's mean from the features first; ours, for features whose cosines are near 1
    """

    def __init__(self, problem: Problem, *, pairs: str = "halves", center_features: bool = False) -> None:
        super().__init__()
        if pairs not in PAIRS:
            raise unknown_name("choice of pairs", pairs, PAIRS)
        if not isinstance(center_features, bool):
            raise UsageError(f"center_features must be true or false; got {center_features!r}.")
        self.pairs = pairs
        self.center_features = center_features

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"structure"} of a batch: features (N, D), codes (N, K)."""
        codes = trainable_codes(output, "Bi-half Net", "bihalf")
        return {"structure": cosine_structure(codes, output.features, self.pairs, self.center_features)}
