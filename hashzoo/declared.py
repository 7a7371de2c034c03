"""Types and ranges that are declared on a dataclass's fields, checked, with a sentence for people.

A field's declaration is its annotation: `Annotated[int, Ge(1)]`, `Literal["a", "b"]`, `tuple[str, ...]`. Where the
sentence cannot be read off it, the field's metadata say what it must be: `field(metadata={"is": "positive integers such
as 16,32"})`; `{"kind": "tie order"}` names what a Literal's values are. Nothing heavy is imported, because what plugins
return is checked whenever they are listed.
"""

from __future__ import annotations

import collections.abc
import functools
import types
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from hashzoo.errors import UsageError, unknown_name


def check_fields(item: Any, prefix: str = "") -> None:
    """Raise UsageError for the first field of a dataclass whose value is not what its declaration says."""
    for field, hint, value in _declared(item):
        if is_dataclass(value):
            check_fields(value, f"{prefix}{field.name}.")
        elif not fits(value, hint):
            raise _refusal(f"{prefix}{field.name}", field, hint, value)


def misfit(item: Any) -> str:
    """Return, as a phrase, the first field of a dataclass or of one inside it that is not as declared; else ""."""
    for field, hint, value in _declared(item):
        if not fits(value, hint):
            shown = f"{value!r:.60}" if value is None or isinstance(value, str | int | float) else type(value).__name__
            return f"whose {field.name} is {shown} and not {_in_words(_without_none(hint))}"
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else (value,)
        for part in inner:
            if is_dataclass(part) and (fault := misfit(part)):
                return f"with a {type(part).__name__} {fault}"
    return ""


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of a declared type and within its range.

    >>> fits(1, float), fits(True, int), fits((1, 2), tuple[int, ...]), fits(None, int | None)
    (True, False, True, True)
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Annotated:
        return fits(value, arguments[0]) and all(_within(value, limit) for limit in arguments[1:])
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in arguments)
    if origin is Literal:
        return any(value == part and type(value) is type(part) for part in arguments)
    if origin is tuple:
        if not isinstance(value, (tuple, list)):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(fits(part, arguments[0]) for part in value)
        return len(value) == len(arguments) and all(fits(v, h) for v, h in zip(value, arguments, strict=True))
    if origin in (collections.abc.Mapping, dict):
        return isinstance(value, Mapping) and all(
            fits(key, arguments[0]) and fits(part, arguments[1]) for key, part in value.items()
        )
    if origin is collections.abc.Callable or hint is collections.abc.Callable:
        return callable(value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _declared(item: Any) -> list[tuple[Field[Any], Any, Any]]:
    kind: Any = type(item)
    hints = _hints(kind)
    return [(field, hints[field.name], getattr(item, field.name)) for field in fields(item)]


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _within(value: Any, limit: Any) -> bool:
    if isinstance(limit, Ge):
        return bool(value >= limit.ge)
    if isinstance(limit, Gt):
        return bool(value > limit.gt)
    if isinstance(limit, Le):
        return bool(value <= limit.le)
    if isinstance(limit, Lt):
        return bool(value < limit.lt)
    return len(value) >= limit.min_length if isinstance(limit, MinLen) else True


def _refusal(name: str, field: Field[Any], hint: Any, value: Any) -> UsageError:
    """Return the error for a value, in the words of its declaration."""
    hint = _without_none(hint)
    if get_origin(hint) is Literal and isinstance(value, str) and value:
        return unknown_name(field.metadata.get("kind", name), value, get_args(hint))
    said = field.metadata.get("says", name)
    return UsageError(f"{said} must be {field.metadata.get('is') or _in_words(hint)}; got {value!r:.200}.")


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        return rest[0] if len(rest) == 1 else hint
    return hint


def _in_words(hint: Any) -> str:
    least: Any = None
    if get_origin(hint) is Annotated:
        least = next((part.ge for part in get_args(hint)[1:] if isinstance(part, Ge)), None)
        hint = get_args(hint)[0]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return f"a tuple of {getattr(arguments[0], '__name__', 'the declared type')}s" if arguments else "a tuple"
    if origin in (collections.abc.Mapping, dict):
        return "a mapping"
    if origin is collections.abc.Callable:
        return "a callable"
    if origin in (Union, types.UnionType):
        return " or ".join(_in_words(part) for part in arguments)
    words = {bool: "true or false", int: "an integer", float: "a number", str: "a text that is not empty"}
    word: str = words.get(hint, f"a {getattr(hint, '__name__', hint)}")
    return word + (f" of at least {least}" if least is not None else "")
