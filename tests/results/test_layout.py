from __future__ import annotations

import csv
import math
from pathlib import Path

import pandas as pd
import pytest

from hashzoo.results.layout import paper_boards
from hashzoo.results.paper_tables import paper_tables_from_csv
from hashzoo.specs import Paper

PLUGINS = Path(__file__).parents[2] / "plugins"
DATASETS = {
    "NUS-WIDE": ("nus-wide", "nus-wide-81"),
    "MS-COCO": ("ms-coco", "ms-coco-5k"),
    "CIFAR-10": ("cifar10", "cifar10-5k-disjoint"),
}


def paper_table(name: str, id_: str):
    text = (PLUGINS / f"hashzoo-{name}" / f"hashzoo_{name}" / "papers.csv").read_text(encoding="utf-8")
    keys = {line["paper"] for line in csv.DictReader(text.splitlines())}
    papers = {key: Paper(key, "Title", "Authors", "CVPR", 2018) for key in keys}
    return next(table for table in paper_tables_from_csv(text, papers) if table.id == id_)


def group(frame: pd.DataFrame, dataset: str, bits: int) -> pd.DataFrame:
    """The statistics of one column group of a map@h2 table."""
    keys = [key for key in frame.columns if key[:3] == (dataset, "map@h2", bits)]
    return frame[keys].droplevel([0, 1, 2], axis=1)


def of(frame: pd.DataFrame, method: str) -> pd.DataFrame:
    """The lines of one method."""
    return frame[frame.index.get_level_values("method") == method]


@pytest.fixture
def dch_records(make_record):
    """dch and hashnet on all three datasets, two seeds; dch at 48 bits: 0.548 and 0.558."""
    return [
        make_record(method, bits, seed, dataset=dataset, protocol=protocol, headline="map@h2",
                    metrics={"map@h2": base + bits / 1000 + seed / 100})
        for method, base in (("dch", 0.5), ("hashnet", 0.4))
        for dataset, protocol in DATASETS.values()
        for bits in (16, 32, 48, 64)
        for seed in (0, 1)
    ]  # fmt: skip


def test_layout_is_that_of_dch_table_1(dch_records, make_record):
    lsh = make_record("lsh", 16, floor=True, regime="none", metrics={"map@h2": 0.05})
    (board,) = paper_boards([*dch_records, lsh], paper_table("dch", "dch-2018-table1"))
    frame = board.frame
    methods = ["ITQ-CCA", "BRE", "KSH", "SDH", "CNNH", "DNNH", "DHN", "HashNet", "DCH", "lsh"]
    assert list(frame.index.get_level_values("method")) == methods
    groups = list(dict.fromkeys((key[0], key[2]) for key in frame.columns))
    assert groups == [(name, bits) for name in ("NUS-WIDE", "MS-COCO", "CIFAR-10") for bits in (16, 32, 48, 64)]
    assert set(frame.columns.get_level_values("metric")) == {"map@h2"}

    exact = ["reported", "measured", "sd", "seeds"]
    assert list(group(frame, "CIFAR-10", 48)) == exact
    cell = of(group(frame, "CIFAR-10", 48), "DCH").iloc[0]
    assert cell["reported"] == 0.8071
    assert cell["measured"] == pytest.approx(0.553)
    assert cell["seeds"] == 2
    assert math.isnan(of(frame, "KSH")["CIFAR-10", "map@h2", 48, "measured"].iloc[0])
    assert of(frame, "lsh")["CIFAR-10", "map@h2", 16, "measured"].iloc[0] == 0.05
    assert math.isnan(of(frame, "lsh")["CIFAR-10", "map@h2", 16, "reported"].iloc[0])


def test_another_protocol_has_a_column_that_says_so(dch_records, make_record):
    (board,) = paper_boards(dch_records, paper_table("dch", "dch-2018-table1"))
    nus = list(group(board.frame, "NUS-WIDE", 16))
    assert nus == ["reported", "measured (nus-wide-81)", "sd (nus-wide-81)", "seeds (nus-wide-81)"]
    assert any("they are not comparable" in note for note in board.notes)
    exact = [record for record in dch_records if record.dataset == "cifar10"]
    (board,) = paper_boards(exact, paper_table("dch", "dch-2018-table1"))
    assert not any("they are not comparable" in note for note in board.notes)
    assert list(group(board.frame, "NUS-WIDE", 16)) == ["reported"]


def test_the_jpeg_set_is_not_cifar10(make_record):
    jpeg = make_record(protocol="cifar10-jpeg-5k-disjoint", dataset="cifar10-jpeg", metrics={"map@h2": 0.5})
    (board,) = paper_boards([jpeg], paper_table("dch", "dch-2018-table1"))
    cells = group(board.frame, "CIFAR-10", 16)
    assert "measured" not in cells
    assert of(cells, "DCH")["measured (cifar10-jpeg-5k-disjoint)"].iloc[0] == 0.5
    # a bit length of the dataset that we did not measure keeps its place, empty
    assert board.frame["CIFAR-10", "map@h2", 64, "measured (cifar10-jpeg-5k-disjoint)"].isna().all()


def test_backbones_and_regimes_have_boards_of_their_own(make_record):
    records = [
        make_record(metrics={"map@h2": 0.5}),
        make_record(metrics={"map@h2": 0.6}, regime="frozen", frozen=True),
        make_record("lsh", metrics={"map@h2": 0.1}, floor=True, regime="none"),
    ]
    both = paper_boards(records, paper_table("dch", "dch-2018-table1"))
    assert [board.title.split("measured with ")[1] for board in both] == ["alexnet, finetune", "alexnet, frozen"]
    for board, value in zip(both, (0.5, 0.6), strict=True):
        column = board.frame["CIFAR-10", "map@h2", 16, "measured"]
        assert column.xs("DCH", level="method").tolist() == [value]
        assert column.xs("lsh", level="method").tolist() == [0.1]


def test_variants_find_their_row_in_the_ablation(make_record):
    (board,) = paper_boards([make_record("dch-q", metrics={"map@h2": 0.5})], paper_table("dch", "dch-2018-table2"))
    assert list(board.frame.index.get_level_values("method")) == ["DCH", "DCH-Q", "DCH-C", "DCH-E"]
    cell = of(group(board.frame, "CIFAR-10", 16), "DCH-Q").iloc[0]
    assert (cell["reported"], cell["measured"]) == (0.7645, 0.5)


def test_both_directions_are_row_groups(make_record):
    metrics = {"image-to-text/map": 0.5, "text-to-image/map": 0.6}
    record = make_record("dcmh", protocol="nus-wide-21", dataset="nus-wide", metrics=metrics)
    (board,) = paper_boards([record], paper_table("dcmh", "dcmh-2017-table3"))
    labels = [(label[0], label[1]) for label in board.frame.index]
    methods = ["DCMH", "SePH", "STMH", "SCM", "CMFH", "CCA"]
    assert labels == [(task, method) for task in ("image-to-text", "text-to-image") for method in methods]
    column = board.frame["NUS-WIDE", "map", 16, "measured (nus-wide-21)"]
    assert column.dropna().to_dict() == {("image-to-text", "DCMH", ""): 0.5, ("text-to-image", "DCMH", ""): 0.6}


def test_a_table_that_mixes_cut_offs_names_them(make_record):
    (board,) = paper_boards([], paper_table("hashnet", "hashnet-2017-table1"))
    assert set(board.frame.columns.droplevel(["bits", "statistic"])) == {
        ("ImageNet-100", "map@1000"),
        ("NUS-WIDE", "map@5000"),
        ("MS-COCO", "map@5000"),
    }
    assert set(board.frame.columns.get_level_values("statistic")) == {"reported"}


def test_two_configurations_of_a_method_take_two_lines(make_record):
    records = [make_record(metrics={"map@h2": m}, config={"recipe": {"lr": lr}}) for m, lr in ((0.5, 0.1), (0.6, 0.01))]
    (board,) = paper_boards(records, paper_table("dch", "dch-2018-table1"))
    lines = board.frame.xs("DCH", level="method")
    assert list(lines.index.get_level_values("settings")) == ["recipe.lr=0.01", "recipe.lr=0.1"]
    assert list(lines["CIFAR-10", "map@h2", 16, "measured"]) == [0.6, 0.5]
    assert list(lines["CIFAR-10", "map@h2", 16, "reported"]) == [0.7901, 0.7901]


def test_a_dataset_with_several_set_ups_has_a_group_for_each():
    from hashzoo.results.reported import hashzoo_register_paper_tables

    (readme,) = hashzoo_register_paper_tables()
    (board,) = paper_boards([], readme)
    frame = board.frame
    reported = frame["CIFAR-10 (cifar10-I)", "map", 48, "reported"].xs("GreedyHash", level="method")
    assert reported.tolist() == [0.817]
    assert frame["CIFAR-10 (cifar10-II)", "map", 48, "reported"].xs("GreedyHash", level="method").tolist() == [0.932]
    assert int(frame.notna().sum().sum()) == len(readme.rows)
