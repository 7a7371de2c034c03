"""Every method of this repository says what tuning may try of it, and its README says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo.plugins import registry
from hashzoo.specs import Method, Range
from hashzoo.studies.space import stated

PLUGINS = Path(__file__).parents[2] / "plugins"
NOTHING_TO_TRY = {"dhn-q", "itq", "ksh", "ksh-0", "sh"}
"""`dhn-q` has learning rate and weight decay, which are tried of every method; the others are closed forms."""


def methods() -> list[str]:
    reg = registry()
    ours = [name for name in reg.names("methods") if (PLUGINS / reg.owner("methods", name).distribution).is_dir()]
    return [name for name in ours if not reg.get("methods", name).floor]


@pytest.mark.parametrize("name", methods())
def test_a_method_states_its_space_and_its_readme_says_the_same(name: str) -> None:
    method: Method = registry().get("methods", name)
    assert (not method.space) == (name in NOTHING_TO_TRY)
    folder = PLUGINS / registry().owner("methods", name).distribution
    _, found, section = (folder / "README.md").read_text(encoding="utf-8").partition("\n## Search space\n")
    assert found
    rows = [row for row in section.partition("\n## ")[0].splitlines() if row.startswith("| `")]
    several = any("| of |" in line for line in section.splitlines())
    own = {
        (cells[0], *cells[-2:])
        for cells in ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
        if not several or f"`{name}`" in cells[1].split(", ")
    }
    assert own == {(f"`{key}`", in_words(limits), limits.source) for key, limits in stated(method).items()}


def in_words(limits: Range) -> str:
    if limits.choices:
        shown = [f"`{choice}`" for choice in limits.choices]
        return " or ".join(shown) if len(shown) == 2 else ", ".join(shown)
    return f"{limits.low:g} to {limits.high:g}" + (", log" if limits.log else "")
