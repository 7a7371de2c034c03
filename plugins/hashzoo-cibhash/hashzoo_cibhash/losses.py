"""The loss of CIBHash: contrast between images, bottleneck between two views of one (IJCAI 2021)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import cosine, off_diagonal, trainable_codes, widen


def bernoulli_divergence(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return KL(sigmoid(a) || sigmoid(b)) summed over the K bits, (N,) of log-odds a and b (N, K), without overflow."""
    return (torch.sigmoid(a) * (a - b) - F.softplus(a) + F.softplus(b)).sum(dim=1)


class CIBHashLoss(nn.Module):
    """CIBHash (IJCAI 2021): `contrast` and `bottleneck` of a batch that holds two views of each item.

    Two rows are views of one item where their `batch.index` is the same. With b_i the codes and p_i the probabilities
    of the bits:
    contrast = mean over rows i of - log (exp(c_ij) / sum_{k != i} exp(c_ik)), c = cos(b, b) / temperature, j the other
    view of i; bottleneck = bottleneck_weight times the mean over i of KL(p_i || p_j), p_j without gradient. For N items
    these are the paper's sums divided by 2 N. Labels are not read. Rows without another view count as negatives only;
    a batch without two views of any item gives 0.

    Options:
        temperature: of the cosines; released code, 0.3
        bottleneck_weight: beta; released code, 0.001
    """

    def __init__(self, problem: Problem, *, temperature: float = 0.3, bottleneck_weight: float = 0.001) -> None:
        super().__init__()
        if not temperature > 0:
            raise UsageError(f"temperature must be a number above 0; got {temperature!r}.")
        if not bottleneck_weight >= 0:
            raise UsageError(f"bottleneck_weight must be a number of at least 0; got {bottleneck_weight!r}.")
        self.temperature = temperature
        self.bottleneck_weight = bottleneck_weight

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"contrast", "bottleneck"} of a batch: relaxed and codes (2N, K), index (2N,)."""
        logits, codes = widen(output.relaxed), trainable_codes(output, "CIBHash", "cibhash")
        others = off_diagonal(len(codes), codes.device)
        i, j = ((batch.index[:, None] == batch.index[None, :]) & others).nonzero(as_tuple=True)
        near = widen(cosine(codes, codes)) / self.temperature
        near = near.masked_fill(~others, torch.finfo(near.dtype).min)
        contrast = torch.logsumexp(near, dim=1)[i] - near[i, j]
        divergence = bernoulli_divergence(logits[i], logits[j].detach())
        count = max(1, len(i))
        return {
            "contrast": contrast.sum() / count,
            "bottleneck": self.bottleneck_weight * divergence.sum() / count,
        }
