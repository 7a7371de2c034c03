"""The specs of this plugin: what they say and what the README says of them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import hashzoo_dtsh
from hashzoo_dtsh.losses import DTSHLoss

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_dtsh.hashzoo_register_methods()}


def test_readme_names_every_method_and_option() -> None:
    for name in METHODS:
        assert f"| `{name}` |" in README
    for option, parameter in inspect.signature(DTSHLoss).parameters.items():
        if option != "problem":
            found = re.search(rf"^\| `{option}` \| `(.+?)` \|", README, re.MULTILINE)
            assert found, option
            shown = str(parameter.default)
            assert found[1] == shown or float(found[1]) == round(parameter.default, 7)
            assert re.search(rf"^ +{option}: \S", DTSHLoss.__doc__ or "", re.MULTILINE)


def test_every_setting_says_how_it_was_chosen() -> None:
    for method in METHODS.values():
        assert set(method.settings) == {"scratch", "frozen"}
        assert all(setting.source for setting in method.settings.values())


def test_claims_are_of_this_method() -> None:
    for claim in hashzoo_dtsh.hashzoo_register_claims():
        assert claim.better in METHODS
        assert claim.worse not in METHODS
