"""`hashzoo reproduce`: what a table needs, what is missing, and the table filled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hashzoo.errors import UsageError
from hashzoo.plugins import Plugin, Registry, registry
from hashzoo.specs import Paper, PaperRow, PaperTable
from hashzoo.studies.reproduce import plan_table

PAPER = Paper("toy-2030", "Toy", "A. Author", "", 2030)
ROW = PaperRow("itq", "Digits", 8, 0.5, "page 1", "read", protocol="digits-1k", label="ITQ")
ROWS = (
    ROW,
    replace(ROW, bits=16),
    replace(ROW, method="lsh", metric="map@h2"),
    replace(ROW, method="newest", label="Newest"),
    replace(ROW, dataset="CIFAR-10", protocol="", protocol_note="drawn"),
    replace(ROW, dataset="CIFAR-10", protocol="cifar10-5k"),
    replace(ROW, dataset="Elsewhere", protocol=""),
    replace(ROW, method="dcmh", label="DCMH"),
)


def with_table() -> Registry:
    table = PaperTable("toy-2030-table1", PAPER, "Table 1", "map", ROWS)
    plugin = Plugin("tables", "hashzoo-tables", "1.0", "tables = x", items={"paper_tables": (table,)})
    return registry().extended(plugin)


def test_what_can_be_measured_is_planned_and_the_rest_is_said(tmp_path: Path) -> None:
    found = plan_table("toy-2030-table1", {"seeds": (0, 1), "out": tmp_path}, (), with_table())
    assert [(r.method, r.protocol, r.bits, r.seeds, r.metrics) for r in found.requests] == [
        ("itq", "digits-1k", (8, 16), (0, 1), ("default", "map")),
        ("lsh", "digits-1k", (8,), (0, 1), ("default", "map@h2")),
    ]
    said = "\n".join(found.missing)
    assert "Newest: no installed plugin brings the method 'newest'." in said
    assert "CIFAR-10 (drawn): the paper's set-up is no protocol that is known here; name one" in said
    assert "cifar10-5k: its data are not there (cifar-10-batches-py below" in said
    assert "Elsewhere: the paper's set-up is no protocol that is known here; no installed data set is it." in said
    assert "dcmh on digits-1k: the installed method takes 2" in said


def test_a_protocol_can_stand_in_for_a_set_up_that_is_none_of_ours() -> None:
    found = plan_table("toy-2030-table1", {"settings": {"data.path": "x"}}, ("cifar10-jpeg-5k-disjoint",), with_table())
    assert [(r.method, r.protocol, r.bits) for r in found.requests] == [
        ("itq", "cifar10-jpeg-5k-disjoint", (8,)), ("itq", "digits-1k", (8, 16)), ("lsh", "digits-1k", (8,)),
    ]  # fmt: skip
    assert not [sentence for sentence in found.missing if "CIFAR" in sentence]
    with pytest.raises(UsageError, match="no row on the data of wiki-2173"):
        plan_table("toy-2030-table1", {}, ("wiki-2173",), with_table())


def test_an_unknown_table_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="dch-2018-table1"):
        plan_table("dch-2018-table11", {}, (), registry())
