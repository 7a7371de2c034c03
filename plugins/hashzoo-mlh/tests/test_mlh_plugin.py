"""The specs of hashzoo-mlh, and its README."""

from __future__ import annotations

import inspect
from pathlib import Path

import hashzoo_mlh
from hashzoo_mlh.fitter import MLHFitter

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_methods_are_closed_forms_of_registered_fitters() -> None:
    fitters = {fitter.name for fitter in hashzoo_mlh.hashzoo_register_fitters()}
    for method in hashzoo_mlh.hashzoo_register_methods():
        assert (method.training, method.loss, method.recipe) == ("fit", "", None)
        assert method.fitter in fitters


def test_readme_names_every_method_and_option() -> None:
    for method in hashzoo_mlh.hashzoo_register_methods():
        assert f"`{method.name}`" in README
    for option, parameter in inspect.signature(MLHFitter).parameters.items():
        if option != "problem":
            assert f"| `{option}` | `{parameter.default}` |" in README
