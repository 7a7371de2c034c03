"""The objective of DCMH over the whole training set (CVPR 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import pair_logistic, share_label, widen

if TYPE_CHECKING:
    from hashzoo.training import TrainData

STARTS = ("normal", "zeros")


class DCMHLoss(nn.Module):
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

    outputs_0: torch.Tensor
    outputs_1: torch.Tensor
    codes: torch.Tensor
    labels: torch.Tensor

    def __init__(self, problem: Problem, *, gamma: float = 1.0, eta: float = 1.0, start: str = "normal") -> None:
        super().__init__()
        for name, value in (("gamma", gamma), ("eta", eta)):
            if not value >= 0:
                raise UsageError(f"{name} must be a number of at least 0; got {value!r}.")
        if start not in STARTS:
            raise unknown_name("start of the outputs", start, STARTS)
        if len(problem.modalities) != 2:
            raise UsageError(
                f"Loss 'dcmh' compares two modalities; got {len(problem.modalities)} "
                f"({', '.join(problem.modalities)}): choose a dataset of two, for example digits-halves."
            )
        self.modalities = tuple(problem.modalities)
        self.gamma = gamma
        self.eta = eta
        shape = (problem.num_train, problem.bits)
        for name in ("outputs_0", "outputs_1"):
            self.register_buffer(name, torch.randn(shape) if start == "normal" else torch.zeros(shape))
        self.register_buffer("codes", torch.zeros(shape))
        self.register_buffer("labels", torch.zeros(problem.num_train, problem.num_classes))
        self.update_codes()

    def outputs(self, modality: str) -> torch.Tensor:
        """Return the buffer (n, K) of a modality's last outputs."""
        return self.outputs_0 if modality == self.modalities[0] else self.outputs_1

    def other(self, modality: str) -> str:
        """Return the name of the other modality."""
        return self.modalities[1] if modality == self.modalities[0] else self.modalities[0]

    @torch.no_grad()
    def update_codes(self) -> None:
        """Set B to sgn(F + G), the minimiser of J in B for every gamma > 0; 0 stays 0, as in the released code."""
        self.codes.copy_(torch.sign(self.outputs_0 + self.outputs_1))

    @torch.no_grad()
    def remember(self, modality: str, relaxed: torch.Tensor, index: torch.Tensor) -> None:
        """Write outputs (N, K) of the train rows `index` (N,) into the modality's buffer."""
        buffer = self.outputs(modality)
        buffer[index] = relaxed.detach().to(buffer.dtype)

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
        if not isinstance(output, Mapping) or set(output) != set(self.modalities):
            got = ", ".join(output) if isinstance(output, Mapping) else "one modality"
            raise UsageError(f"Loss 'dcmh' needs the outputs of {' and '.join(self.modalities)}; got {got}.")
        for modality in self.modalities:
            self.remember(modality, output[modality].relaxed, batch.index)
        parts = [self.terms(m, output[m].relaxed, batch.index, batch.labels) for m in self.modalities]
        return {name: 0.5 * (parts[0][name] + parts[1][name]) for name in parts[0]}

    def prepare(self, data: TrainData, seed: int) -> None:
        """Take the labels of the train split."""
        self.labels.copy_(data.labels)

    def end_epoch(self, epoch: int, outputs: Mapping[str, HashOutput]) -> None:
        """Bring F, G and B up to date; the plain gradient trainer calls this, DCMH's own does not."""
        rows = torch.arange(len(self.codes), device=self.codes.device)
        for modality in self.modalities:
            self.remember(modality, outputs[modality].relaxed, rows)
        self.update_codes()
