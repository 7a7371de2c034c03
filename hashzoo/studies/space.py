"""What tuning may try of a method: what its plugin states, beside learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hashzoo.plugins import PARTS, Registry
from hashzoo.results.config import RunConfig
from hashzoo.runner.plan import Plan
from hashzoo.specs import Method, Range

OURS = "our default"


def stated(method: Method) -> dict[str, Range]:
    """Return the space of a method's plugin, with options as `--set` names them: "lr", not "recipe.lr"."""
    return {key.removeprefix("recipe."): limits for key, limits in method.space.items()}


def space_of(plan: Plan) -> dict[str, Range]:
    """Return what is tried of a method: what its plugin states, beside learning rate and weight decay.

    For the two, where the plugin says nothing, hashzoo's default, evenly in the logarithm: a tenth to ten times the
    learning rate of its setting, and a weight decay from 1e-6 to 0.1, or to that of its setting where this is more.
    """
    found: dict[str, Range] = {}
    recipe = plan.config.recipe
    if recipe is not None:
        if recipe.lr > 0:
            found["lr"] = Range(recipe.lr / 10, recipe.lr * 10, log=True, source=f"{OURS}: a tenth to ten times")
        found["weight_decay"] = Range(1e-6, max(0.1, recipe.weight_decay), log=True, source=OURS)
    return {**found, **stated(plan.method)}


def value_in(config: RunConfig, key: str, registry: Registry) -> Any:
    """Return what an option has in a configuration, by itself or by its component's default; None: not known."""
    part, dot, option = key.partition(".")
    if not dot:
        return getattr(config.recipe, key, None)
    component = getattr(config, part, None)
    if component is None or part not in PARTS:
        return None
    if option in component.options:
        return component.options[option]
    return registry.options(PARTS[part], component.name).get(option)


def inside(limits: Range, value: Any) -> bool:
    """Whether a value is one that tuning may try."""
    if limits.choices:
        return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in limits.choices)
    return isinstance(value, int | float) and not isinstance(value, bool) and limits.low <= value <= limits.high


def own_point(plan: Plan, space: Mapping[str, Range], registry: Registry) -> dict[str, Any]:
    """Return where a method's own setting lies in its space; what is off (0) or computed (None) is left out."""
    values = {key: value_in(plan.config, key, registry) for key in space}
    return {key: value for key, value in values.items() if inside(space[key], value)}


def space_json(space: Mapping[str, Range]) -> dict[str, Any]:
    """Return a space as the file of a study has it."""
    return {
        key: {"choices": list(limits.choices), "source": limits.source}
        if limits.choices
        else {"low": limits.low, "high": limits.high, "log": limits.log, "source": limits.source}
        for key, limits in space.items()
    }
