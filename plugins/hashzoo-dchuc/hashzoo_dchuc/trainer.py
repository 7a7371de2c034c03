"""DCHUC's trainer: image steps and text steps on a random subset, then codes and classifier in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from hashzoo import UsageError
from hashzoo.training import GradientTrainer, TrainJob
from hashzoo_dchuc.losses import DCHUCLoss


class DCHUCTrainer(GradientTrainer):
    """One epoch is one outer iteration: a subset is drawn, `passes` times image batches and text batches, V, then W.

    Options:
        subset: train pairs drawn for an iteration, all where there are fewer; released code 2000
        passes: times the subset is gone through in an iteration; released code 3
        first_rate: learning rate of the first role as a multiple of the recipe's, which is the second's; released code
            1e-4 for images and 4e-3 for texts
    """

    trains = ("dchuc", DCHUCLoss)
    one_process = "its codes need the outputs of the whole subset"
    loss: DCHUCLoss
    chosen: torch.Tensor

    def __init__(self, *, subset: int = 2000, passes: int = 3, first_rate: float = 0.025) -> None:
        if subset < 1 or passes < 1 or not first_rate >= 0:
            raise UsageError(
                "subset and passes must be at least 1 and first_rate at least 0; got "
                f"{subset!r}, {passes!r} and {first_rate!r}."
            )
        self.subset, self.passes, self.first_rate = subset, passes, first_rate

    def begin(self, job: TrainJob) -> None:
        """Take the labels."""
        self.loss = job.loss
        self.loss.labels.copy_(job.data.labels)

    def batches(self, epoch: int) -> Iterator[tuple[str, torch.Tensor]]:
        """Draw the subset, and yield role and rows of each step."""
        self.chosen = torch.randperm(len(self.job.data))[: self.subset].to(self.loss.labels.device)
        self.loss.choose(self.chosen)
        for _ in range(self.passes):
            for role in self.loss.roles:
                for places in torch.randperm(len(self.chosen)).split(self.job.recipe.batch_size):
                    yield role, self.chosen[places.to(self.chosen.device)]

    def rate(self, epoch: int, step: int) -> float:
        """Return the factor on the learning rate; the first role has its own, and an epoch counts as one."""
        batches = math.ceil(len(self.chosen) / self.job.recipe.batch_size)
        first = step % (2 * batches) < batches
        return super().rate(epoch, 0) * (self.first_rate if first else 1.0)

    def step(self, batch: tuple[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the terms of one role's batch; its outputs are noted before the step."""
        role, index = batch
        with self.job.accelerator.autocast():
            relaxed = self.job.model(role, self.job.data.inputs(role, index)).relaxed
        self.loss.remember(role, relaxed, index)
        return self.loss.terms(role, relaxed, index)

    def end_epoch(self, epoch: int) -> None:
        """Set codes and classifier to their minima."""
        self.loss.update_codes(self.chosen)
        self.loss.update_classifier()
