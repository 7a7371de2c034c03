"""Checks of what tuning may try of a method: each option exists, has a source, and can be tried to its ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import torch

from hashzoo.errors import HashzooError
from hashzoo.plugins import PARTS, registry
from hashzoo.specs import Method, Range, Recipe, Schedule
from hashzoo.studies.space import inside, stated
from hashzoo.testing.checks_spec import roles_of
from hashzoo.testing.kit import Case, CheckFailed, NotApplicable, check, require

COSTLY = ("epochs",)
"""What stays as the setting has it, so that a trial of one method costs what another one does."""


@check("methods", after=("options_are_explicit", "paper_is_cited"))
def search_space_is_sound(case: Case) -> None:
    """What tuning may try are options of the method that no variant fixes, in ranges with a source around its own."""
    method: Method = case.spec
    if not method.space:
        raise NotApplicable("it states no search space")
    for key, limits in stated(method).items():
        _require_option(method, key)
        where = f"space[{key!r}]"
        require(bool(limits.source.strip()), f"{where} has no source; say why these values.")
        if limits.choices:
            several = len(set(map(repr, limits.choices))) == len(limits.choices) > 1
            require(several and limits.low == limits.high == 0, f"{where} needs two choices or more, and no ends.")
        else:
            require(
                limits.low < limits.high, f"{where} goes from {limits.low} to {limits.high}; state the lower first."
            )
            require(limits.low > 0 or not limits.log, f"{where} begins at {limits.low}, which has no logarithm.")
        for situation, value in _own(method, key):
            _require_inside(where, limits, situation, value)


def _require_option(method: Method, key: str) -> None:
    part, dot, option = key.partition(".")
    roles = {role: kind for kind, role in roles_of(method)}
    if not dot or part == "schedule":
        known = [field.name for field in fields(Schedule if dot else Recipe)]
        require(method.training == "gradient", f"The space has {key!r}, and a closed form has no recipe.")
        require((option or part) in known, f"The space has {key!r}; a recipe has {', '.join(known)}.")
        require(key not in COSTLY, f"The space has {key!r}; it stays fixed, so that all trials cost the same.")
        return
    require(part in roles, f"The space has {key!r}; the method's parts are {', '.join(roles)}.")
    name = getattr(method, part)
    if not registry().get(roles[part], name).name.endswith("/"):  # what a family builds has options of its own
        accepted = registry().options(roles[part], name)
        require(option in accepted, f"The space has {key!r}; {name!r} accepts {sorted(accepted)}.")
    fixed = method.options.get(part, {})
    require(option not in fixed, f"The space has {key!r}, which the method's own options fix at {fixed.get(option)!r}.")


def _own(method: Method, key: str) -> Iterator[tuple[str, Any]]:
    """Yield (situation, value) of an option in each of the method's settings that has one."""
    part, dot, option = key.partition(".")
    recipes = {"finetune": method.recipe, **{name: setting.recipe for name, setting in method.settings.items()}}
    given = {"finetune": {}, **{name: setting.options for name, setting in method.settings.items()}}
    for situation, recipe in recipes.items():
        if not dot or part == "schedule":
            yield situation, getattr(recipe.schedule if dot and recipe else recipe, option or part, None)
        else:
            default = registry().options(PARTS[part], getattr(method, part)).get(option)
            yield situation, given[situation].get(part, {}).get(option, default)


def _require_inside(where: str, limits: Range, situation: str, value: Any) -> None:
    if not isinstance(value, bool | int | float | str) or (limits.log and value == 0):
        return  # computed where it is None; switched off where it is 0
    if not limits.choices:
        whole = isinstance(limits.low, int) and isinstance(limits.high, int)
        same = isinstance(value, int | float) and not isinstance(value, bool) and isinstance(value, int) == whole
        require(same, f"{where} has ends of another kind than the option, which is {value!r}; write 2.0 for a float.")
    said = ", ".join(map(repr, limits.choices)) or f"{limits.low} to {limits.high}"
    require(
        inside(limits, value),
        f"{where} leaves out {value!r}, the method's own in the setting {situation!r}, and has {said}; widen it, or "
        "state the reason as an expected failure.",
    )


@check("methods", after=("search_space_is_sound", "same_seed_gives_the_same_codes"))
def search_space_can_be_tried(case: Case) -> None:
    """At the ends of the ranges, and with each choice, the method is built and trained on the toy problem."""
    method: Method = case.spec
    if not method.space:
        raise NotApplicable("it states no search space")
    space = stated(method)
    for number in range(max(2, *(len(limits.choices) for limits in space.values()))):
        options = {key: _taken(limits, number) for key, limits in space.items()}
        where = ", ".join(f"{key}={value}" for key, value in options.items())
        try:
            subject = case.subject(settings=options)
            model = subject.train(1).model
            model.eval()
            with torch.no_grad():
                found = subject.outputs(model, subject.batch(list(range(6))))
        except HashzooError as error:
            raise CheckFailed(f"With {where}: {error}") from error
        finite = all(bool(torch.isfinite(output.relaxed).all()) for output in found.values())
        require(finite, f"With {where} the outputs are not finite after an epoch.")


def _taken(limits: Range, number: int) -> Any:
    if limits.choices:
        return limits.choices[number % len(limits.choices)]
    return limits.high if number % 2 else limits.low
