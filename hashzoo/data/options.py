"""Checks of option values that users write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hashzoo.errors import UsageError


def whole_number(name: str, value: Any, at_least: int = 0) -> int:
    """Return `value` as int if it is a whole number of at least `at_least`.

    >>> whole_number("train", "12")
    12
    """
    try:
        number = int(value)
        fits = number == float(value) and number >= at_least and not isinstance(value, bool)
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise UsageError(f"The option {name} must be a whole number of at least {at_least}, got {value!r}.")
    return number


def yes_or_no(name: str, value: Any) -> bool:
    """Return `value` if it is true or false, as a value or as the word.

    >>> yes_or_no("download", "false")
    False
    """
    words = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise UsageError(f"The option {name} must be true or false, got {value!r}.")
    return words[str(value).lower()]


def refuse_given(values: Mapping[str, Any], defaults: Mapping[str, Any], why: str) -> None:
    """Raise UsageError for options that differ from their defaults where they would be read by nobody.

    >>> refuse_given({"queries": 0, "seed": "0"}, {"queries": 0, "seed": 0}, "The parts are the file's own")
    """
    given = [name for name, value in values.items() if str(value).lower() != str(defaults[name]).lower()]
    if given:
        named = f"the option {given[0]} has" if len(given) == 1 else f"the options {' and '.join(given)} have"
        raise UsageError(f"{why}, so {named} no use; leave {'it' if len(given) == 1 else 'them'} out.")


def number_or_share(name: str, value: Any) -> int | float:
    """Return `value` as a whole number of at least 1, or as a share between 0 and 1.

    >>> number_or_share("train", "0.5"), number_or_share("train", 500)
    (0.5, 500)
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = 0.0
    if not isinstance(value, bool) and 0 < number < 1:
        return number
    if isinstance(value, bool) or number < 1 or number != number // 1 or number > 2**53:
        raise UsageError(f"The option {name} must be a whole number from 1 or a share such as 0.1, got {value!r}.")
    return int(number)
