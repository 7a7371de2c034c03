"""The polarization loss of DPN (IJCAI 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import CENTERS, class_centers, majority_targets, mean_labelled, sign, widen

if TYPE_CHECKING:
    from hashzoo.training import TrainData

SEVERAL = ("sum", "majority")


class DPNLoss(nn.Module):
    """DPN (IJCAI 2020): `polarization` = mean over labelled images of sum_k max(m - u_k t_k, 0).

    t in {-1, +1}^K is the target of the image's class, drawn when the loss is built; u is the relaxed output. With
    several labels the hinges of all the image's classes are added, so that a bit on which two targets disagree is flat
    for |u| <= m. With `update_every` (DPN-A) the target of a class becomes, after every so many epochs, the majority
    of the codes of its train items; a bit without majority, and a class without items, keep what they had.

    Options:
        margin: m; the authors' code, 1
        targets: a kind of hashzoo.losses.class_centers; the authors' code, "bernoulli", or "distant" as its option "O"
        several_labels: "sum" of the hinges of all labels, the authors' code; "majority" of their targets, other ports
        norm_weight: weight of a term `norm`, the mean of u^2, 0 leaves it out; the authors' code, 0 (its README: 0.001)
        update_every: epochs between two updates of the targets, 0 for none; the authors' code, 0
    """

    targets: torch.Tensor
    filler: torch.Tensor
    labels: torch.Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        margin: float = 1.0,
        targets: str = "bernoulli",
        several_labels: str = "sum",
        norm_weight: float = 0.0,
        update_every: int = 0,
    ) -> None:
        super().__init__()
        if not margin > 0:
            raise UsageError(f"margin must be a number above 0; got {margin!r}.")
        if not norm_weight >= 0:
            raise UsageError(f"norm_weight must be a number of at least 0; got {norm_weight!r}.")
        if not isinstance(update_every, int) or isinstance(update_every, bool) or update_every < 0:
            raise UsageError(f"update_every must be an integer of at least 0; got {update_every!r}.")
        if targets not in CENTERS:
            raise unknown_name("kind of targets", targets, CENTERS)
        if several_labels not in SEVERAL:
            raise unknown_name("treatment of several labels", several_labels, SEVERAL)
        self.margin = margin
        self.several_labels = several_labels
        self.norm_weight = norm_weight
        self.update_every = update_every
        self.register_buffer("targets", class_centers(problem.num_classes, problem.bits, targets))
        self.register_buffer("filler", class_centers(1, problem.bits, "bernoulli")[0])
        rows = problem.num_train if update_every else 0
        self.register_buffer("labels", torch.zeros(rows, problem.num_classes))

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"polarization"}, and {"norm"} where it has a weight, of a batch: relaxed (N, K), labels (N, C)."""
        u = widen(output.relaxed)
        ones, zeros = self._wanted(batch.labels.to(u.dtype))
        hinges = ones * (self.margin - u).relu() + zeros * (self.margin + u).relu()
        terms = {"polarization": mean_labelled(hinges.sum(dim=1), batch.labels)}
        if self.norm_weight:
            terms["norm"] = self.norm_weight * (u**2).mean()
        return terms

    def _wanted(self, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how many of an image's targets want +1, and how many -1, for each bit, both (N, K)."""
        targets = self.targets.to(labels.dtype)
        if self.several_labels == "majority":
            target = majority_targets(labels, targets, self.filler.to(labels.dtype))
            return (target > 0).to(labels.dtype), (target < 0).to(labels.dtype)
        return labels @ (targets > 0).to(labels.dtype), labels @ (targets < 0).to(labels.dtype)

    def prepare(self, data: TrainData, seed: int) -> None:
        """Keep the labels of the train split, where the targets are to follow the codes."""
        if self.update_every:
            self.labels.copy_(data.labels)

    def wants_outputs(self, epoch: int) -> bool:
        """Return whether the targets are updated after this epoch: every `update_every` epochs."""
        return self.update_every > 0 and (epoch + 1) % self.update_every == 0

    @torch.no_grad()
    def end_epoch(self, epoch: int, outputs: HashOutput) -> None:
        """Set each class's target to the majority code of its train items, in epochs that want it."""
        if self.wants_outputs(epoch):
            total = self.labels.T @ sign(outputs.relaxed).to(self.labels.dtype)
            self.targets.copy_(torch.where(total == 0, self.targets, torch.sign(total)))
