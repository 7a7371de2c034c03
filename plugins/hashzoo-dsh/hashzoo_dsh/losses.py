"""The loss of DSH: a contrastive loss on squared distances, and a pull of outputs to -1 and +1 (CVPR 2016)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.fitting import squared_distances
from hashzoo.losses import share_label, sign, widen


class DSHLoss(nn.Module):
    """DSH (CVPR 2016): `similar`, `dissimilar` and `regularization` of the pairs of a batch.

    With outputs u (N, K), D_ij = |u_i - u_j|^2, s_ij = 1 where two images share a label, and sums over the pairs i < j:

        similar        = 1/(N (N - 1)) sum s_ij D_ij / 2
        dissimilar     = 1/(N (N - 1)) sum (1 - s_ij) max(margin - D_ij, 0) / 2
        regularization = alpha / N sum_i sum_k abs(abs(u_ik) - 1)

    which are the paper's sums over pairs, divided as the released code divides its gradients. The slope of the last
    term at 0 is +1, as there. A batch of one image has no pairs.

    Options:
        margin: m of the paper; None is 2 K, the paper's (the released 12-bit net has 24).
        alpha: weight of the regularization, of the sum over bits; 0.01 in paper and released code.
    """

    def __init__(self, problem: Problem, *, margin: float | None = None, alpha: float = 0.01) -> None:
        super().__init__()
        self.margin = 2.0 * problem.bits if margin is None else margin
        self.alpha = alpha
        if not self.margin > 0:
            raise UsageError(f"margin must be a number above 0, or None for 2 K; got {margin!r}.")
        if not alpha >= 0:
            raise UsageError(f"alpha must be a number of at least 0; got {alpha!r}.")

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the three terms of a batch: relaxed (N, K), labels (N, C)."""
        u = widen(output.relaxed)
        similar = share_label(batch.labels, batch.labels).to(u.dtype)
        distance = squared_distances(u, u)
        far = (self.margin - distance).relu()
        pairs = max(1, len(u) * (len(u) - 1))  # every pair i < j is in the sums twice, and no pair i = i
        return {
            "similar": 0.25 / pairs * (similar.fill_diagonal_(0.0) * distance).sum(),
            "dissimilar": 0.25 / pairs * ((1.0 - similar).fill_diagonal_(0.0) * far).sum(),
            "regularization": self.alpha * (u + sign(-u)).abs().sum() / len(u),  # slope +1 at 0
        }
