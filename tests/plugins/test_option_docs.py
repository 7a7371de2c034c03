"""Options as `hashzoo show` explains them: names, types and defaults from signatures, meanings from docstrings."""

from __future__ import annotations

import inspect

import pytest

from hashzoo.plugins import registry
from hashzoo.plugins.option_docs import meanings_in, option_docs


class Base:
    """A loss.

    Options:
        gamma: scale of the distribution; 20, DeepHash-pytorch: a colon
            goes on here
        low, high: ends of the range

    Whatever follows is not an option: neither is this.
    """

    def __init__(self, problem: object, *, gamma: float = 20.0, low: int = 0, high: int = 1, dim: int) -> None: ...


class Derived(Base):
    """The same with another name."""


@pytest.mark.parametrize("kind", [Base, Derived])
def test_meanings_stand_beside_types_and_defaults(kind: type) -> None:
    accepted = {n: p for n, p in inspect.signature(kind).parameters.items() if n != "problem"}
    gamma, low, high, dim = option_docs(kind, accepted)
    assert gamma.meaning == "scale of the distribution; 20, DeepHash-pytorch: a colon goes on here"
    assert (gamma.type, gamma.default, gamma.required) == ("float", 20.0, False)
    assert low.meaning == high.meaning == "ends of the range"
    assert (dim.meaning, dim.default, dim.required) == ("", None, True)


def test_no_section_means_no_meanings() -> None:
    assert meanings_in("Nothing here.\n\n    Not: an option") == {}


def test_every_option_of_the_cores_components_is_explained() -> None:
    reg = registry()
    unexplained = [
        f"{kind} {name}: {doc.name}"
        for kind in ("losses", "hash_layers", "fitters", "trainers", "engines")
        for name in reg.names(kind)
        if reg.owner(kind, name).distribution == "hashzoo"
        for doc in reg.option_docs(kind, name)
        if not doc.meaning
    ]
    assert unexplained == []
