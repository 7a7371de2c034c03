"""The loss of DTSH: likelihood of triplets of outputs, computed in blocks (ACCV 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import LastOutputs, off_diagonal, share_label, sign, widen

if TYPE_CHECKING:
    from hashzoo.training import TrainData

TRIPLETS = ("train", "batch")
BLOCK = 2**21
"""Triplets computed at a time."""


def drawn(allowed: torch.Tensor, keys: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return for each row of `allowed` (N, n) its allowed columns of largest key (N, n), keys in [0, 1): (N, k).

    k = min(count, n); beside them a mask (N, k), false where a row has fewer columns than that.
    """
    values, columns = torch.where(allowed, keys, -1.0).topk(min(count, allowed.shape[1]), dim=1)
    return columns, values >= 0.0


@torch.no_grad()
def triplet_slopes(
    close: torch.Tensor, far: torch.Tensor, valid: tuple[torch.Tensor, torch.Tensor], margin: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the mean over anchors of their mean of softplus(-T), T = close - far - margin, and its derivatives.

    `close` (N, P) and `far` (N, M) are inner products of each anchor with its positives and negatives, `valid` says
    which of them exist. An anchor without positives or negatives does not count. Anchors are taken in blocks, so that
    about BLOCK of the N P M triplets are held at a time. The derivatives are those by `close` and by `far`.
    """
    counts = (valid[0].sum(1) * valid[1].sum(1)).to(close.dtype)
    weight = (counts > 0) / counts.clamp_min(1.0) / (counts > 0).sum().clamp_min(1)
    by_close, by_far, value = torch.zeros_like(close), torch.zeros_like(far), close.new_zeros(())
    for rows in torch.arange(len(close), device=close.device).split(max(1, BLOCK // (close.shape[1] * far.shape[1]))):
        exists = valid[0][rows, :, None] & valid[1][rows, None, :]
        violation = margin - close[rows, :, None] + far[rows, None, :]  # -T
        value += (torch.where(exists, F.softplus(violation), 0.0).sum((1, 2)) * weight[rows]).sum()
        slope = torch.where(exists, torch.sigmoid(violation), 0.0) * weight[rows, None, None]
        by_close[rows], by_far[rows] = -slope.sum(2), slope.sum(1)
    return value, by_close, by_far


class DTSHLoss(nn.Module):
    """DTSH (ACCV 2016): `triplet` and `quantization`.

    With outputs u of the batch (N, K), Theta = u U^T / 2 and, for an anchor q, a positive p that shares a label with it
    and a negative m that shares none, T = Theta_qp - Theta_qm - alpha:

        triplet      = mean over the anchors of the mean over their triplets of softplus(-T)
        quantization = quantization_weight times the mean over images of |sgn(u) - u|^2

    With `triplets` "train", U (n, K) are the last outputs of all train items, constant, and positives and negatives are
    drawn from those outside the batch, all combinations of them forming triplets; with "batch", U = u and all triplets
    of the batch count, none with the anchor as its own positive. A batch without a triplet gives 0. The draw of anchor
    q takes the items j of largest (r_q + r_j) mod 1, with r (n,) uniform and drawn anew each epoch: a random subset for
    each anchor, which neither depends on the rest of the batch nor needs N n random numbers.

    Options:
        alpha: margin; None is K / 2, the paper's.
        quantization_weight: 100 / 22,500 is the released code's 100 beside a sum of 22,500 triplets per anchor.
        triplets: "train" as in the released code, or "batch".
        positives: positives drawn per anchor ("train"); 50 in the released code.
        negatives: negatives drawn per anchor and other class ("train"); 50 in the released code.
    """

    keys: torch.Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        alpha: float | None = None,
        quantization_weight: float = 100 / 22500,
        triplets: str = "train",
        positives: int = 50,
        negatives: int = 50,
    ) -> None:
        super().__init__()
        if triplets not in TRIPLETS:
            raise unknown_name("source of triplets", triplets, TRIPLETS)
        if not quantization_weight >= 0:
            raise UsageError(f"quantization_weight must be a number of at least 0; got {quantization_weight!r}.")
        if positives < 1 or negatives < 1:
            raise UsageError(f"positives and negatives must be at least 1; got {positives!r} and {negatives!r}.")
        self.alpha = 0.5 * problem.bits if alpha is None else alpha
        if not self.alpha >= 0:
            raise UsageError(f"alpha must be a number of at least 0, or None for K / 2; got {alpha!r}.")
        self.quantization_weight, self.triplets = quantization_weight, triplets
        self.positives, self.negatives = positives, negatives * max(1, problem.num_classes - 1)
        self.last = LastOutputs(problem) if triplets == "train" else None
        self.register_buffer("keys", torch.rand(problem.num_train))

    def prepare(self, data: TrainData, seed: int) -> None:
        """Note the labels of the train split."""
        if self.last is not None:
            self.last.prepare(data.labels)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Draw r anew."""
        self.keys.uniform_()

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the two terms of a batch: relaxed (N, K), labels (N, C), index (N,)."""
        u = widen(output.relaxed)
        if self.last is None:
            theta = 0.5 * u @ u.T
            similar = share_label(batch.labels, batch.labels) > 0
            other = off_diagonal(len(u), u.device)
            close, far, valid = theta, theta, (similar & other, ~similar & other)
        else:
            theta = 0.5 * u @ self.last.remember(u, batch).T
            similar = share_label(batch.labels, self.last.labels) > 0
            outside = torch.ones_like(similar[0]).index_fill(0, batch.index, False)
            keys = (self.keys[batch.index][:, None] + self.keys) % 1.0
            positives, has_positive = drawn(similar & outside, keys, self.positives)
            negatives, has_negative = drawn(~similar & outside, keys, self.negatives)
            close, far, valid = theta.gather(1, positives), theta.gather(1, negatives), (has_positive, has_negative)
        value, by_close, by_far = triplet_slopes(close, far, valid, self.alpha)
        carrier = (by_close * close).sum() + (by_far * far).sum()  # has the gradient; its value is taken away again
        return {
            "triplet": value + (carrier - carrier.detach()),
            "quantization": self.quantization_weight * ((sign(u) - u) ** 2).sum(dim=1).mean(),
        }
