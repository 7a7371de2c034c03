"""ADSH's trainer: rounds of steps on a sample of the database, each followed by an update of its codes (AAAI 2018)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from hashzoo import Batch, UsageError
from hashzoo.training import GradientTrainer, TrainData, TrainJob, derive_seed
from hashzoo_adsh.losses import ADSHLoss


class ADSHTrainer(GradientTrainer):
    """Trains on a new random sample of the database in each epoch, then updates the codes V of the whole database.

    One epoch is one outer round of the paper: `inner_epochs` passes over the sample, each in a new order, and one
    update of V from the outputs of the last pass, as they came in training. V is handed back as the database's codes;
    the train split is not looked at.

    Options:
        sample: items of the database in a round, at most all of it; 2,000 in the released code.
        inner_epochs: passes over them; 3 in the released code.
    """

    trains = ("adsh", ADSHLoss)
    one_process = "its codes need the outputs of the whole sample"
    loss: ADSHLoss
    database: TrainData
    rows: torch.Tensor

    def __init__(self, *, sample: int = 2000, inner_epochs: int = 3) -> None:
        for name, value in (("sample", sample), ("inner_epochs", inner_epochs)):
            if value < 1:
                raise UsageError(f"{name} must be an integer of at least 1; got {value!r}.")
        self.sample, self.inner_epochs = sample, inner_epochs

    def begin(self, job: TrainJob) -> None:
        """Refuse what cannot be, and let the loss see the labels of the database."""
        if job.database is None or bool(job.database.labels.isnan().any()):
            raise UsageError(
                "Trainer 'adsh' learns the codes of the database from its labels, which this method does not see; "
                "state database='labels' in the Method, or use adsh-inductive."
            )
        self.loss, self.database = job.loss, job.database
        self.loss.watch(self.database.labels, job.seed)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of a round."""
        draws = torch.Generator().manual_seed(derive_seed(self.job.seed, "sample", epoch))
        self.rows = torch.randperm(len(self.database), generator=draws)[: self.sample]
        self.loss.choose(self.rows)
        for _ in range(self.inner_epochs):
            order = self.rows[torch.randperm(len(self.rows), generator=draws)]
            yield from self.database.ahead(torch.split(order, self.job.recipe.batch_size))

    def end_epoch(self, epoch: int) -> None:
        """Update V and hand it back."""
        rows = self.rows.to(self.loss.codes.device)
        self.loss.update(self.loss.last.outputs[rows], rows)
        (role,) = self.database.modalities
        self.job.set_database_codes(role, self.loss.codes)

    def rate(self, epoch: int, step: int) -> float:
        """Return the factor on the learning rate at a step (0-based) of a round."""
        size = self.job.recipe.batch_size
        usual = math.ceil(len(self.job.data) / size)
        here = self.inner_epochs * math.ceil(min(self.sample, len(self.database)) / size)
        return super().rate(epoch, step * usual // here)
