"""The loss of CNNH: the network regresses codes found from the labels before training (AAAI 2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.fitting import generator
from hashzoo.losses import mean_labelled, widen
from hashzoo_cnnh.coordinates import hash_targets

if TYPE_CHECKING:
    from hashzoo.training import TrainData

STEPS = ("exact", "newton")
REGRESSIONS = ("squared", "sigmoid")


class CNNHLoss(nn.Module):
    """CNNH (AAAI 2014): `regression` of codes that stage 1 found from the labels of the train split.

    Stage 1, `prepare`: minimise |H H^T - K S|^2 over H (n, K) in [-1, 1], S (n, n) in {-1, +1} by shared labels, one
    coordinate at a time in random order; the targets are t = sgn(H), a buffer. Stage 2, each batch: the mean over
    labelled images and bits of (u - t)^2, or of softplus(-t u).

    Options:
        sweeps: passes over all coordinates of H; 10, as in a port (the paper's number is not known here).
        step: "exact" goes to the lowest point; "newton" is the paper's, skipped where the curvature is not positive.
        regression: "squared" or "sigmoid" (cross-entropy per bit); which one the paper means is not known.
    """

    targets: torch.Tensor

    def __init__(self, problem: Problem, *, sweeps: int = 10, step: str = "exact", regression: str = "squared") -> None:
        super().__init__()
        if sweeps < 1:
            raise UsageError(f"sweeps must be an integer of at least 1; got {sweeps!r}.")
        if step not in STEPS:
            raise unknown_name("coordinate step", step, STEPS)
        if regression not in REGRESSIONS:
            raise unknown_name("regression", regression, REGRESSIONS)
        self.sweeps, self.step, self.regression = sweeps, step, regression
        self.register_buffer("targets", torch.zeros(problem.num_train, problem.bits, dtype=torch.int8))

    def prepare(self, data: TrainData, seed: int) -> None:
        """Find the targets (n, K) from the labels (n, C) of the train split."""
        bits = self.targets.shape[1]
        exact = self.step == "exact"
        self.targets.copy_(hash_targets(data.labels.cpu(), bits, generator(seed), self.sweeps, exact))

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"regression"} of a batch: relaxed (N, K), targets by `batch.index`; 0 where no image has a label."""
        u = widen(output.relaxed)
        targets = self.targets.index_select(0, batch.index).to(u.dtype)
        error = (u - targets) ** 2 if self.regression == "squared" else F.softplus(-targets * u)
        return {"regression": mean_labelled(error.mean(dim=1), batch.labels)}
