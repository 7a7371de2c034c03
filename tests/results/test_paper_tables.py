from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo.errors import UsageError
from hashzoo.results.paper_tables import (
    COLUMNS,
    full_metric,
    metric_name,
    paper_tables_from_csv,
    paper_tables_from_package,
    table_id,
)
from hashzoo.results.reported import DEEPHASH_PYTORCH, hashzoo_register_paper_tables
from hashzoo.specs import Paper

PLUGINS = Path(__file__).parents[2] / "plugins"
HEAD = ",".join(COLUMNS) + "\n"

# method: NUS-WIDE, MS-COCO, CIFAR-10 at 16, 32, 48, 64 bits; typed from the published table, not from the file.
DCH_TABLE_1 = """
ITQ-CCA .5706 .4397 .0825 .0051 .5949 .5612 .0585 .0105 .4258 .4652 .4774 .4932
BRE .5502 .5422 .4128 .2202 .5625 .5498 .4214 .4014 .4216 .4519 .4002 .3438
KSH .5185 .5659 .4102 .0608 .5797 .5532 .2338 .0216 .4368 .4585 .4012 .3819
SDH .6681 .6824 .5979 .4679 .6449 .6766 .5226 .5108 .5620 .6428 .6069 .5012
CNNH .5843 .5989 .5734 .5729 .5602 .5685 .5376 .5058 .5512 .5468 .5454 .5364
DNNH .6191 .6216 .5902 .5626 .5771 .6023 .5235 .5013 .5703 .5985 .6421 .6118
DHN .6901 .7021 .6685 .5664 .6749 .6680 .5151 .4186 .6929 .6445 .5835 .5883
HashNet .6944 .7147 .6736 .6190 .6851 .6900 .5589 .5344 .7476 .7776 .6399 .6259
DCH .7401 .7720 .7685 .7124 .7010 .7576 .7251 .7013 .7901 .7979 .8071 .7936
"""


def paper(key: str) -> Paper:
    return Paper(key, "Title", "Authors", "Venue", int(key.rsplit("-", 1)[1]))


def of_plugin(name: str, key: str):
    text = (PLUGINS / f"hashzoo-{name}" / f"hashzoo_{name}" / "papers.csv").read_text(encoding="utf-8")
    return {table.id: table for table in paper_tables_from_csv(text, {key: paper(key)})}


@pytest.mark.parametrize(
    ("name", "key", "cells"),
    [
        ("dch", "dch-2018", {"dch-2018-table1": 108, "dch-2018-table2": 48}),
        ("dcmh", "dcmh-2017", {"dcmh-2017-table3": 108, "dcmh-2017-table4": 94}),
        ("dhn", "dhn-2016", {"dhn-2016-table1": 103}),
        ("hashnet", "hashnet-2017", {"hashnet-2017-table1": 4}),
        ("greedyhash", "greedyhash-2018", {"greedyhash-2018-cifar10-I": 4, "greedyhash-2018-cifar10-II": 1}),
    ],
)
def test_each_plugin_carries_the_tables_of_its_paper(name, key, cells):
    tables = of_plugin(name, key)
    assert {id_: len(table.rows) for id_, table in tables.items()} == cells
    for table in tables.values():
        assert table.paper.key == key
        for row in table.rows:
            assert row.method == row.label.lower()
            assert 0 < row.value < 1
            assert row.source
            assert row.protocol_note


def test_dch_table_1_holds_the_published_values_in_the_published_order():
    table = of_plugin("dch", "dch-2018")["dch-2018-table1"]
    assert table.metric == "map@h2"
    methods = []
    for line in DCH_TABLE_1.split("\n")[1:-1]:
        label, *values = line.split()
        methods.append(label)
        places = [(d, b) for d in ("NUS-WIDE", "MS-COCO", "CIFAR-10") for b in (16, 32, 48, 64)]
        found = {(row.dataset, row.bits): row.value for row in table.rows if row.label == label}
        assert found == {place: float(value) for place, value in zip(places, values, strict=True)}
    assert list(dict.fromkeys(row.label for row in table.rows)) == methods


def test_protocol_is_ours_only_where_the_set_up_is_the_same():
    found = {
        (row.dataset, row.protocol)
        for name, key in (("dch", "dch-2018"), ("dhn", "dhn-2016"), ("greedyhash", "greedyhash-2018"))
        for table in of_plugin(name, key).values()
        for row in table.rows
        if row.dataset == "CIFAR-10"
    }
    assert found == {
        ("CIFAR-10", "cifar10-5k-disjoint"),  # DCH: database of 54,000
        ("CIFAR-10", ""),  # DHN: the size of the database is not known
        ("CIFAR-10", "cifar10-5k"),  # GreedyHash I: database of 59,000
        ("CIFAR-10", "cifar10-50k"),  # GreedyHash II: the official split
    }
    others = of_plugin("dcmh", "dcmh-2017")["dcmh-2017-table3"].rows
    assert {row.protocol for row in others} == {""}


def test_both_directions_have_metrics_of_their_own():
    table = of_plugin("dcmh", "dcmh-2017")["dcmh-2017-table3"]
    assert {full_metric(table, row) for row in table.rows} == {"image-to-text/map", "text-to-image/map"}
    own = [r for r in table.rows if (r.method, r.dataset, r.task) == ("dcmh", "MIRFLICKR-25K", "image-to-text")]
    assert {row.bits for row in own} == {16, 32, 64}


def test_a_table_may_mix_metrics():
    table = of_plugin("hashnet", "hashnet-2017")["hashnet-2017-table1"]
    assert {row.dataset: full_metric(table, row) for row in table.rows} == {
        "ImageNet-100": "map@1000",
        "NUS-WIDE": "map@5000",
        "MS-COCO": "map@5000",
    }


def test_the_core_brings_the_readme_of_deephash_pytorch():
    (table,) = hashzoo_register_paper_tables()
    assert (table.id, table.paper, len(table.rows)) == ("deephash-pytorch-readme-map", DEEPHASH_PYTORCH, 46)
    cell = [r for r in table.rows if (r.method, r.dataset, r.bits) == ("hashnet", "CIFAR-10", 48)]
    assert [(row.value, row.protocol) for row in cell] == [(0.782, "cifar10-5k-disjoint")]
    two = [r.protocol for r in table.rows if (r.method, r.dataset) == ("greedyhash", "CIFAR-10")]
    assert two == ["cifar10-5k", ""]  # its second split is drawn from all 60,000 images: not ours
    assert {row.protocol for row in table.rows} == {"", "cifar10-5k-disjoint", "cifar10-5k"}


def test_package_data_is_read_by_package_name():
    name = "data/deephash_pytorch_readme.csv"
    papers = {DEEPHASH_PYTORCH.key: DEEPHASH_PYTORCH}
    assert paper_tables_from_package("hashzoo.results", papers, name) == tuple(hashzoo_register_paper_tables())


def line(**changed: str) -> str:
    values = {
        "paper": "new-2024", "table": "Table 2", "dataset": "CIFAR-10", "protocol": "own", "metric": "map",
        "task": "image", "method": "New", "backbone": "", "bits": "16", "value": "0.5", "source": "paper",
        "confidence": "read", **changed,
    }  # fmt: skip
    return ",".join(values[column] for column in COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paper,table\n", "lacks column dataset"),
        (HEAD + line(paper="other-2020"), "Line 2 .* names paper 'other-2020'; known: new-2024"),
        (HEAD + line() + line(value="n/a"), "Lines 2 and 3|Line 3 .* 'n/a'"),
        (HEAD + line(value="n/a"), "Line 2 .* needs an integer for bits and a number for value"),
        (HEAD + line(bits="16.5"), "Line 2 .* '16.5'"),
        (HEAD + line(value="nan"), "both must be sensible"),
        (HEAD + line(metric="accuracy of 1"), "Metric 'accuracy of 1' is not understood"),
        (HEAD + line() + line(value="0.6"), "Lines 2 and 3 .* same cell"),
        (HEAD + "new-2024,Table 2\n", "Line 2 .* does not have 12 fields"),
    ],
)
def test_faults_of_a_file_are_named(text, message):
    with pytest.raises(UsageError, match=message):
        paper_tables_from_csv(text, {"new-2024": paper("new-2024")})


def test_an_author_may_name_protocols_by_id_or_by_description():
    protocols = {"my set-up": "mine-5k"}
    text = HEAD + line(protocol="mine-5k") + line(bits="32", protocol="my set-up (see appendix)") + line(bits="48")
    (table,) = paper_tables_from_csv(text, {"new-2024": paper("new-2024")}, protocols)
    assert [row.protocol for row in table.rows] == ["mine-5k", "mine-5k", ""]


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ("mAP@H<=2", "map@h2"),
        ("MAP@all", "map"),
        ("mAP@5000", "map@5000"),
        ("P@1000", "precision@1000"),
        ("P@H<=2", "precision@h2"),
        ("R@H<=2", "recall@h2"),
        ("NDCG@100", "ndcg@100"),
        ("precision@h2-micro", "precision@h2-micro"),
        ("map:best", "map:best"),
    ],
)
def test_metric_names(published, ours):
    assert metric_name(published) == ours


@pytest.mark.parametrize(
    ("title", "id_"),
    [
        ("Table 1 (MAP@H<=2)", "x-2020-table1"),
        ("Table S2", "x-2020-tableS2"),
        ("CIFAR-10 setting II", "x-2020-cifar10-II"),
        ("Results on Places, 48 bits", "x-2020-results-on-places"),
    ],
)
def test_table_ids(title, id_):
    assert table_id("x-2020", title) == id_
