"""What `hashzoo.data` promises is one list in three places: `__all__`, where each name lives, and for type checkers."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import hashzoo.data


def test_the_three_lists_are_one() -> None:
    tree = ast.parse(Path(hashzoo.data.__file__).read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    typed = {alias.name: node.module for node in block.body for alias in node.names}
    assert typed == hashzoo.data._HOME_OF
    assert sorted(typed) == sorted(hashzoo.data.__all__)


def test_every_name_is_there() -> None:
    for name, home in hashzoo.data._HOME_OF.items():
        assert getattr(hashzoo.data, name) is getattr(importlib.import_module(home), name)
