"""The objective of DCMH over the whole training set (CVPR 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import PairOutputs, pair_logistic, share_label, widen

if TYPE_CHECKING:
    from hashzoo.training import TrainData

STARTS = ("normal", "zeros")


class DCMHLoss(PairOutputs):
    """DCMH (CVPR 2017): `pairwise`, `quantization` and `balance` over buffers of all n training pairs.

    Buffers: `outputs_0` and `outputs_1`, F and G (n, K) of the paper (transposed), the last outputs of the first and
    the second modality; `codes`, B (n, K); `labels` (n, C). With Theta = F G' / 2 the objective is

        J = sum_ij (softplus(Theta_ij) - S_ij Theta_ij) + gamma (|B - F|^2 + |B - G|^2) + eta (|F'1|^2 + |G'1|^2)

    and the terms of a batch of N are the parts of J that depend on its outputs, divided by N n, as the released code
    divides its gradients. The rows of the batch stand in for their rows of the buffer, and the gradient goes through
    them alone. A row whose labels were never given is similar to nothing. F and G are the first and the second of the
    method's roles.

    Options:
        gamma: weight of quantization; paper, 1
        eta: weight of balance; paper, 1
        start: F and G before the first step, "normal", N(0, 1), the TensorFlow code's; "zeros", the MATLAB code's
    """

    codes: torch.Tensor
    labels: torch.Tensor

    def __init__(self, problem: Problem, *, gamma: float = 1.0, eta: float = 1.0, start: str = "normal") -> None:
        for name, value in (("gamma", gamma), ("eta", eta)):
            if not value >= 0:
                raise UsageError(f"{name} must be a number of at least 0; got {value!r}.")
        if start not in STARTS:
            raise unknown_name("start of the outputs", start, STARTS)
        super().__init__(problem, "Loss 'dcmh'", start)
        self.gamma = gamma
        self.eta = eta
        self.register_buffer("codes", torch.zeros(problem.num_train, problem.bits))
        self.register_buffer("labels", torch.zeros(problem.num_train, problem.num_classes))
        self.update_codes()

    @torch.no_grad()
    def update_codes(self) -> None:
        """Set B to sgn(F + G), the minimiser of J in B for every gamma > 0; 0 stays 0, as in the released code."""
        self.codes.copy_(torch.sign(self.outputs_0 + self.outputs_1))

    def terms(
        self, modality: str, relaxed: torch.Tensor, index: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return the parts of J that depend on the outputs (N, K) of rows `index` in one modality, divided by N n."""
        fresh = widen(relaxed)
        own, across = self.outputs(modality).to(fresh.dtype), self.outputs(self.other(modality)).to(fresh.dtype)
        scale = 1.0 / (len(fresh) * len(own))
        similar = share_label(labels, self.labels).to(fresh.dtype)
        pairwise = pair_logistic(0.5 * fresh @ across.T, similar).sum()
        quantization = ((self.codes[index].to(fresh.dtype) - fresh) ** 2).sum()
        total = own.sum(dim=0) - own[index].sum(dim=0) + fresh.sum(dim=0)
        return {
            "pairwise": scale * pairwise,
            "quantization": scale * self.gamma * quantization,
            "balance": scale * self.eta * (total**2).sum(),
        }

    def forward(self, output: Mapping[str, HashOutput], batch: Batch) -> dict[str, torch.Tensor]:
        """Return the mean of both modalities' terms, for a joint step under any trainer.

        DCMH's own trainer takes one modality at a time and calls `terms`.
        """
        if not isinstance(output, Mapping) or set(output) != set(self.roles):
            got = ", ".join(output) if isinstance(output, Mapping) else "one modality"
            raise UsageError(f"Loss 'dcmh' needs the outputs of {' and '.join(self.roles)}; got {got}.")
        for modality in self.roles:
            self.remember(modality, output[modality].relaxed, batch.index)
        parts = [self.terms(m, output[m].relaxed, batch.index, batch.labels) for m in self.roles]
        return {name: 0.5 * (parts[0][name] + parts[1][name]) for name in parts[0]}

    def prepare(self, data: TrainData, seed: int) -> None:
        """Take the labels of the train split."""
        self.labels.copy_(data.labels)

    def end_epoch(self, epoch: int, outputs: Mapping[str, HashOutput]) -> None:
        """Bring F, G and B up to date; the plain gradient trainer calls this, DCMH's own does not."""
        rows = torch.arange(len(self.codes), device=self.codes.device)
        for modality in self.roles:
            self.remember(modality, outputs[modality].relaxed, rows)
        self.update_codes()
