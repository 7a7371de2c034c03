"""What a method's trials are made with: tried before the first of them, and noted in the study's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hashzoo.plugins import Registry
from hashzoo.runner.plan import Plan, problem_of
from hashzoo.runner.request import RunRequest
from hashzoo.runner.shelf import Shelf
from hashzoo.runner.workshop import owners_of

Setup = Mapping[str, Any]
"""`plugins`: version and file hash by distribution, hashzoo's too; resolved `precision`, `threads` and `device`."""


def tried_setup(request: RunRequest, plan: Plan, registry: Registry, shelf: Shelf) -> Setup:
    """Load the data, hold out the validation part and build the method's own setting; return what that was done with.

    What is wrong with any of it is wrong with every trial, so it is raised here, before the first: UsageError for a
    request that cannot be right, WorkError for data or weights that are not here.
    """
    from hashzoo.runner.build import build_model, frozen_backbone  # these import torch
    from hashzoo.runner.devices import choose_device, choose_precision
    from hashzoo.runner.run import splits_on
    from hashzoo.runner.train import threads_for
    from hashzoo.training.loop import require_batch
    from hashzoo.training.seeds import kept_random_state

    device = choose_device(request.device)
    precision = choose_precision(request.precision, device)
    config, splits = plan.config, splits_on(shelf, plan)
    if config.recipe is not None:
        require_batch(config.recipe.batch_size, len(splits.train))
    shapes = {modality: tuple(splits.table.inputs[modality].shape[1:]) for modality in config.backbones}
    with kept_random_state():
        if config.freeze_backbone:
            fronts = {m: frozen_backbone(registry, m, part, shapes[m]) for m, part in config.backbones.items()}
            shapes = {m: (int(front.feature_dim),) for m, front in fronts.items()}  # type: ignore[arg-type] # every backbone has it
        bits = max(plan.bits)
        model, _ = build_model(registry, config, problem_of(plan, bits, splits), shapes, plan.seeds[0])
    return {
        "plugins": {
            owner["distribution"]: {"version": owner["version"], "sha256": owner["sha256"]}
            for owner in owners_of(plan, registry).values()
        },
        "precision": precision,
        "threads": threads_for(model, request.threads),
        "device": device.partition(":")[0],
    }


def in_words(setup: Setup | None, other: Setup | None) -> str:
    """Return in words what a set-up has that another does not: "hashzoo-dch 0.2.0 (file hash 521b8779), threads 1"."""
    if not setup:
        return "code that was not noted"
    plugins = (other or {}).get("plugins", {})
    words = [
        f"{name} {code['version']} (file hash {code['sha256'][:8]})"
        for name, code in setup["plugins"].items()
        if plugins.get(name) != code
    ]
    rest = ("precision", "threads", "device")
    return ", ".join(words + [f"{key} {setup[key]}" for key in rest if (other or {}).get(key) != setup[key]])
