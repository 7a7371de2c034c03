"""The specs of this plugin: what they say and what the README says of them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import hashzoo_adsh
from hashzoo_adsh.losses import ADSHLoss

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_adsh.hashzoo_register_methods()}


def test_readme_names_every_method_and_option() -> None:
    for name in METHODS:
        assert f"| `{name}` |" in README
    for option, parameter in inspect.signature(ADSHLoss).parameters.items():
        if option != "problem":
            found = re.search(rf"^\| `{option}` \| `(.+?)` \|", README, re.MULTILINE)
            assert found, option
            shown = str(parameter.default)
            assert found[1] == shown or float(found[1]) == round(parameter.default, 7)
            assert re.search(rf"^ +{option}: \S", ADSHLoss.__doc__ or "", re.MULTILINE)


def test_every_setting_says_how_it_was_chosen() -> None:
    for method in METHODS.values():
        assert set(method.settings) == {"scratch", "frozen"}
        assert all(setting.source for setting in method.settings.values())


def test_claims_are_of_this_method() -> None:
    for claim in hashzoo_adsh.hashzoo_register_claims():
        assert claim.better in METHODS
        assert claim.worse not in METHODS


def test_published_values() -> None:
    tables = {table.id: table for table in hashzoo_adsh.hashzoo_register_paper_tables()}
    rows = tables["adsh-2018-matlab-code"].rows
    assert {(row.dataset, row.bits): row.value for row in rows}["CIFAR-10", 12] == 0.8939
    assert len(tables["adsh-2018-pytorch-code"].rows) == 12


def test_only_the_transductive_method_sees_the_database() -> None:
    assert METHODS["adsh"].database == "labels"
    assert METHODS["adsh-inductive"].database == "hidden"
