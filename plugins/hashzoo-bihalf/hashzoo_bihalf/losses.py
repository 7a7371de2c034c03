"""The loss of Bi-half Net: codes keep the cosines between frozen features (AAAI 2021)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import cosine, mean_over, off_diagonal, unit, widen

PAIRS = ("halves", "all")


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
        if output.relaxed.requires_grad and not output.codes.requires_grad:
            raise UsageError(
                "Bi-half Net's loss reaches the hash layer through the codes, and this hash layer gives its codes no "
                "gradient; use --hash-layer bihalf."
            )
        codes, features = widen(output.codes), widen(output.features.detach())
        if self.center_features:
            features = features - features.mean(dim=0)
        features = features.to(codes.dtype)
        if self.pairs == "all":
            error = cosine(codes, codes) - cosine(features, features)
            return {"structure": mean_over(error**2, off_diagonal(len(codes), codes.device))}
        half = len(codes) // 2
        kept, wanted = ((unit(x[:half]) * unit(x[half : 2 * half])).sum(dim=1) for x in (codes, features))
        return {"structure": ((kept - wanted) ** 2).sum() / max(1, half)}
