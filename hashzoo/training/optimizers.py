"""Optimizers and learning-rate schedules of a Recipe; schedules are pure functions of the step.

torch is imported where an optimizer is built: a recipe is checked before anything is known to be trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hashzoo.declared import check_fields
from hashzoo.errors import UsageError
from hashzoo.specs import Recipe, Schedule

if TYPE_CHECKING:
    import torch
    from torch import nn

    from hashzoo.models.hash_model import HashModel


def check_recipe(recipe: Recipe) -> None:
    """Raise UsageError for a number or name of a recipe (or its schedule) that cannot be."""
    check_fields(recipe)
    if recipe.schedule.name == "step" and recipe.schedule.every < 1:
        raise UsageError(f"schedule.every must be an integer of at least 1; got {recipe.schedule.every!r}.")
    if recipe.optimizer == "sgd" and recipe.nesterov and not recipe.momentum:
        raise UsageError("Nesterov's momentum needs a momentum above 0; set momentum, or nesterov=false.")


def build_optimizer(recipe: Recipe, model: HashModel, loss: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer.

    Backbone parameters get lr * backbone_lr_scale, all others lr; biases that times bias_lr_scale, and no weight decay
    where bias_decay is false.
    """
    import torch

    scales: list[tuple[Iterable[tuple[str, nn.Parameter]], float]] = [
        ([*model.hash_layers.named_parameters(), *loss.named_parameters()], 1.0),
        (list(model.backbones.named_parameters()), recipe.backbone_lr_scale),
    ]
    plain = recipe.bias_lr_scale == 1.0 and recipe.bias_decay
    groups: list[dict[str, Any]] = []
    for named, scale in scales:
        trained = [(name, p) for name, p in named if p.requires_grad]
        biases = [p for name, p in trained if not plain and name.rpartition(".")[2] == "bias"]
        others = [p for name, p in trained if plain or name.rpartition(".")[2] != "bias"]
        groups.append({"params": others, "lr": recipe.lr * scale})
        if biases:
            decay = recipe.weight_decay if recipe.bias_decay else 0.0
            groups.append({"params": biases, "lr": recipe.lr * scale * recipe.bias_lr_scale, "weight_decay": decay})
    groups = [group for number, group in enumerate(groups) if group["params"] or number == 0]
    for group in groups:
        group["initial_lr"] = group["lr"]
    decay = recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay)
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    optimizer: torch.optim.Optimizer = kinds[recipe.optimizer](groups, weight_decay=decay)
    return optimizer


def schedule_factor(schedule: Schedule, step: int, steps_per_epoch: int, epochs: int, warmup: int = 0) -> float:
    """Return the factor on the learning rate at optimisation step `step` (0-based).

    In the first `warmup` epochs it rises evenly, ending at the schedule's own factor.

    >>> halve = Schedule("step", every=2, gamma=0.5, unit="epoch")
    >>> [schedule_factor(halve, s, steps_per_epoch=1, epochs=6) for s in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    rise = warmup * steps_per_epoch
    if step < rise:
        return (step + 1) / rise * schedule_factor(schedule, step, steps_per_epoch, epochs)
    if schedule.name == "constant":
        return 1.0
    position = step if schedule.unit == "step" else step // steps_per_epoch
    if schedule.name == "step":
        return float(schedule.gamma ** (position // schedule.every))
    progress = step / max(1, steps_per_epoch * epochs - 1)
    if schedule.name == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    return float(schedule.gamma**progress)  # geometric


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to its initial rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
