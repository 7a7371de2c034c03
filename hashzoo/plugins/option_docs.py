"""What the options of a component mean: names, types and defaults from the signature, meanings from the docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_SECTION = re.compile(r"^(\s*)Options:\s*$")
_OPTION = re.compile(r"^\s*(\w+(?:, \w+)*): (.*)$")


@dataclass(frozen=True)
class OptionDoc:
    """One option: `default` is None with `required`; `type` and `meaning` are "" where the author wrote none."""

    name: str
    type: str
    default: Any
    required: bool
    meaning: str


def option_docs(builder: Callable[..., Any], accepted: Mapping[str, inspect.Parameter]) -> list[OptionDoc]:
    """Return the accepted options of a builder in the order of its signature."""
    meanings = meanings_in(_docstrings(builder))
    found = []
    for name, parameter in accepted.items():
        required = parameter.default is inspect.Parameter.empty
        found.append(
            OptionDoc(name, _type(parameter), None if required else parameter.default, required, meanings.get(name, ""))
        )
    return found


def meanings_in(docstring: str) -> dict[str, str]:
    """Return {option: meaning} of the "Options:" section of a docstring.

    >>> meanings_in("Options:\\n    gamma: scale of the\\n        distribution\\n    a, b: weights\\n\\nMore.")
    {'gamma': 'scale of the distribution', 'a': 'weights', 'b': 'weights'}
    """
    lines = inspect.cleandoc(docstring).splitlines()
    start = next((place for place, line in enumerate(lines) if _SECTION.match(line)), None)
    found: dict[str, list[str]] = {}
    named: list[str] = []
    first = 0
    for line in lines[start + 1 :] if start is not None else ():
        depth = len(line) - len(line.lstrip())
        if not line.strip() or depth == 0:
            break
        match = _OPTION.match(line)
        if match and (not named or depth <= first):
            first, named = depth, match[1].split(", ")
            found |= {name: [match[2].strip()] for name in named}
        else:
            for name in named:
                found[name].append(line.strip())
    return {name: " ".join(parts) for name, parts in found.items()}


def _docstrings(builder: Callable[..., Any]) -> str:
    """Return the docstring of a builder, or, of a class without options of its own, of the first base that has some."""
    kinds = inspect.getmro(builder) if inspect.isclass(builder) else (builder,)
    texts = [text for kind in kinds if (text := inspect.getdoc(kind))]
    return next((text for text in texts if "Options:" in text), texts[0] if texts else "")


def _type(parameter: inspect.Parameter) -> str:
    hint = parameter.annotation
    if hint is inspect.Parameter.empty:
        return ""
    return hint if isinstance(hint, str) else inspect.formatannotation(hint)
