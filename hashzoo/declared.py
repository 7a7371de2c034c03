"""Types and ranges that are declared on a dataclass's fields, checked, with a sentence for people.

A field's declaration is its annotation: `Annotated[int, Ge(1)]`, `Literal["a", "b"]`, `bool`. Where the sentence cannot
be read off it, the field's metadata say what it must be: `field(metadata={"is": "positive integers such as 16,32"})`;
`{"kind": "tie order"}` names what a Literal's values are.
"""

from __future__ import annotations

import functools
import types
import typing
from dataclasses import Field, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge

from hashzoo.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def check_fields(item: Any, prefix: str = "") -> None:
    """Raise UsageError for the first field of a dataclass whose value is not what its declaration says."""
    from pydantic import ValidationError

    kind: Any = type(item)
    for field in fields(item):
        value = getattr(item, field.name)
        if is_dataclass(value):
            check_fields(value, f"{prefix}{field.name}.")
            continue
        try:
            _adapter(kind, field.name).validate_python(value, strict=True)
        except ValidationError:
            raise _refusal(f"{prefix}{field.name}", field, _hints(kind)[field.name], value) from None


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


@functools.cache
def _adapter(kind: Any, name: str) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(_hints(kind)[name])


def _refusal(name: str, field: Field[Any], hint: Any, value: Any) -> UsageError:
    """Return the error for a value, in the words of its declaration."""
    hint = _without_none(hint)
    if get_origin(hint) is Literal and isinstance(value, str) and value:
        return unknown_name(field.metadata.get("kind", name), value, get_args(hint))
    said = field.metadata.get("says", name)
    return UsageError(f"{said} must be {field.metadata.get('is') or _in_words(hint)}; got {value!r}.")


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
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    words = {bool: "true or false", int: "an integer", float: "a number", str: "a text that is not empty"}
    return words.get(hint, "something else") + (f" of at least {least}" if least is not None else "")
