"""What a trainer plugin is written with: the loop to subclass, and what it is handed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashzoo.training.checkpoints import Checkpoints
    from hashzoo.training.job import TrainData, TrainJob
    from hashzoo.training.loop import GradientTrainer
    from hashzoo.training.optimizers import schedule_factor
    from hashzoo.training.seeds import derive_seed

__all__ = ["Checkpoints", "GradientTrainer", "TrainData", "TrainJob", "derive_seed", "schedule_factor"]

_HOMES = {
    "Checkpoints": "checkpoints", "GradientTrainer": "loop", "TrainData": "job", "TrainJob": "job",
    "derive_seed": "seeds", "schedule_factor": "optimizers",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hashzoo.training' has no attribute {name!r}")
    return getattr(importlib.import_module(f"hashzoo.training.{_HOMES[name]}"), name)
