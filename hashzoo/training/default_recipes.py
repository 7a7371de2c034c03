"""Recipes for situations in which a method's plugin states none of its own."""

from __future__ import annotations

from hashzoo.specs import Method, Recipe, Setting

FROZEN = Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam")
"""For frozen features."""
SCRATCH = Recipe(epochs=40, batch_size=64, lr=1e-3, optimizer="adam")
"""For backbones without pretrained weights."""


def default_setting(method: Method, regime: str) -> Setting:
    """Return the setting of a method in a regime for which it has none: ours, or the paper's for fine-tuning."""
    if regime == "frozen":
        return Setting(FROZEN, source="hashzoo's default for frozen features")
    if regime == "scratch":
        return Setting(SCRATCH, source="hashzoo's default for training from scratch")
    return Setting(method.recipe, source="the paper")
