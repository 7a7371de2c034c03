"""Turn a name of a builder into the builder, and refuse options it does not have before calling it."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hashzoo.errors import UsageError, WorkError


def resolve(build: Callable[..., Any] | str, what: str) -> Callable[..., Any]:
    """Return the builder that "package.module:attribute" names; `what` names its owner in errors.

    Raises WorkError where the module cannot be imported or lacks the attribute.
    """
    if callable(build):
        return build
    module_name, _, attribute = build.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise WorkError(f"{what} cannot be loaded from {build!r} ({text}); reinstall it.") from error
    try:
        builder = getattr(module, attribute)
    except AttributeError as error:
        raise WorkError(f"{what} names {build!r}, and {module_name} has no {attribute!r}; reinstall it.") from error
    if not callable(builder):
        raise WorkError(f"{what} names {build!r}, which is a {type(builder).__name__} and cannot be called.")
    return builder  # type: ignore[no-any-return] # callable() is all that can be known about it


def accepted_options(builder: Callable[..., Any], taken: int) -> dict[str, inspect.Parameter]:
    """Return the options of a builder whose first `taken` parameters the core fills in.

    >>> def build(problem, gamma=20.0, *, scale=1.0): ...
    >>> sorted(accepted_options(build, 1))
    ['gamma', 'scale']
    """
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    options, left = {}, taken
    for name, parameter in inspect.signature(builder).parameters.items():
        if parameter.kind in positional and left > 0:
            left -= 1
        elif parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
            options[name] = parameter
    return options


def check_options(builder: Callable[..., Any], what: str, taken: int, options: Mapping[str, Any]) -> None:
    """Raise UsageError, listing the accepted options, for an unknown one or a missing required one."""
    accepted = accepted_options(builder, taken)
    parameters = inspect.signature(builder).parameters.values()
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    listed = ", ".join(_show(parameter) for parameter in accepted.values()) or "none"
    for name in options:
        if name not in accepted and not takes_any:
            near = difflib.get_close_matches(name, accepted, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise UsageError(f"{what} has no option {name!r}{hint} Accepted: {listed}.")
    missing = [
        name
        for name, parameter in accepted.items()
        if parameter.default is inspect.Parameter.empty and name not in options
    ]
    if missing:
        raise UsageError(f"{what} needs a value for {', '.join(map(repr, missing))}. Accepted: {listed}.")


def _show(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return f"{parameter.name} (required)"
    return f"{parameter.name}={parameter.default!r}"
