"""The losses of ADSH: outputs of a network against learned codes of the items it is to find (AAAI 2018)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.fitting import discrete_coordinate_descent, generator
from hashzoo.losses import LastOutputs, share_label, sign, widen

if TYPE_CHECKING:
    from hashzoo.training import TrainData

STARTS = ("zeros", "random")
Q_USES = ("outputs", "codes")
BLOCK = 2**24
"""Similarities held at a time where they are needed for all items."""


class ADSHLoss(nn.Module):
    """ADSH (AAAI 2018): `similarity` and `quantization` of a batch against codes V (M, K) of the database.

    With u = tanh outputs of a batch (N, K), a part of the M items, S_ij = 1 where two share a label and -r elsewhere, r
    the number of similar over that of dissimilar pairs between the chosen items and the database (0 without
    dissimilar ones):

        similarity   = 1/(M N) sum_ij (u_i . v_j - K S_ij)^2
        quantization = gamma/(M N) sum_i |v_i - u_i|^2

    V is learned, one bit of all items at a time (`update`). M x M similarities are never formed: the loss holds N x M
    of them, the rest goes in blocks. Index and labels of a batch are rows of the database. A trainer calls `watch`
    once, then in each round `choose`, steps, `update`.

    Options:
        gamma: weight of the quantization; 200 in the released code.
        start: V before the first round; "zeros" as in the released code, or "random".
        q_uses: what meets S in the update of V; "outputs" is the exact minimiser, "codes" the released MATLAB code's.
    """

    codes: torch.Tensor
    ratio: torch.Tensor

    def __init__(
        self, problem: Problem, *, gamma: float = 200.0, start: str = "zeros", q_uses: str = "outputs"
    ) -> None:
        super().__init__()
        if not gamma >= 0:
            raise UsageError(f"gamma must be a number of at least 0; got {gamma!r}.")
        if start not in STARTS:
            raise unknown_name("start of the codes", start, STARTS)
        if q_uses not in Q_USES:
            raise unknown_name("use in Q", q_uses, Q_USES)
        self.problem, self.gamma, self.start, self.q_uses = problem, gamma, start, q_uses
        self.last = LastOutputs(problem)
        self.register_buffer("codes", torch.zeros(problem.num_train, problem.bits, dtype=torch.int8))
        self.register_buffer("ratio", torch.zeros(()))

    def watch(self, labels: torch.Tensor, seed: int) -> None:
        """Take labels (M, C) as those of the database, and set V (M, K) to its start."""
        device = self.ratio.device
        self.last = LastOutputs(replace(self.problem, num_train=len(labels))).to(device)
        self.last.prepare(labels)
        codes = torch.zeros(len(labels), self.problem.bits, dtype=torch.int8)
        if self.start == "random":
            codes = torch.randint(0, 2, codes.shape, generator=generator(seed), dtype=torch.int8) * 2 - 1
        self.codes = codes.to(device)

    def choose(self, rows: torch.Tensor) -> None:
        """Set r to that of the chosen rows (m,) against the database."""
        labels, similar = self.last.labels, self.ratio.new_zeros((), dtype=torch.float64)
        for part in rows.to(labels.device).split(max(1, BLOCK // len(labels))):
            similar += share_label(labels[part], labels).sum(dtype=torch.float64)
        other = len(rows) * len(labels) - similar
        self.ratio.copy_(torch.where(other > 0, similar / other.clamp_min(1.0), 0.0))

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the two terms of a batch: relaxed (N, K), labels (N, C), index (N,) in the database."""
        u = widen(output.relaxed)
        self.last.remember(u, batch)
        similar = share_label(batch.labels, self.last.labels).to(u.dtype)
        wanted = u.shape[1] * (similar - self.ratio.to(u.dtype) * (1.0 - similar))
        codes = self.codes.to(u.dtype)
        scale = 1.0 / wanted.numel()
        return {
            "similarity": scale * ((u @ codes.T - wanted) ** 2).sum(),
            "quantization": scale * self.gamma * ((codes[batch.index] - u) ** 2).sum(),
        }

    @torch.no_grad()
    def update(self, outputs: torch.Tensor, rows: torch.Tensor) -> None:
        """Lower the objective over V by one pass over its bits, with outputs (m, K) of the chosen rows (m,).

        Each bit of all items is the best given the others: with Q = K S^T u, plus gamma u at the chosen rows, it is the
        sign of Q_k - V' u'^T u_k, primes without bit k. Where that is 0 a bit stays, and is +1 at the start.
        """
        u = widen(outputs)
        met = sign(u) if self.q_uses == "codes" else u
        labels, chosen, r = self.last.labels, self.last.labels[rows], self.ratio.to(u.dtype)
        parts = [
            (1.0 + r) * share_label(part, chosen).to(u.dtype) @ met - r * met.sum(dim=0)
            for part in labels.split(max(1, BLOCK // len(chosen)))
        ]
        Q = u.shape[1] * torch.cat(parts)
        Q[rows] += self.gamma * u
        self.codes.copy_(sign(discrete_coordinate_descent(self.codes.to(u.dtype), Q, u.T, sweeps=1)))


class ADSHInductiveLoss(ADSHLoss):
    """ADSH with the train split in place of the database: no label of the database is seen, and it is encoded.

    The same objective with all train items chosen and V (n, K) their codes. The plain gradient trainer takes the
    steps; V is updated after each epoch from the outputs of the whole train split. V serves training only.

    Options:
        gamma: weight of the quantization; 200 in the released code.
        start: V before the first epoch; "zeros" as in the released code, or "random".
        q_uses: what meets S in the update of V; "outputs" is the exact minimiser, "codes" the released MATLAB code's.
    """

    def prepare(self, data: TrainData, seed: int) -> None:
        """Take the train split as the database."""
        self.watch(data.labels, seed)
        self.choose(torch.arange(len(self.codes)))

    def end_epoch(self, epoch: int, outputs: HashOutput) -> None:
        """Update V from the outputs (n, K) of the train split."""
        self.update(outputs.relaxed, torch.arange(len(self.codes), device=self.codes.device))
