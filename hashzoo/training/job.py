"""What a trainer is handed: the model, the loss, the train split and a place for checkpoints; never the queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.specs import Batch, Problem, Recipe
from hashzoo.training.seeds import derive_seed

if TYPE_CHECKING:
    from accelerate import Accelerator

    from hashzoo.models.hash_model import HashModel
    from hashzoo.training.checkpoints import Checkpoints

IN_MEMORY_BYTES = 2 * 1024**3
"""A split whose inputs fit in this many bytes is put on the device once; a larger one is read batch by batch."""


class TrainData:
    """Some rows of a table, served as batches on a device.

    `inputs` are the table's arrays, by modality; `rows` (n,) are the rows of this split; `labels` (n, C) multi-hot.
    With `hide_labels` every label is NaN, so that a method said to be unsupervised cannot use them unnoticed.
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
        targets = torch.as_tensor(np.asarray(labels), dtype=torch.float32)
        if len(targets) != len(self.rows):
            raise UsageError(
                f"The train split has {len(self.rows)} items and {len(targets)} label rows; give one per item."
            )
        if hide_labels:
            targets = torch.full_like(targets, float("nan"))
        self.labels = targets.to(self.device)
        self._inputs = dict(inputs)
        self._loaded: dict[str, torch.Tensor] = {}
        for name, array in self._inputs.items():
            if len(self.rows) * array[:1].nbytes <= IN_MEMORY_BYTES:
                self._loaded[name] = torch.from_numpy(np.ascontiguousarray(array[self.rows])).to(self.device)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, in the dataset's order."""
        return tuple(self._inputs)

    def inputs(self, modality: str, index: torch.Tensor) -> torch.Tensor:
        """Return the inputs of one modality for rows `index` (N,) of this split, on the device."""
        loaded = self._loaded.get(modality)
        if loaded is not None:
            return loaded[index.to(self.device)]
        chosen = self.rows[index.cpu().numpy()]
        order = np.argsort(chosen)  # ascending reads from a memory map
        back = np.argsort(order)
        array = np.ascontiguousarray(self._inputs[modality][chosen[order]])[back]
        return torch.from_numpy(array).to(self.device)

    def batch(self, index: torch.Tensor) -> Batch:
        """Return rows `index` (N,) of this split as a Batch."""
        index = index.to(self.device)
        inputs = {name: self.inputs(name, index) for name in self._inputs}
        return Batch(inputs=inputs, labels=self.labels[index], index=index)

    def order(self, seed: int, epoch: int) -> torch.Tensor:
        """Return the order (n,) of the items in an epoch; it depends on seed and epoch alone."""
        generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
        return torch.randperm(len(self), generator=generator)

    def batches(self, batch_size: int, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield the batches of one epoch in a new order; the last one may be smaller."""
        for index in torch.split(self.order(seed, epoch), batch_size):
            yield self.batch(index)


@dataclass
class TrainJob:
    """One training: `fit(job)` changes `model` and `loss` in place.

    `report(epoch, terms)` is called after every epoch with the mean of each loss term; `checkpoints` keeps the state
    from which an interrupted job goes on. `database` is given to asymmetric methods only.
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


class Trainer(Protocol):
    """What a trainer component builds."""

    def fit(self, job: TrainJob) -> None:
        """Train `job.model` and `job.loss` in place, going on from `job.checkpoints.latest()` where there is one."""
