from __future__ import annotations

import math

import pytest

from hashzoo.results.measure import Selection
from hashzoo.results.published import comparison, comparison_boards, is_own_paper
from hashzoo.specs import Paper, PaperRow, PaperTable

P = "cifar10-5k-disjoint"


def table(id_: str, *rows: PaperRow, metric: str = "map") -> PaperTable:
    key = id_.rsplit("-", 1)[0]
    return PaperTable(id_, Paper(key, f"Title of {key}", "A. Author", "CVPR", 2018), "Table 1", metric, rows)


def row(method: str, value: float, **changed: object) -> PaperRow:
    fields = {"dataset": "CIFAR-10", "bits": 16, "source": "page 5", "confidence": "read", "protocol": P,
              "protocol_note": "500 per class", "backbone": "AlexNet", **changed}  # fmt: skip
    return PaperRow(method=method, value=value, **fields)


def test_reported_measured_gap_and_source_stand_side_by_side(make_record):
    records = [make_record(seed=seed, metrics={"map": m}) for seed, m in enumerate((0.75, 0.79))]
    frame = comparison(records, [table("dch-2018-table1", row("dch", 0.8))])
    assert list(frame.columns) == ["reported", "measured", "sd", "seeds", "gap", "source"]
    (cell,) = frame.to_dict(orient="records")
    assert cell["reported"] == 0.8
    assert cell["measured"] == pytest.approx(0.77)
    assert cell["sd"] == pytest.approx(0.02 * math.sqrt(2))
    assert cell["seeds"] == 2
    assert cell["gap"] == pytest.approx(-0.03)
    assert cell["source"] == "dch-2018-table1: page 5"


@pytest.mark.parametrize(
    "other", [{"bits": 32}, {"dataset": "NUS-WIDE", "protocol": ""}, {"metric": "map@5000"}, {"task": "image-to-text"}]
)
def test_a_value_of_another_cell_is_not_shown(make_record, other):
    frame = comparison([make_record()], [table("dch-2018-table1", row("dch", 0.8, **other))])
    assert math.isnan(frame["reported"].iloc[0])
    assert math.isnan(frame["gap"].iloc[0])
    assert list(frame.columns) == ["reported", "measured", "sd", "seeds", "gap", "source"]


def test_another_protocol_is_never_passed_off_as_the_same(make_record):
    jpeg = make_record(protocol="cifar10-jpeg-5k-disjoint", dataset="cifar10-jpeg")
    tables = [table("dch-2018-table1", row("dch", 0.8))]
    frame = comparison([jpeg], tables)
    assert "reported" not in frame
    assert "gap" not in frame
    assert frame["reported (CIFAR-10)"].iloc[0] == 0.8
    assert frame["gap (CIFAR-10)"].iloc[0] == pytest.approx(-0.3)
    (board,) = comparison_boards([jpeg], tables)
    (note,) = board.notes
    assert "500 per class, which is not cifar10-jpeg-5k-disjoint" in note
    assert "backbone there: AlexNet" in note


def test_another_protocol_of_the_same_dataset_is_marked_too(make_record):
    frame = comparison([make_record()], [table("dch-2018-table1", row("dch", 0.8, protocol=""))])
    assert frame["reported (CIFAR-10, another protocol)"].iloc[0] == 0.8
    assert "reported" not in frame


def test_same_and_other_protocol_may_both_be_known(make_record):
    tables = [
        table("dhn-2016-table1", row("dhn", 0.6, protocol="")),
        table("report-2022-map", row("dhn", 0.78)),
    ]
    (cell,) = comparison([make_record("dhn")], tables).to_dict(orient="records")
    assert (cell["reported"], cell["source"]) == (0.78, "report-2022-map: page 5")
    assert cell["reported (CIFAR-10, another protocol)"] == 0.6


def test_a_validation_run_is_not_the_published_protocol(make_record):
    frame = comparison([make_record(protocol=f"{P}-validation")], [table("dch-2018-table1", row("dch", 0.8))])
    assert "reported" not in frame


def test_the_methods_own_paper_comes_before_others(make_record):
    tables = [table("abc-2015-table1", row("dch-q", 0.1)), table("dch-2018-table1", row("dch-q", 0.7))]
    assert comparison([make_record("dch-q")], tables)["reported"].iloc[0] == 0.7
    assert comparison([make_record("dch-q")], tables[:1])["reported"].iloc[0] == 0.1


def test_own_paper_is_decided_by_the_whole_stem():
    dch = table("dch-2018-table1", row("dch", 0.8))
    assert [is_own_paper(dch, name) for name in ("dch", "dch-q", "dchx", "dhn")] == [True, True, False, False]


def test_rows_without_a_published_value_stay_and_floors_too(make_record):
    records = [make_record("dch"), make_record("new"), make_record("lsh", floor=True, regime="none")]
    frame = comparison(records, [table("dch-2018-table1", row("dch", 0.8))])
    assert sorted(frame.index.get_level_values("method")) == ["dch", "lsh", "new"]
    assert frame["reported"].notna().sum() == 1


def test_directions_are_compared_each_with_its_own(make_record):
    record = make_record("dcmh", metrics={"image-to-text/map": 0.5, "text-to-image/map": 0.6})
    rows = (row("dcmh", 0.7, task="image-to-text"), row("dcmh", 0.8, task="text-to-image"))
    frame = comparison([record], [table("dcmh-2017-table3", *rows)], Selection(metrics=("map",)))
    assert dict(zip(frame.index.get_level_values("metric"), frame["gap"].round(6), strict=True)) == {
        "image-to-text/map": -0.2,
        "text-to-image/map": -0.2,
    }
