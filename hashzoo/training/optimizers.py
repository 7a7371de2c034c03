"""Optimizers and learning-rate schedules of a Recipe; schedules are pure functions of the step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hashzoo.errors import UsageError, unknown_name
from hashzoo.specs import Recipe, Schedule

if TYPE_CHECKING:
    from hashzoo.models.hash_model import HashModel

OPTIMIZERS = ("sgd", "adam", "rmsprop")
SCHEDULES = ("constant", "step", "cosine", "geometric")
UNITS = ("epoch", "step")


def check_recipe(recipe: Recipe) -> None:
    """Raise UsageError for a number or name of a recipe (or its schedule) that cannot be."""
    schedule = recipe.schedule
    for name, value, least in (
        ("epochs", recipe.epochs, 1),
        ("batch_size", recipe.batch_size, 1),
        ("schedule.every", schedule.every, 1 if schedule.name == "step" else 0),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UsageError(f"{name} must be an integer of at least {least}; got {value!r}.")
    for name, number in (
        ("lr", recipe.lr),
        ("backbone_lr_scale", recipe.backbone_lr_scale),
        ("momentum", recipe.momentum),
        ("weight_decay", recipe.weight_decay),
        ("schedule.gamma", schedule.gamma),
    ):
        known = isinstance(number, (int, float)) and not isinstance(number, bool)
        if not known or not math.isfinite(number) or number < 0:
            raise UsageError(f"{name} must be a number of at least 0; got {number!r}.")
    if not isinstance(recipe.nesterov, bool):
        raise UsageError(f"nesterov must be true or false; got {recipe.nesterov!r}.")
    if recipe.optimizer == "sgd" and recipe.nesterov and not recipe.momentum:
        raise UsageError("Nesterov's momentum needs a momentum above 0; set momentum, or nesterov=false.")
    for kind, given, names in (
        ("optimizer", recipe.optimizer, OPTIMIZERS),
        ("schedule", schedule.name, SCHEDULES),
        ("unit of a schedule", schedule.unit, UNITS),
    ):
        if given not in names:
            raise unknown_name(kind, str(given), names)


def build_optimizer(recipe: Recipe, model: HashModel, loss: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer; backbone parameters get lr * backbone_lr_scale, all others lr."""
    new = [*model.new_parameters(), *loss.parameters()]
    groups: list[dict[str, Any]] = [{"params": [p for p in new if p.requires_grad], "lr": recipe.lr}]
    backbone = [p for p in model.backbone_parameters() if p.requires_grad]
    if backbone:
        groups.append({"params": backbone, "lr": recipe.lr * recipe.backbone_lr_scale})
    for group in groups:
        group["initial_lr"] = group["lr"]
    decay = recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, weight_decay=decay)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, weight_decay=decay)
    raise unknown_name("optimizer", recipe.optimizer, OPTIMIZERS)


def schedule_factor(schedule: Schedule, step: int, steps_per_epoch: int, epochs: int) -> float:
    """Return the factor on the learning rate at optimisation step `step` (0-based).

    >>> halve = Schedule("step", every=2, gamma=0.5, unit="epoch")
    >>> [schedule_factor(halve, s, steps_per_epoch=1, epochs=6) for s in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    if schedule.name == "constant":
        return 1.0
    position = step if schedule.unit == "step" else step // steps_per_epoch
    if schedule.name == "step":
        return float(schedule.gamma ** (position // schedule.every))
    progress = step / max(1, steps_per_epoch * epochs - 1)
    if schedule.name == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    if schedule.name == "geometric":
        return float(schedule.gamma**progress)
    raise unknown_name("schedule", schedule.name, SCHEDULES)


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to its initial rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
