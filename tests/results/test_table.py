from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from hashzoo.errors import UsageError
from hashzoo.results.known import Known
from hashzoo.results.measure import Selection, measure
from hashzoo.results.table import boards, leaderboard

P = "cifar10-5k-disjoint"
FLOOR = {"floor": True, "regime": "none", "config": {}}


def value(frame: pd.DataFrame, method: str, *column: object) -> float:
    """One cell by method and by protocol, metric, bits, statistic."""
    rows = frame[frame.index.get_level_values("method") == method]
    assert len(rows) == 1
    return rows[column].iloc[0]


def test_mean_and_sample_deviation_over_seeds(make_record):
    records = [make_record(seed=seed, metrics={"map": m}) for seed, m in enumerate((0.5, 0.6, 0.4))]
    frame = leaderboard(records)
    assert value(frame, "dch", P, "map", 16, "measured") == pytest.approx(0.5, abs=1e-15)
    assert value(frame, "dch", P, "map", 16, "sd") == pytest.approx(0.1, abs=1e-15)  # sqrt((0+.01+.01)/2)
    assert value(frame, "dch", P, "map", 16, "seeds") == 3


def test_one_seed_has_no_deviation(make_record):
    frame = leaderboard([make_record()])
    assert math.isnan(value(frame, "dch", P, "map", 16, "sd"))
    assert value(frame, "dch", P, "map", 16, "seeds") == 1


def test_missing_cells_stay_empty_and_enter_no_average(make_record):
    records = [
        make_record("dch", 16, metrics={"map": 0.5}),
        make_record("dch", 32, metrics={"map": 0.7}),
        make_record("dhn", 32, 0, metrics={"map": 0.9}),
        make_record("dhn", 32, 1, metrics={"precision@h2": 0.1}),
    ]
    frame = leaderboard(records)
    assert math.isnan(value(frame, "dhn", P, "map", 16, "measured"))
    assert pd.isna(value(frame, "dhn", P, "map", 16, "seeds"))
    assert value(frame, "dhn", P, "map", 32, "measured") == 0.9
    assert value(frame, "dhn", P, "map", 32, "seeds") == 1
    # 0.9 over its one cell would put dhn first; what is incomplete is not ranked against what is complete.
    assert list(frame.index.get_level_values("method")) == ["dch", "dhn"]


def test_rows_are_ranked_by_their_mean_and_floors_come_last(make_record):
    records = [
        *(make_record("weak", bits, metrics={"map": 0.3}) for bits in (16, 32)),
        make_record("strong", 16, metrics={"map": 0.2}),
        make_record("strong", 32, metrics={"map": 0.6}),
        *(make_record("lsh", bits, metrics={"map": 0.9}, **FLOOR) for bits in (16, 32)),
    ]
    assert list(leaderboard(records).index.get_level_values("method")) == ["strong", "weak", "lsh"]


@pytest.mark.parametrize(
    ("higher", "order"), [(False, ["dhn", "dch", "sh", "lsh"]), (True, ["sh", "dch", "dhn", "lsh"])]
)
def test_rows_are_ranked_the_way_the_metric_points(make_record, higher, order):
    records = [make_record(m, metrics={"empty@h2": v}) for m, v in (("dch", 0.4), ("sh", 0.9), ("dhn", 0.1))]
    floor = make_record("lsh", metrics={"empty@h2": 0.0}, **FLOOR)
    (board,) = boards([*records, floor], Selection(metrics=("empty@h2",)), Known(higher={"empty": higher}))
    assert list(board.cells["method"].unique()) == order


def test_everything_comes_from_records_so_unknown_methods_stay(make_record):
    frame = leaderboard([make_record("nobody-has-this-plugin")])
    assert list(frame.index.get_level_values("method")) == ["nobody-has-this-plugin"]


def test_features_without_codes_stand_in_every_bit_column(make_record):
    records = [
        make_record("dch", 16),
        make_record("dch", 32),
        make_record("uncoded", 0, metrics={"map": 0.25}, **FLOOR),
    ]
    frame = leaderboard(records)
    assert [value(frame, "uncoded", P, "map", bits, "measured") for bits in (16, 32)] == [0.25, 0.25]
    assert set(frame.columns.get_level_values("bits")) == {16, 32}


def test_features_alone_have_a_column_of_their_own(make_record):
    frame = leaderboard([make_record("uncoded", 0, metrics={"map": 0.25}, **FLOOR)])
    assert set(frame.columns.get_level_values("bits")) == {0}


@pytest.mark.parametrize(
    "changed",
    [{"backbone": {"image": "vgg16"}}, {"regime": "frozen"}, {"frozen": True}, {"config": {"recipe": {"lr": 0.1}}}],
)
def test_what_was_trained_otherwise_never_shares_a_row(make_record, changed):
    records = [make_record(seed=0, metrics={"map": 0.2}), make_record(seed=1, metrics={"map": 0.4}, **changed)]
    frame = leaderboard(records)
    assert sorted(frame[P, "map", 16, "measured"]) == [0.2, 0.4]
    assert frame.index.is_unique


def test_configurations_of_one_method_are_told_apart_by_what_differs(make_record):
    def config(lr):
        return {"recipe": {"lr": lr, "epochs": 5}, "evaluation": {"metrics": [str(lr)]}}

    records = [make_record(seed=seed, config=config(lr)) for lr in (0.1, 0.01) for seed in (0, 1)]
    frame = leaderboard(records)
    assert sorted(frame.index.get_level_values("settings")) == ["recipe.lr=0.01", "recipe.lr=0.1"]
    assert list(frame[P, "map", 16, "seeds"]) == [2, 2]
    alone = leaderboard(records[:2])
    assert list(alone.index.get_level_values("settings")) == [""]


@pytest.mark.parametrize(
    ("changed", "mark"),
    [
        ({"split_sha256": "e" * 64}, "split eeeeeeee"),
        ({"convention": "hashnet"}, "convention hashnet"),
        ({"ties": "best"}, "ties best"),
    ],
)
def test_other_splits_conventions_and_ties_never_share_a_column(make_record, changed, mark):
    records = [make_record(seed=0, metrics={"map": 0.2}), make_record(seed=1, metrics={"map": 0.4}, **changed)]
    frame = leaderboard(records)
    labels = list(dict.fromkeys(frame.columns.get_level_values("protocol")))
    assert len(labels) == 2
    assert f"{P} ({mark})" in labels
    assert value(frame, "dch", f"{P} ({mark})", "map", 16, "measured") == 0.4


def test_floors_stay_whatever_is_selected(make_record):
    records = [
        make_record("dch"),
        make_record("dhn"),
        make_record("dhn", regime="frozen"),
        make_record("lsh", **FLOOR),
        make_record("lsh", backbone={"image": "vgg16"}, **FLOOR),
    ]
    frame = leaderboard(records, Selection(methods=("dch",), backbone="alexnet", regime="finetune"))
    assert list(frame.index.get_level_values("method")) == ["dch", "lsh"]


def test_the_headline_is_shown_by_default_and_each_protocol_has_its_own(make_record):
    records = [
        make_record(metrics={"map": 0.1, "map@h2": 0.2}, headline="map@h2"),
        make_record(protocol="digits", dataset="digits", metrics={"map": 0.3, "map@h2": 0.4}),
    ]
    columns = leaderboard(records).columns.droplevel(["bits", "statistic"]).unique()
    assert list(columns) == [(P, "map@h2"), ("digits", "map")]


def test_a_plain_metric_means_both_directions(make_record):
    both = {"image-to-text/map": 0.3, "text-to-image/map": 0.4, "image-to-text/map@h2": 0.5}
    made = boards([make_record("dcmh", metrics=both)])
    assert [board.title.split(" on ")[0] for board in made] == ["image-to-text/map", "text-to-image/map"]
    (one,) = boards([make_record("dcmh", metrics=both)], Selection(metrics=("text-to-image/map",)))
    assert one.frame.iloc[0, 0] == 0.4


def test_one_board_per_protocol_and_metric_in_the_order_asked_for(make_record):
    records = [make_record(protocol=p, metrics={"map": 0.1, "precision@h2": 0.2, "map@h2": 0.3}) for p in ("b", "a")]
    made = boards(records, Selection(metrics=("precision@h2", "map")))
    assert [board.title for board in made] == [
        f"{metric} on {protocol}, alexnet, finetune" for protocol in "ab" for metric in ("precision@h2", "map")
    ]


def test_regimes_never_share_a_board_and_floors_stand_on_each(make_record):
    shared = [make_record("dch"), make_record("lsh", **FLOOR)]
    assert boards(shared)[0].title == f"map on {P}, alexnet, finetune"
    mixed = boards([*shared, make_record("dhn", regime="frozen")])
    assert [board.title for board in mixed] == [f"map on {P}, alexnet, {regime}" for regime in ("finetune", "frozen")]
    assert [list(board.cells["method"]) for board in mixed] == [["dch", "lsh"], ["dhn", "lsh"]]


def test_floors_of_a_backbone_with_nothing_trained_have_a_board(make_record):
    made = boards([make_record("dch"), make_record("lsh", backbone={"image": "vgg16"}, **FLOOR)])
    assert [(board.backbone, list(board.cells["method"])) for board in made] == [
        ("alexnet", ["dch"]),
        ("vgg16", ["lsh"]),
    ]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(protocol="cifar10-5k-disjont"), "no protocol among the records 'cifar10-5k-disjont'; did you mean"),
        (Selection(backbone="alexnett"), "did you mean 'alexnet'"),
        (Selection(regime="frozen"), "regime"),
        (Selection(methods=("dchh",)), "did you mean 'dch'"),
        (Selection(metrics=("mapp",)), "No selected record has metric mapp; they have: map"),
        (Selection(bits=(48,)), "No record fits"),
    ],
)
def test_what_nobody_measured_is_a_sentence(make_record, selection, message):
    with pytest.raises(UsageError, match=message):
        leaderboard([make_record()], selection)


def test_no_records_is_a_sentence():
    with pytest.raises(UsageError, match="no records yet"):
        measure([])


def test_bits_can_be_selected(make_record):
    frame = leaderboard([make_record(bits=16), make_record(bits=32)], Selection(bits=(32,)))
    assert set(frame.columns.get_level_values("bits")) == {32}


def test_frame_types(make_record):
    frame = leaderboard([make_record()])
    assert frame.columns.names == ["protocol", "metric", "bits", "statistic"]
    assert frame.index.names == ["method", "backbone", "regime", "settings"]
    assert [str(dtype) for dtype in frame.dtypes] == ["float64", "float64", "Int64"]


def test_a_row_of_cells_by_different_code_says_so(make_record):
    """Seeds count as one row whatever made them; that they are of two versions of a plugin is said."""

    def plugin(version: str, sha: str, distribution: str = "hashzoo-dch") -> dict[str, Any]:
        return {"losses/dch": {"distribution": distribution, "version": version, "sha256": sha * 64}}

    def made(*plugins: dict[str, Any]) -> tuple[str, ...]:
        records = [make_record("dch", 16, seed, plugins=found) for seed, found in enumerate(plugins)]
        (found,) = boards([*records, make_record("dhn", 16)])
        return found.notes

    assert made(plugin("1.0", "a"), plugin("1.0", "a")) == ()
    assert made(plugin("1.0", "a", "hashzoo"), plugin("1.0", "b", "hashzoo")) == (), "the core: by its version"
    for other in (plugin("1.0", "b"), plugin("1.1", "a")):
        (note,) = made(plugin("1.0", "a"), other)
        assert note.startswith("The cells of dch were made by different versions or files of their plugins")
