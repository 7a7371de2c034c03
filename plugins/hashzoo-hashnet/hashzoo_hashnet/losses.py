"""HashNet's weighted maximum likelihood (ICCV 2017)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import WEIGHTS, class_weights, jaccard, pair_logistic, share_label, widen

SIMILARITIES = ("binary", "jaccard")
CONSTANT = "constant"


class HashNetLoss(nn.Module):
    """HashNet (ICCV 2017): `pairwise` = mean over the N^2 ordered pairs, i = j included, of w_ij l_ij.

    l_ij = softplus(alpha <h_i, h_j>) - s_ij alpha <h_i, h_j>; w_ij = c_ij |S|/|S1| for similar and |S|/|S0| for
    dissimilar pairs of this batch, where c_ij is 1, or with `similarity` = "jaccard" (HashNet+C) |y_i and y_j| /
    |y_i or y_j|. h is the activated output of the hash layer, tanh(beta z). There is no quantization term.

    Options:
        alpha: slope of the adaptive sigmoid; None for `slope` / K
        slope: alpha times the bits, where alpha is None; released code, 10
        weights: "two_sided" from the batch, the paper's; "one_sided"; "none", HashNet-W; "constant", released code
        similarity: c_ij of similar pairs, "binary", or "jaccard" for HashNet+C; no difference with one label per image
        similar_weight: weight of similar pairs with weights "constant", divided by the mean; released code, class_num
    """

    def __init__(
        self,
        problem: Problem,
        *,
        alpha: float | None = None,
        slope: float = 10.0,
        weights: str = "two_sided",
        similarity: str = "binary",
        similar_weight: float = 1.0,
    ) -> None:
        super().__init__()
        for name, value in (("alpha", 1.0 if alpha is None else alpha), ("slope", slope)):
            if not value > 0:
                raise UsageError(f"{name} must be a number above 0; got {value!r}.")
        if slope != 10.0 and alpha is not None:
            raise UsageError(f"slope is read where alpha is None only; got alpha={alpha!r}.")
        self.alpha = slope / problem.bits if alpha is None else alpha
        if not similar_weight > 0:
            raise UsageError(f"similar_weight must be a number above 0; got {similar_weight!r}.")
        if weights not in (*WEIGHTS, CONSTANT):
            raise unknown_name("pair weighting", weights, (*WEIGHTS, CONSTANT))
        if similarity not in SIMILARITIES:
            raise unknown_name("similarity", similarity, SIMILARITIES)
        if similar_weight != 1.0 and weights != CONSTANT:
            raise UsageError(f'similar_weight is read with weights="constant" only; got weights={weights!r}.')
        self.weights = weights
        self.similarity = similarity
        self.similar_weight = similar_weight

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"pairwise"} of a batch: relaxed (N, K), labels (N, C)."""
        h = widen(output.relaxed)
        similar = share_label(batch.labels, batch.labels).to(h.dtype)
        if self.weights == CONSTANT:
            weights = torch.where(similar > 0, self.similar_weight, 1.0).to(h.dtype)
            weights = weights / weights.mean()
        else:
            weights = class_weights(similar, None, self.weights)
        if self.similarity == "jaccard":
            weights = torch.where(similar > 0, weights * jaccard(batch.labels).to(h.dtype), weights)
        return {"pairwise": pair_logistic(self.alpha * (h @ h.T), similar, weights).mean()}
