"""The specs of this plugin: what they say and what the README says of them."""

from __future__ import annotations

from pathlib import Path

import hashzoo_adsh

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_adsh.hashzoo_register_methods()}


def test_published_values() -> None:
    tables = {table.id: table for table in hashzoo_adsh.hashzoo_register_paper_tables()}
    rows = tables["adsh-2018-matlab-code"].rows
    assert {(row.dataset, row.bits): row.value for row in rows}["CIFAR-10", 12] == 0.8939
    assert len(tables["adsh-2018-pytorch-code"].rows) == 12


def test_only_the_transductive_method_sees_the_database() -> None:
    assert METHODS["adsh"].database == "labels"
    assert METHODS["adsh-inductive"].database == "hidden"
