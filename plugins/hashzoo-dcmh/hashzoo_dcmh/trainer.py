"""DCMH's trainer: steps of the first modality, steps of the second, closed-form codes, in turn (CVPR 2017)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from hashzoo import UsageError, unknown_name
from hashzoo.training import GradientTrainer, TrainJob, derive_seed, schedule_factor
from hashzoo_dcmh.centering import InputMeans
from hashzoo_dcmh.losses import DCMHLoss

ORDERS = ("codes_last", "codes_first")
DRAWS = ("independent", "permutation")


class DCMHTrainer(GradientTrainer):
    """Alternates between the two networks and the codes.

    One epoch is one outer iteration of the paper: with order "codes_last" the batches of the first modality with G
    and B fixed, those of the second with F and B fixed, then B; with "codes_first" B, second, first. The learning
    rate changes by epochs.

    Options:
        order: "codes_last" (image, text, B), paper and TensorFlow code; "codes_first" (B, text, image), MATLAB code
        draws: "independent" draws of distinct items, paper and code; "permutation", each item once an epoch
        center: subtract the mean of the train vectors, folded into the first layer afterwards; MATLAB code, all texts'
    """

    trains = ("dcmh", DCMHLoss)
    one_process = "every step needs the outputs of the whole train split"
    loss: DCMHLoss
    means: InputMeans

    def __init__(self, *, order: str = "codes_last", draws: str = "independent", center: bool = True) -> None:
        if order not in ORDERS:
            raise unknown_name("order of the steps", order, ORDERS)
        if draws not in DRAWS:
            raise unknown_name("way to draw batches", draws, DRAWS)
        if not isinstance(center, bool):
            raise UsageError(f"center must be true or false; got {center!r}.")
        self.order, self.draws, self.center = order, draws, center

    def fit(self, job: TrainJob) -> None:
        """Train in place, then let the networks take inputs that are not centred."""
        super().fit(job)
        self.means.fold_in()

    def begin(self, job: TrainJob) -> None:
        """Find the means of the inputs."""
        self.loss = job.loss
        self.means = InputMeans(job, self.loss.roles if self.center else ())

    def batches(self, epoch: int) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield modality and rows of each step."""
        first = self.order == "codes_first"
        if first:
            self.loss.update_codes()
        for modality in self.loss.roles[::-1] if first else self.loss.roles:
            for index in self._draw(modality, epoch):
                yield modality, index.to(self.job.data.device)

    def rate(self, epoch: int, step: int) -> float:
        """Return the factor on the learning rate, the same for all steps of an epoch."""
        recipe = self.job.recipe
        return schedule_factor(recipe.schedule, epoch, 1, recipe.epochs, recipe.warmup)

    def step(self, batch: tuple[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the terms of one modality's batch; its outputs are noted first."""
        modality, index = batch
        data = self.job.data
        with self.job.accelerator.autocast():
            output = self.job.model(modality, self.means.centered(modality, data.inputs(modality, index)))
        self.loss.remember(modality, output.relaxed, index)
        return self.loss.terms(modality, output.relaxed, index, data.labels[index])

    def end_epoch(self, epoch: int) -> None:
        """Set B to its minimum, where that comes last."""
        if self.order == "codes_last":
            self.loss.update_codes()

    def _draw(self, modality: str, epoch: int) -> Iterator[torch.Tensor]:
        """Yield ceil(n / N) batches of rows: independent draws of N distinct rows, or the parts of one permutation."""
        n, size = len(self.job.data), self.job.recipe.batch_size
        generator = torch.Generator().manual_seed(derive_seed(self.job.seed, "draws", modality, epoch))
        if self.draws == "permutation":
            yield from torch.split(torch.randperm(n, generator=generator), size)
            return
        for _ in range(math.ceil(n / size)):
            yield torch.randperm(n, generator=generator)[:size]
