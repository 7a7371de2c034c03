"""The training loop: order of items, schedule, finite checks, reports, checkpoints and resume, once for all methods.

`GradientTrainer` is its plain use. A method that needs more brings a subclass that overrides one of its steps: `begin`,
`batches`, `step`, `end_epoch`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from hashzoo.errors import DivergedError, HashzooError, RefusedOptionError, UsageError, WorkError
from hashzoo.models.hash_model import HashModel, full_precision
from hashzoo.specs import Batch, HashOutput
from hashzoo.training.checkpoints import optimizer_tensors, restore_optimizer
from hashzoo.training.job import TrainData, TrainJob
from hashzoo.training.optimizers import build_optimizer, check_recipe, schedule_factor, set_learning_rate
from hashzoo.training.processes import piece, whole
from hashzoo.training.seeds import seed_all

if TYPE_CHECKING:
    from accelerate import Accelerator

CHECK_EVERY = 50
"""Steps between two looks at whether the loss is finite: each look waits for the device."""

GENTLER = "try a lower learning rate (--set lr=...) or --precision fp32."

History = tuple[Mapping[str, float], ...]


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
        return self.terms(outputs, batch)

    def terms(self, outputs: Mapping[str, HashOutput], batch: Batch) -> dict[str, torch.Tensor]:
        """Return the loss terms of outputs by role; a method of one role gets its output alone."""
        single = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        with full_precision(batch.labels.device):
            terms: dict[str, torch.Tensor] = self.loss(single, batch)
        return terms


class Tally:
    """Sums of the terms of an epoch; they stay on the device and are looked at only every `CHECK_EVERY` steps."""

    def __init__(self, epoch: int, kept: str) -> None:
        self._epoch = epoch
        self._kept = kept
        self._names: tuple[str, ...] = ()
        self._recent: list[list[torch.Tensor]] = []
        self._weights: list[float] = []
        self._steps = 0
        self._weight = 0.0
        self._sums: list[float] = []

    def add(self, terms: Mapping[str, torch.Tensor], weight: float) -> torch.Tensor:
        """Note the terms of a step and return their sum."""
        self._names = self._names or tuple(terms)
        if set(terms) != set(self._names) or not terms:
            raise WorkError(
                f"The loss returned the terms {', '.join(terms) or '(none)'}, and {', '.join(self._names) or '(none)'} "
                "before in the same epoch; it has to return the same names in every step."
            )
        values = [terms[name] for name in self._names]
        self._recent.append([value.detach() for value in values])
        self._weights.append(weight)
        if len(self._recent) == CHECK_EVERY:
            self.check()
        return functools.reduce(torch.add, values)

    def check(self) -> None:
        """Add up the terms since the last check; WorkError with the first that is not finite, and its step."""
        if not self._recent:
            return
        noted = torch.stack([value for row in self._recent for value in row])
        rows = noted.cpu().double().view(-1, len(self._names)).tolist()  # on the CPU: Apple's GPUs have no float64
        weights = self._weights
        self._recent, self._weights = [], []
        for row, weight in zip(rows, weights, strict=True):
            self._steps += 1
            self._weight += weight
            if not all(map(math.isfinite, row)):
                bad = [name for name, value in zip(self._names, row, strict=True) if not math.isfinite(value)]
                raise DivergedError(
                    f"Loss term {' and '.join(map(repr, bad))} is not finite in epoch {self._epoch + 1}, "
                    f"step {self._steps}",
                    f"; {GENTLER} {self._kept}",
                )
            before = self._sums or [0.0] * len(row)
            self._sums = [total + value * weight for total, value in zip(before, row, strict=True)]

    def means(self) -> dict[str, float]:
        """Return the mean of each term over the items of the epoch."""
        self.check()
        return {name: total / self._weight for name, total in zip(self._names, self._sums, strict=True)}


class GradientTrainer:
    """Trains model and loss with the recipe's optimizer and schedule.

    A subclass overrides one step:

    begin(job)        once, before anything is restored or drawn: refuse what does not fit, set up what is not state.
    batches(epoch)    what `step` gets, one after the other; by default the batches of the train split in a new order.
    step(batch)       the loss terms of one of them, each a scalar with its gradient; the loop does the rest.
    end_epoch(epoch)  after the last step of an epoch; by default `end_epoch` of the loss and the hash layers.

    `job`, `optimizer` and `objective` (model and loss) are there from `begin` on. What has to survive an interruption
    is a buffer of loss or model.

    Two class attributes refuse what a subclass cannot do: `trains`, name and class of the only loss it is made for, and
    `one_process`, the reason why several processes cannot share its work.
    """

    trains: ClassVar[tuple[str, type[nn.Module]] | None] = None
    one_process: ClassVar[str] = ""
    job: TrainJob
    objective: Any
    optimizer: Any

    def begin(self, job: TrainJob) -> None:
        """Do nothing; a place for a method's own checks and set-up."""

    def batches(self, epoch: int) -> Iterable[Any]:
        """Return the batches of an epoch; with several processes each one's inputs are this process's piece."""
        job = self.job
        indices = torch.split(job.data.order(job.seed, epoch), job.recipe.batch_size)
        processes = job.accelerator.num_processes
        if processes == 1:
            return job.data.ahead(indices)
        return (self._piece(index, processes) for index in indices)

    def step(self, batch: Any) -> dict[str, torch.Tensor]:
        """Return the loss terms of a batch."""
        terms: dict[str, torch.Tensor] = self.objective(batch)
        return terms

    def end_epoch(self, epoch: int) -> None:
        """Give losses and hash layers that define `end_epoch` the outputs of the whole train split.

        One that defines `wants_outputs(epoch)` too is left out where that is false.
        """
        wanting = [part for part in _parts(self.job) if _wants_outputs(part, epoch)]
        if wanting:
            outputs = self.job.data.outputs()
            with torch.no_grad():
                for part in wanting:
                    part.end_epoch(epoch, outputs)

    def rate(self, epoch: int, step: int) -> float:
        """Return the factor on the learning rate at a step (0-based) of an epoch."""
        recipe, steps = self.job.recipe, math.ceil(len(self.job.data) / self.job.recipe.batch_size)
        return schedule_factor(recipe.schedule, epoch * steps + step, steps, recipe.epochs, recipe.warmup)

    def fit(self, job: TrainJob) -> None:
        """Train in place; goes on from the last checkpoint, giving what an unbroken run gives."""
        self._require_possible(job)
        self.job = job
        recipe, device = job.recipe, job.accelerator.device
        check_recipe(recipe)
        require_batch(recipe.batch_size, len(job.data))
        self.objective = Objective(job.model, job.loss, job.accelerator.num_processes).to(device)
        self.optimizer = build_optimizer(recipe, job.model, job.loss)
        job.data.model = job.model
        if job.database is not None:
            job.database.model = job.model
        self.begin(job)
        self._settled = [] if recipe.backbone_lr_scale else job.model.settled_norms()
        start, history = self._restore()
        if start == 0:
            self._prepare(job.data)
        self.objective, self.optimizer = job.accelerator.prepare(self.objective, self.optimizer)
        self._plain = is_plain(job.accelerator)
        if self._plain:
            self.optimizer = self.optimizer.optimizer
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        for epoch in range(start, recipe.epochs):
            means = self._epoch(epoch, trained)
            history = (*history, means)
            self._check_parameters(epoch)
            job.report(epoch, means)
            if job.checkpoints.due() and epoch + 1 < recipe.epochs and job.accelerator.is_main_process:
                self._save(epoch + 1, history)

    def _require_possible(self, job: TrainJob) -> None:
        """Refuse another loss than the one that this trainer is made for, and several processes where it needs one."""
        name = type(self).__name__
        if self.trains is not None and not isinstance(job.loss, self.trains[1]):
            raise UsageError(
                f"{name} trains loss {self.trains[0]!r} and got a {type(job.loss).__name__}; use --loss "
                f"{self.trains[0]}, or a method whose trainer is 'gradient'."
            )
        processes = job.accelerator.num_processes if self.one_process else 1
        if processes > 1:
            raise UsageError(f"{name} runs in one process, because {self.one_process}; got {processes} processes.")
        reasons = [part.no_fp16 for part in _parts(job) if getattr(part, "no_fp16", "")]
        if reasons and job.accelerator.scaler is not None:
            raise UsageError(f"Precision fp16 scales the loss, and {reasons[0]}; use --precision bf16 or fp32.")

    def _epoch(self, epoch: int, trained: list[nn.Parameter]) -> dict[str, float]:
        """Run one epoch and return the mean of each term."""
        job = self.job
        seed_all(job.seed, "epoch", epoch)
        self.objective.train()
        for norm in self._settled:
            norm.eval()
        job.model.start_epoch(epoch, job.recipe.epochs)
        start: Any = getattr(job.loss, "start_epoch", None)
        if start is not None:
            start(epoch, job.recipe.epochs)
        tally = Tally(epoch, self._kept())
        for number, batch in enumerate(self.batches(epoch)):
            set_learning_rate(self.optimizer, self.rate(epoch, number))
            try:
                terms = self.step(batch)
            except HashzooError:
                raise
            except Exception:
                tally.check()  # what an earlier term that was not finite led to is not the cause
                raise
            total = tally.add(terms, _items(batch))
            if total.requires_grad:
                if self._plain:
                    total.backward()  # type: ignore[no-untyped-call] # torch types it so
                else:
                    job.accelerator.backward(total)
                if job.recipe.clip:
                    job.accelerator.clip_grad_norm_(trained, job.recipe.clip)
                self.optimizer.step()
                for parameter in trained:
                    parameter.grad = None
        means = tally.means()
        self.end_epoch(epoch)
        return means

    def _prepare(self, data: TrainData) -> None:
        for part in _parts(self.job):
            if hasattr(part, "prepare"):
                seed_all(self.job.seed, "prepare")
                with torch.no_grad():
                    part.prepare(data, self.job.seed)

    def _piece(self, index: torch.Tensor, processes: int) -> Batch:
        data = self.job.data
        mine = data.batch(piece(index, self.job.accelerator.process_index, processes))
        index = index.to(data.device)
        return replace(mine, labels=data.labels[index], index=index)

    def _save(self, epoch: int, history: History) -> None:
        job = self.job
        tensors = {f"model.{name}": value for name, value in job.model.state_dict().items()}
        tensors |= {f"loss.{name}": value for name, value in job.loss.state_dict().items()}
        tensors |= {f"database.{name}": value for name, value in job.database_codes.items()}
        inner = self.optimizer if self._plain else self.optimizer.optimizer
        tensors |= optimizer_tensors(inner)
        if job.accelerator.scaler is not None:  # fp16: the scale of the loss is state as well
            state = job.accelerator.scaler.state_dict()
            tensors |= {f"scaler.{name}": torch.tensor(value) for name, value in state.items()}
        job.checkpoints.save(epoch, tensors, history)

    def _restore(self) -> tuple[int, History]:
        job, found = self.job, self.job.checkpoints.latest()
        if found is None:
            return 0, ()
        self.objective.load_state_dict({n: v for n, v in found.tensors.items() if n.startswith(("model.", "loss."))})
        restore_optimizer(self.optimizer, found.tensors)
        job.database_codes |= {
            n.removeprefix("database."): v for n, v in found.tensors.items() if n.startswith("database.")
        }
        scale = {n.removeprefix("scaler."): v.item() for n, v in found.tensors.items() if n.startswith("scaler.")}
        if job.accelerator.scaler is not None and scale:
            job.accelerator.scaler.load_state_dict(scale)
        for epoch, terms in enumerate(found.history):
            job.report(epoch, terms)
        return found.epoch, found.history

    def _check_parameters(self, epoch: int) -> None:
        for name, value in [*self.job.model.named_parameters(), *self.job.loss.named_parameters()]:
            if not torch.isfinite(value).all():
                raise DivergedError(
                    f"Parameter {name} is no longer finite after epoch {epoch + 1}", f"; {GENTLER} {self._kept()}"
                )

    def _kept(self) -> str:
        if self.job.checkpoints.kept:
            return f"The last good state is kept in {self.job.checkpoints.path}."
        return "No checkpoint had been written yet."


def is_plain(accelerator: Accelerator) -> bool:
    """Whether a step is torch's own: no scale of the loss, and no strategy that brings its own backward and optimizer.

    Accelerate's wrappers then do nothing but look for optional packages, twice or more in every step.
    """
    from accelerate.utils import DistributedType

    own = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
    return accelerator.scaler is None and accelerator.distributed_type in own


def require_batch(batch_size: int, items: int) -> None:
    """Raise UsageError for a batch larger than the train split."""
    if batch_size > items:
        raise RefusedOptionError(
            f"The batch size {batch_size} is larger than the train split ({items} items); "
            f"use --set batch_size={items} or less."
        )


def _parts(job: TrainJob) -> list[Any]:
    """Hash layers and loss, which may define prepare, start_epoch, end_epoch and `no_fp16`."""
    return [*job.model.hash_layers.values(), job.loss]


def _wants_outputs(part: Any, epoch: int) -> bool:
    """Whether a loss or hash layer has to be given the outputs of the train split after an epoch."""
    return hasattr(part, "end_epoch") and (not hasattr(part, "wants_outputs") or bool(part.wants_outputs(epoch)))


def _items(batch: Any) -> float:
    """Return how many items a batch holds, by which its terms count in the mean; 1 where it is no Batch."""
    return float(len(batch.index)) if isinstance(batch, Batch) else 1.0
