"""DCMH's trainer: steps of the first modality, steps of the second, closed-form codes, in turn (CVPR 2017)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from hashzoo.training.gradient import check_terms

from hashzoo.errors import UsageError, WorkError, unknown_name
from hashzoo.training.checkpoints import optimizer_tensors, restore_optimizer
from hashzoo.training.job import TrainJob
from hashzoo.training.optimizers import build_optimizer, schedule_factor, set_learning_rate
from hashzoo.training.seeds import derive_seed, seed_all
from hashzoo_dcmh.centering import InputMeans
from hashzoo_dcmh.losses import DCMHLoss

ORDERS = ("codes_last", "codes_first")
DRAWS = ("independent", "permutation")

History = tuple[Mapping[str, float], ...]


class DCMHTrainer:
    """Alternates between the two networks and the codes.

    One epoch is one outer iteration of the paper: with order "codes_last" the batches of the first modality with G
    and B fixed, those of the second with F and B fixed, then B; with "codes_first" B, second, first. The learning
    rate changes by epochs.
    """

    def __init__(self, order: str, draws: str, center: bool) -> None:
        self.order = order
        self.draws = draws
        self.center = center

    def fit(self, job: TrainJob) -> None:
        """Train in place; goes on from the last checkpoint, giving what an unbroken run gives."""
        loss = self._check(job)
        job.model.to(job.accelerator.device)
        loss.to(job.accelerator.device)
        means = InputMeans(job.model, job.data, loss.modalities if self.center else ())
        Alternation(job, loss, means, self.order, self.draws).run()
        means.fold_in()

    def _check(self, job: TrainJob) -> DCMHLoss:
        if not isinstance(job.loss, DCMHLoss):
            raise UsageError(
                f"Trainer 'dcmh' trains loss 'dcmh' and got a {type(job.loss).__name__}; use --loss dcmh, or a "
                "method whose trainer is 'gradient'."
            )
        if job.recipe.batch_size > len(job.data):
            raise UsageError(
                f"The batch size {job.recipe.batch_size} is larger than the train split ({len(job.data)} items); "
                f"use --set batch_size={len(job.data)} or less."
            )
        if job.accelerator.num_processes > 1:
            raise UsageError(
                "Trainer 'dcmh' runs in one process, because every step needs the outputs of the whole train split; "
                f"got {job.accelerator.num_processes} processes."
            )
        return job.loss


class Alternation:
    """One training by alternating steps: the state of `DCMHTrainer.fit`."""

    def __init__(self, job: TrainJob, loss: DCMHLoss, means: InputMeans, order: str, draws: str) -> None:
        self.job = job
        self.loss = loss
        self.means = means
        self.order = order
        self.draws = draws
        self.optimizer: Any = build_optimizer(job.recipe, job.model, loss)

    def run(self) -> None:
        """Run the epochs that are left."""
        job, epochs = self.job, self.job.recipe.epochs
        self.loss.labels.copy_(job.data.labels)
        start, history = self._restore()
        self.optimizer = job.accelerator.prepare(self.optimizer)
        for epoch in range(start, epochs):
            seed_all(job.seed, "epoch", epoch)
            job.model.train()
            job.model.start_epoch(epoch, epochs)
            # the rate changes by epochs, so an epoch counts as one step of the schedule
            set_learning_rate(self.optimizer, schedule_factor(job.recipe.schedule, epoch, 1, epochs))
            terms = self._epoch(epoch)
            self._check_parameters(epoch)
            history = (*history, terms)
            job.report(epoch, terms)
            if job.checkpoints.due() and epoch + 1 < epochs:
                self._save(epoch + 1, history)

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Return the mean of each term over the steps of an epoch."""
        modalities = self.loss.modalities
        if self.order == "codes_first":
            self.loss.update_codes()
            modalities = modalities[::-1]
        sums: dict[str, float] = {}
        steps = [(m, index) for m in modalities for index in self._batches(m, epoch)]
        for step, (modality, index) in enumerate(steps):
            terms = self._forward(modality, index)
            total = check_terms(terms, epoch, step, self._kept())
            self.job.accelerator.backward(total)
            self.optimizer.step()
            self.optimizer.zero_grad()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
        if self.order == "codes_last":
            self.loss.update_codes()
        return {name: value / len(steps) for name, value in sums.items()}

    def _forward(self, modality: str, index: torch.Tensor) -> dict[str, torch.Tensor]:
        data = self.job.data
        index = index.to(data.device)
        with self.job.accelerator.autocast():
            output = self.job.model(modality, self.means.centered(modality, data.inputs(modality, index)))
        self.loss.remember(modality, output.relaxed, index)
        return self.loss.terms(modality, output.relaxed, index, data.labels[index])

    def _batches(self, modality: str, epoch: int) -> Iterator[torch.Tensor]:
        """Yield ceil(n / N) batches of rows: independent draws of N distinct rows, or the parts of one permutation."""
        n, size = len(self.job.data), self.job.recipe.batch_size
        generator = torch.Generator().manual_seed(derive_seed(self.job.seed, "draws", modality, epoch))
        if self.draws == "permutation":
            yield from torch.split(torch.randperm(n, generator=generator), size)
            return
        for _ in range(math.ceil(n / size)):
            yield torch.randperm(n, generator=generator)[:size]

    def _check_parameters(self, epoch: int) -> None:
        for name, value in self.job.model.named_parameters():
            if not torch.isfinite(value).all():
                raise WorkError(
                    f"Parameter {name} is no longer finite after epoch {epoch + 1}; try a lower learning rate "
                    f"(--set lr=...) or --precision fp32. {self._kept()}"
                )

    def _kept(self) -> str:
        path = self.job.checkpoints.path
        return f"The last good state is kept in {path}." if path.exists() else "No checkpoint had been written yet."

    def _save(self, epoch: int, history: History) -> None:
        tensors = {f"model.{name}": value for name, value in self.job.model.state_dict().items()}
        tensors |= {f"loss.{name}": value for name, value in self.loss.state_dict().items()}
        inner = getattr(self.optimizer, "optimizer", self.optimizer)  # Accelerate wraps the optimizer
        self.job.checkpoints.save(epoch, tensors | optimizer_tensors(inner), history)

    def _restore(self) -> tuple[int, History]:
        found = self.job.checkpoints.latest()
        if found is None:
            return 0, ()
        for part, module in (("model.", self.job.model), ("loss.", self.loss)):
            module.load_state_dict({n.removeprefix(part): v for n, v in found.tensors.items() if n.startswith(part)})
        restore_optimizer(self.optimizer, found.tensors)
        for epoch, terms in enumerate(found.history):
            self.job.report(epoch, terms)
        return found.epoch, found.history


def build_dcmh_trainer(*, order: str = "codes_last", draws: str = "independent", center: bool = True) -> DCMHTrainer:
    """Build DCMH's trainer; the options are explained in the README.

    order: "codes_last" (image, text, B) as in the paper and the released TensorFlow code, or "codes_first" (B, text,
    image) as in the released MATLAB code. draws: "independent" as in paper and code, or "permutation".
    center: subtract the mean of the train texts, as the MATLAB code does with all texts.
    """
    if order not in ORDERS:
        raise unknown_name("order of the steps", order, ORDERS)
    if draws not in DRAWS:
        raise unknown_name("way to draw batches", draws, DRAWS)
    if not isinstance(center, bool):
        raise UsageError(f"center must be true or false; got {center!r}.")
    return DCMHTrainer(order, draws, center)
