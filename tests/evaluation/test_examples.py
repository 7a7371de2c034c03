"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ("api", "average_precision", "code_quality", "codes", "evaluators", "files", "names", "uncertainty")


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    result = doctest.testmod(importlib.import_module(f"hashzoo.evaluation.{name}"))
    assert result.failed == 0
    assert result.attempted > 0
