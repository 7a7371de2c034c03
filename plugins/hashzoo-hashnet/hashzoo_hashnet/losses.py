"""HashNet's weighted maximum likelihood (ICCV 2017)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.errors import UsageError, unknown_name
from hashzoo.losses import WEIGHTS, class_weights, jaccard, pair_logistic, share_label, widen
from hashzoo.specs import Batch, HashOutput, Problem

SIMILARITIES = ("jaccard", "binary")
CONSTANT = "constant"


class HashNetLoss(nn.Module):
    """HashNet (ICCV 2017): `pairwise` = mean over the N^2 ordered pairs, i = j included, of w_ij l_ij.

    l_ij = softplus(alpha <h_i, h_j>) - s_ij alpha <h_i, h_j>; w_ij = c_ij |S|/|S1| for similar and |S|/|S0| for
    dissimilar pairs of this batch, where c_ij = |y_i and y_j| / |y_i or y_j| for similar pairs. h is the activated
    output of the hash layer, tanh(beta z). There is no quantization term.
    """

    def __init__(self, alpha: float, weights: str, similarity: str, similar_weight: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.weights = weights
        self.similarity = similarity
        self.similar_weight = similar_weight

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"pairwise"} of a batch: relaxed (N, K), labels (N, C)."""
        h = widen(output.relaxed)
        similar = share_label(batch.labels, batch.labels).to(h.dtype)
        loss = pair_logistic(self.alpha * (h @ h.T), similar)
        if self.weights == CONSTANT:
            weights = torch.where(similar > 0, self.similar_weight, 1.0).to(h.dtype)
            weights = weights / weights.mean()
        else:
            weights = class_weights(similar, torch.ones_like(similar, dtype=torch.bool), self.weights)
        if self.similarity == "jaccard":
            weights = torch.where(similar > 0, weights * jaccard(batch.labels).to(h.dtype), weights)
        return {"pairwise": (weights * loss).mean()}


def build_hashnet_loss(
    problem: Problem,
    *,
    alpha: float | None = None,
    weights: str = "two_sided",
    similarity: str = "jaccard",
    similar_weight: float = 1.0,
) -> HashNetLoss:
    """Build HashNet's loss; the options are explained in the README.

    alpha: slope of the adaptive sigmoid; None is 10 / K, the released code's.
    weights: "two_sided" as in the paper, from the batch; "one_sided"; "none" (HashNet-W); "constant" is the released
    code's: `similar_weight` (its class_num) for similar pairs, 1 for dissimilar ones, divided by their mean.
    similarity: c_ij of the weights, "jaccard" as in the paper or "binary" for 1; the same on single-label data.
    """
    alpha = 10.0 / problem.bits if alpha is None else alpha
    if not alpha > 0:
        raise UsageError(f"alpha must be a number above 0; got {alpha!r}.")
    if not similar_weight > 0:
        raise UsageError(f"similar_weight must be a number above 0; got {similar_weight!r}.")
    if weights not in (*WEIGHTS, CONSTANT):
        raise unknown_name("pair weighting", weights, (*WEIGHTS, CONSTANT))
    if similarity not in SIMILARITIES:
        raise unknown_name("similarity", similarity, SIMILARITIES)
    if similar_weight != 1.0 and weights != CONSTANT:
        raise UsageError(f'similar_weight is read with weights="constant" only; got weights={weights!r}.')
    return HashNetLoss(alpha, weights, similarity, similar_weight)
