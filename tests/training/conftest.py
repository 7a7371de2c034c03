"""A training of a few numbers: one linear layer on vectors, so that every step can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hashzoo.models.hash_model import HashModel
from hashzoo.runner.devices import make_accelerator
from hashzoo.specs import Batch, HashOutput, Problem, Recipe
from hashzoo.training.checkpoints import Checkpoints
from hashzoo.training.job import TrainData, TrainJob


class Scale(nn.Module):
    """Backbone x -> b x with one parameter."""

    feature_dim = 1

    def __init__(self) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.tensor(1.0))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.b * inputs


class Layer(nn.Module):
    """Hash layer f -> w f with one parameter; codes are the signs."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(2.0))
        self.epochs: list[tuple[int, int]] = []

    def start_epoch(self, epoch: int, epochs: int) -> None:
        self.epochs.append((epoch, epochs))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        relaxed = self.w * features
        return relaxed, torch.where(relaxed < 0, -1.0, 1.0)


class HalfSquare(nn.Module):
    """Mean of z^2 / 2 over the batch, plus noise that is drawn and cancels: it has a parameter c of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Parameter(torch.tensor(0.5))

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        noise = 1 + 0.1 * torch.randn(len(batch.index), 1)  # a resumed run has to draw the same
        return {"square": (noise * output.relaxed.square()).mean() / 2, "own": self.c.square() / 2}


class Plain(nn.Module):
    """Mean of z^2 / 2 over the batch."""

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        return {"square": output.relaxed.square().mean() / 2}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., TrainJob]:
    def make(
        recipe: Recipe,
        loss: nn.Module | None = None,
        inputs: Any = ((1.0,), (2.0,), (3.0,), (4.0,)),
        folder: Path = tmp_path / "checkpoint",
        report: Callable[[int, Mapping[str, float]], None] = lambda epoch, terms: None,
        **options: Any,
    ) -> TrainJob:
        array = np.asarray(inputs, dtype=np.float32)
        labels = np.eye(2, dtype=np.uint8)[np.arange(len(array)) % 2]
        return TrainJob(
            model=HashModel({"image": Scale()}, {"image": Layer()}),
            loss=loss if loss is not None else Plain(),
            data=TrainData({"image": array}, labels, np.arange(len(array)), **options),
            problem=Problem(1, 2, len(array)),
            recipe=recipe,
            seed=0,
            accelerator=make_accelerator("cpu", "fp32"),
            checkpoints=Checkpoints(folder, "this one", seconds=0.0),
            report=report,
        )

    return make


@pytest.fixture
def half_square() -> Callable[[], nn.Module]:
    return HalfSquare
