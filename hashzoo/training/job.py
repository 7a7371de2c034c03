"""What a trainer is handed: the model, the loss, the train split and a place for checkpoints; never the queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import nn

from hashzoo.errors import UsageError, WorkError
from hashzoo.specs import Batch, HashOutput, Problem, Recipe
from hashzoo.training.seeds import derive_seed

if TYPE_CHECKING:
    from accelerate import Accelerator

    from hashzoo.models.hash_model import HashModel
    from hashzoo.training.checkpoints import Checkpoints

IN_MEMORY_BYTES = 2 * 1024**3
"""A split whose inputs fit in this many bytes is put on the device once; a larger one is read batch by batch."""

WHOLE_BLOCK = 512
"""Items per forward pass over the whole split; it changes speed and memory, not the outputs."""


class TrainData:
    """Some rows of a table, served as batches on a device.

    `inputs` are the table's arrays by the method's role; `rows` (n,) are the rows of this split; `labels` (n, C)
    multi-hot. With `hide_labels` every label is NaN, so that a method said to be unsupervised cannot use them
    unnoticed. `model` is what `features` and `outputs` are computed with; the training loop and `fit_layers` set it.
    """

    def __init__(
        self,
        inputs: Mapping[str, np.ndarray],
        labels: np.ndarray,
        rows: np.ndarray,
        device: torch.device | str = "cpu",
        hide_labels: bool = False,
    ) -> None:
        self.rows = np.asarray(rows, dtype=np.int64)
        self.device = torch.device(device)
        self.model: HashModel | None = None
        targets = torch.as_tensor(np.asarray(labels), dtype=torch.float32)
        if len(targets) != len(self.rows):
            raise UsageError(f"The split has {len(self.rows)} items and {len(targets)} label rows; give one per item.")
        if hide_labels:
            targets = torch.full_like(targets, float("nan"))
        self.labels = targets.to(self.device)
        self.hidden = hide_labels
        self._inputs = dict(inputs)
        self._loaded: dict[str, torch.Tensor] = {}
        for name, array in self._inputs.items():
            if len(self.rows) * array[:1].nbytes <= IN_MEMORY_BYTES:
                self._loaded[name] = torch.from_numpy(np.ascontiguousarray(array[self.rows])).to(self.device)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The method's roles, in their order."""
        return tuple(self._inputs)

    def inputs(self, modality: str, index: torch.Tensor) -> torch.Tensor:
        """Return the inputs of one role for rows `index` (N,) of this split, on the device."""
        loaded = self._loaded.get(modality)
        if loaded is not None:
            return loaded.index_select(0, index.to(self.device))
        return self._read(modality, index).to(self.device, non_blocking=True)

    def batch(self, index: torch.Tensor) -> Batch:
        """Return rows `index` (N,) of this split as a Batch."""
        index = index.to(self.device)
        inputs = {name: self.inputs(name, index) for name in self._inputs}
        return Batch(inputs=inputs, labels=self.labels.index_select(0, index), index=index)

    def order(self, seed: int, epoch: int) -> torch.Tensor:
        """Return the order (n,) of the items in an epoch; it depends on seed and epoch alone."""
        generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
        return torch.randperm(len(self), generator=generator)

    def batches(self, batch_size: int, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield the batches of one epoch in a new order; the last one may be smaller."""
        return self.ahead(torch.split(self.order(seed, epoch), batch_size))

    def ahead(self, indices: Iterable[torch.Tensor]) -> Iterator[Batch]:
        """Yield the batch of each index (N,), reading the next one from disk while the present one is computed with."""
        if len(self._loaded) == len(self._inputs):
            yield from map(self.batch, indices)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="hashzoo-read") as reader:
            pending: tuple[torch.Tensor, Future[dict[str, torch.Tensor]]] | None = None
            for index in indices:
                coming = (index, reader.submit(self._read_all, index))
                if pending is not None:
                    yield self._assembled(*pending)
                pending = coming
            if pending is not None:
                yield self._assembled(*pending)

    def features(self, modality: str) -> torch.Tensor:
        """Return the backbone's features (n, D) of the whole split, in its order: evaluation mode, no gradient."""
        return torch.cat([output.features for output in self._forward(modality)])

    def outputs(self) -> HashOutput | dict[str, HashOutput]:
        """Return what a loss gets, for the whole split in its order: evaluation mode, no gradient."""
        found = {}
        for modality in self.modalities:
            parts = list(self._forward(modality))
            fields = zip(*((part.features, part.relaxed, part.codes) for part in parts), strict=True)
            found[modality] = HashOutput(*(torch.cat(values) for values in fields))
        return next(iter(found.values())) if len(found) == 1 else found

    def _forward(self, modality: str) -> Iterator[HashOutput]:
        if self.model is None:
            raise WorkError("The train split has no model yet; features and outputs are there once training begins.")
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            for index in torch.split(torch.arange(len(self)), WHOLE_BLOCK):
                yield self.model(modality, self.inputs(modality, index))
        self.model.train(training)

    def _read(self, modality: str, index: torch.Tensor) -> torch.Tensor:
        """Return rows `index` from the table, in page-locked memory where they go to a GPU."""
        chosen = self.rows[index.cpu().numpy()]
        order = np.argsort(chosen)  # ascending reads from a memory map
        back = np.argsort(order)
        read = torch.from_numpy(np.ascontiguousarray(self._inputs[modality][chosen[order]])[back])
        return read.pin_memory() if self.device.type == "cuda" else read

    def _read_all(self, index: torch.Tensor) -> dict[str, torch.Tensor]:
        return {name: self._read(name, index) for name in self._inputs if name not in self._loaded}

    def _assembled(self, index: torch.Tensor, read: Future[dict[str, torch.Tensor]]) -> Batch:
        held = read.result()
        index = index.to(self.device)
        inputs = {
            name: held[name].to(self.device, non_blocking=True)
            if name in held
            else self._loaded[name].index_select(0, index)
            for name in self._inputs
        }
        return Batch(inputs=inputs, labels=self.labels.index_select(0, index), index=index)


@dataclass
class TrainJob:
    """One training: `fit(job)` changes `model` and `loss` in place.

    `report(epoch, terms)` is called after every epoch with the mean of each loss term; `checkpoints` keeps the state
    from which an interrupted job goes on. `database` is there for methods that are declared to see it; what they hand
    back by `set_database_codes` replaces the encoding of the database.
    """

    model: HashModel
    loss: nn.Module
    data: TrainData
    problem: Problem
    recipe: Recipe
    seed: int
    accelerator: Accelerator
    checkpoints: Checkpoints
    report: Callable[[int, Mapping[str, float]], None]
    database: TrainData | None = None
    database_codes: dict[str, torch.Tensor] = field(default_factory=dict)

    def set_database_codes(self, modality: str, codes: torch.Tensor) -> None:
        """Hand back codes (M, K) in {-1, +1} of the database in its order, learned in training (asymmetric methods)."""
        if self.database is None:
            raise UsageError(
                "Only a method declared to see the database may hand back its codes; state database='inputs' or "
                "database='labels' in the Method."
            )
        wanted = (len(self.database), self.problem.bits)
        if tuple(codes.shape) != wanted or not bool((codes.abs() == 1).all()):
            raise WorkError(
                f"The trainer handed back codes of shape {tuple(codes.shape)} for the database; they are to be "
                f"{wanted} with values -1 and +1 only."
            )
        self.database_codes[modality] = codes.detach().to(torch.int8).cpu()


class Trainer(Protocol):
    """What a trainer component builds."""

    def fit(self, job: TrainJob) -> None:
        """Train `job.model` and `job.loss` in place, going on from `job.checkpoints.latest()` where there is one."""
