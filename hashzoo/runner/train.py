"""Training by whatever a method's `training` says: gradients, a closed form, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from hashzoo.runner.build import build, check_fit
from hashzoo.training.fit import fit_layers
from hashzoo.training.job import TrainData, TrainJob

if TYPE_CHECKING:
    from accelerate import Accelerator

    from hashzoo.models.hash_model import HashModel
    from hashzoo.plugins import Registry
    from hashzoo.results.config import RunConfig
    from hashzoo.specs import Problem, Splits
    from hashzoo.training.checkpoints import Checkpoints

SMALL_MODEL = 32 * 2**20
"""A model of fewer bytes is trained with one thread unless another number is asked for: more are no quicker on an idle
machine, and many times slower on a busy one."""

Report = Callable[[int, Mapping[str, float]], None]


def train_data(config: RunConfig, splits: Splits, inputs: Mapping[str, np.ndarray], device: str) -> TrainData:
    """Return the train split as a trainer gets it, by role; labels of unsupervised methods are hidden."""
    return _data(config, splits, inputs, splits.train, device, config.supervision == "unsupervised")


def database_data(config: RunConfig, splits: Splits, inputs: Mapping[str, np.ndarray], device: str) -> TrainData | None:
    """Return the database where the method is declared to see it, with its labels only where it says so."""
    if config.database == "hidden":
        return None
    return _data(config, splits, inputs, splits.database, device, config.database == "inputs")


def _data(
    config: RunConfig, splits: Splits, inputs: Mapping[str, np.ndarray], rows: np.ndarray, device: str, hide: bool
) -> TrainData:
    by_role = {config.roles[modality]: array for modality, array in inputs.items()}
    return TrainData(by_role, splits.table.labels[rows], rows, device, hide_labels=hide)


def train_model(
    reg: Registry,
    config: RunConfig,
    problem: Problem,
    model: HashModel,
    loss: nn.Module | None,
    data: TrainData,
    *,
    seed: int,
    accelerator: Accelerator,
    checkpoints: Checkpoints,
    report: Report,
    database: TrainData | None = None,
) -> dict[str, torch.Tensor]:
    """Train model and loss in place; return the database codes (M, K) that the trainer handed back, by role."""
    if config.training == "none":
        return {}
    if config.training == "fit":
        assert config.fitter is not None  # the plan gives one to every method of this kind
        model.to(accelerator.device)
        fit_layers(model, build(reg, "fitters", config.fitter, problem), data, seed)
        return {}
    assert loss is not None
    assert config.recipe is not None
    assert config.trainer is not None
    check_fit(model, loss, data, config)
    job = TrainJob(
        model=model,
        loss=loss,
        data=data,
        problem=problem,
        recipe=config.recipe,
        seed=seed,
        accelerator=accelerator,
        checkpoints=checkpoints,
        report=report,
        database=database,
    )
    build(reg, "trainers", config.trainer).fit(job)
    return job.database_codes


def threads_for(model: nn.Module, asked: int) -> int:
    """Return how many threads a model is trained with: those asked for, one for a small model, else torch's own."""
    size = sum(value.nbytes for value in model.state_dict().values())
    return asked or (1 if size < SMALL_MODEL else torch.get_num_threads())
