"""What the plugin states: options in the README."""

from __future__ import annotations

import inspect
from pathlib import Path

import hashzoo_cca
import pytest
from hashzoo_cca.fitter import CCA

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("build", [CCA])
def test_readme_and_docstring_name_every_option(build: type) -> None:
    for option, parameter in inspect.signature(build).parameters.items():
        if option not in ("problem", "feature_dim"):
            assert f"| `{option}` | `{parameter.default}` |" in README
            assert f"        {option}: " in str(build.__doc__)


def test_it_is_a_floor() -> None:
    (method,) = hashzoo_cca.hashzoo_register_methods()
    assert method.floor
    assert method.supervision == "unsupervised"
