"""The gradient trainer: one pass over the train split per epoch, terms summed, resumed at epoch boundaries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from hashzoo.errors import UsageError, WorkError
from hashzoo.models.hash_model import HashModel
from hashzoo.specs import Batch, HashOutput
from hashzoo.training.checkpoints import optimizer_tensors, restore_optimizer
from hashzoo.training.job import TrainJob
from hashzoo.training.optimizers import build_optimizer, check_recipe, schedule_factor, set_learning_rate
from hashzoo.training.processes import piece, whole
from hashzoo.training.seeds import seed_all


class Objective(nn.Module):
    """Model and loss as one module, so that several processes and mixed precision wrap both.

    With several processes a batch's inputs are this process's piece, its labels and index the whole batch's.
    """

    def __init__(self, model: HashModel, loss: nn.Module, processes: int = 1) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.processes = processes

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the loss terms, each a scalar, already weighted."""
        outputs: dict[str, HashOutput] = {name: self.model(name, inputs) for name, inputs in batch.inputs.items()}
        if self.processes > 1:
            outputs = {name: whole(output, len(batch.index)) for name, output in outputs.items()}
        single = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        with torch.autocast(device_type=batch.labels.device.type, enabled=False):
            terms: dict[str, torch.Tensor] = self.loss(single, batch)
        return terms


def start_epoch(module: nn.Module, epoch: int, epochs: int) -> None:
    """Tell a loss or hash layer that defines `start_epoch` which epoch begins (continuation schedules)."""
    begin = getattr(module, "start_epoch", None)
    if begin is not None:
        begin(epoch, epochs)


def check_terms(terms: Mapping[str, torch.Tensor], epoch: int, step: int, kept: str) -> torch.Tensor:
    """Return the sum of the terms, or raise with the name of the one that is not finite."""
    total = torch.stack(list(terms.values())).sum()
    if not math.isfinite(float(total.detach())):
        bad = [name for name, value in terms.items() if not math.isfinite(float(value.detach()))]
        raise WorkError(
            f"Loss term {' and '.join(repr(name) for name in bad) or 'sum'} is not finite in epoch {epoch + 1}, "
            f"step {step + 1}; try a lower learning rate (--set lr=...) or --precision fp32. {kept}"
        )
    return total


class GradientTrainer:
    """Trains model and loss with the recipe's optimizer and schedule; the paper's plain mini-batch loop."""

    def fit(self, job: TrainJob) -> None:
        """Train in place; goes on from the last checkpoint, giving what an unbroken run gives."""
        recipe = job.recipe
        check_recipe(recipe)
        if recipe.batch_size > len(job.data):
            raise UsageError(
                f"The batch size {recipe.batch_size} is larger than the train split ({len(job.data)} items); "
                f"use --set batch_size={len(job.data)} or less."
            )
        objective: Any = Objective(job.model, job.loss, job.accelerator.num_processes).to(job.accelerator.device)
        optimizer: Any = build_optimizer(recipe, job.model, job.loss)
        start, history = self._restore(job, objective, optimizer)
        objective, optimizer = job.accelerator.prepare(objective, optimizer)
        steps = math.ceil(len(job.data) / recipe.batch_size)
        for epoch in range(start, recipe.epochs):
            seed_all(job.seed, "epoch", epoch)
            objective.train()
            job.model.start_epoch(epoch, recipe.epochs)
            start_epoch(job.loss, epoch, recipe.epochs)
            sums: dict[str, float] = {}
            order = job.data.order(job.seed, epoch)
            for step, index in enumerate(torch.split(order, recipe.batch_size)):
                factor = schedule_factor(recipe.schedule, epoch * steps + step, steps, recipe.epochs)
                set_learning_rate(optimizer, factor)
                terms = objective(self._batch(job, index))
                total = check_terms(terms, epoch, step, self._kept(job))
                job.accelerator.backward(total)
                optimizer.step()
                optimizer.zero_grad()
                for name, value in terms.items():
                    sums[name] = sums.get(name, 0.0) + float(value.detach()) * len(index)
            means = {name: value / len(job.data) for name, value in sums.items()}
            history = (*history, means)
            self._check_parameters(job, epoch)
            job.report(epoch, means)
            if job.checkpoints.due() and epoch + 1 < recipe.epochs and job.accelerator.is_main_process:
                self._save(job, epoch + 1, optimizer, history)

    def _batch(self, job: TrainJob, index: torch.Tensor) -> Batch:
        processes = job.accelerator.num_processes
        if processes == 1:
            return job.data.batch(index)
        mine = job.data.batch(piece(index, job.accelerator.process_index, processes))
        index = index.to(mine.labels.device)
        return replace(mine, labels=job.data.labels[index], index=index)

    def _save(self, job: TrainJob, epoch: int, optimizer: Any, history: tuple[Mapping[str, float], ...]) -> None:
        tensors = {f"model.{name}": value for name, value in job.model.state_dict().items()}
        tensors |= {f"loss.{name}": value for name, value in job.loss.state_dict().items()}
        inner = getattr(optimizer, "optimizer", optimizer)  # Accelerate wraps the optimizer
        tensors |= optimizer_tensors(inner)
        if job.accelerator.scaler is not None:  # fp16: the scale of the loss is state as well
            state = job.accelerator.scaler.state_dict()
            tensors |= {f"scaler.{name}": torch.tensor(value) for name, value in state.items()}
        job.checkpoints.save(epoch, tensors, history)

    def _restore(
        self, job: TrainJob, objective: Objective, optimizer: torch.optim.Optimizer
    ) -> tuple[int, tuple[Mapping[str, float], ...]]:
        found = job.checkpoints.latest()
        if found is None:
            return 0, ()
        weights = {n: v for n, v in found.tensors.items() if n.startswith(("model.", "loss."))}
        objective.load_state_dict(weights)
        restore_optimizer(optimizer, found.tensors)
        scale = {n.removeprefix("scaler."): v.item() for n, v in found.tensors.items() if n.startswith("scaler.")}
        if job.accelerator.scaler is not None and scale:
            job.accelerator.scaler.load_state_dict(scale)
        for epoch, terms in enumerate(found.history):
            job.report(epoch, terms)
        return found.epoch, found.history

    def _check_parameters(self, job: TrainJob, epoch: int) -> None:
        for name, value in [*job.model.named_parameters(), *job.loss.named_parameters()]:
            if not torch.isfinite(value).all():
                raise WorkError(
                    f"Parameter {name} is no longer finite after epoch {epoch + 1}; try a lower learning rate "
                    f"(--set lr=...) or --precision fp32. {self._kept(job)}"
                )

    def _kept(self, job: TrainJob) -> str:
        if job.checkpoints.kept:
            return f"The last good state is kept in {job.checkpoints.path}."
        return "No checkpoint had been written yet."


def build_gradient_trainer() -> GradientTrainer:
    """Build the gradient trainer; it has no options of its own."""
    return GradientTrainer()
