"""The examples in the docstrings run: of every module of the core and of the plugins that has one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOMES = [ROOT, *(ROOT / "plugins").glob("hashzoo-*")]
MODULES = sorted(
    ".".join(path.relative_to(home).with_suffix("").parts)
    for home in HOMES
    for path in home.glob("hashzoo*/**/*.py")
    if "templates" not in path.parts and ">>>" in path.read_text(encoding="utf-8")
)


def test_examples_are_found() -> None:
    assert {"hashzoo.evaluation.codes", "hashzoo.data.splits", "hashzoo_coco.loader"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted > 0
