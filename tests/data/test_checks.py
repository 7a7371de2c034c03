from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hashzoo.data.checks import check_splits, require_usable, sentences
from hashzoo.data.labels import one_hot
from hashzoo.data.splits import make_splits
from hashzoo.errors import UsageError
from hashzoo.specs import Protocol, Splits, Table

PROTOCOL = Protocol("mine", "d", sizes=(0, 0, 0))


def splits_of(train: list[int], query: list[int], database: list[int], classes: list[int] | None = None) -> Splits:
    inputs = {"a": np.arange(20, dtype=np.float32).reshape(10, 2), "b": np.ones((10, 1), np.float32)}
    labels = one_hot(np.array(classes or [0, 1] * 5), 2)
    table = Table(inputs, labels, np.array([str(i) for i in range(10)]), "f", ("cat", "dog"))
    return make_splits(table, np.array(train, int), np.array(query, int), np.array(database, int))


def test_a_good_split_has_no_problems_and_its_counts_are_right() -> None:
    report = check_splits(splits_of([0, 1, 2], [3, 4], [0, 5, 6, 7, 8]), PROTOCOL)
    assert report.problems == ()
    assert report.sizes == {"train": 3, "query": 2, "database": 5}
    assert report.overlaps == {"query-train": 0, "query-database": 0, "train-database": 1}
    assert report.class_counts == {"train": [2, 1], "query": [1, 1], "database": [3, 2]}
    assert report.duplicates == {"query-train": 0, "query-database": 0, "train-database": 0}
    assert report.notes == ()


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (splits_of([0], [], [5]), "the query part is empty"),
        (splits_of([0, 1], [1], [5]), "1 queries are also training items"),
        (splits_of([0], [1, 2], [2, 1, 5]), "2 queries are also in the database"),
        (splits_of([0], [1], [5, 5]), "the database part lists 1 rows twice"),
        (splits_of([0], [1], [2], classes=[0, -1] + [0] * 8), "no item of the query part has a label"),
    ],
)
def test_each_fatal_problem_is_named(splits: Splits, words: str) -> None:
    assert any(words in problem for problem in check_splits(splits, PROTOCOL).problems)
    with pytest.raises(UsageError, match=f"The split of mine cannot be used: .*{words}"):
        require_usable(splits, PROTOCOL)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"train part is empty.*also in the database"):
        require_usable(splits_of([], [1], [1, 2]), PROTOCOL)


def test_queries_in_the_database_pass_only_where_the_protocol_says_so() -> None:
    splits = splits_of([0], [1, 2], [2, 5])
    require_usable(splits, replace(PROTOCOL, queries_in_database=True))
    with pytest.raises(UsageError):
        require_usable(splits, PROTOCOL)


def test_rows_outside_the_table_and_labels_that_do_not_fit_are_named() -> None:
    splits = splits_of([0], [1], [2])
    for bad in (
        replace(splits, query=np.array([10])),
        replace(splits, table=replace(splits.table, labels=np.zeros((9, 2), np.uint8))),
        replace(splits, table=replace(splits.table, labels=np.zeros((10, 0), np.uint8))),
        replace(splits, table=replace(splits.table, inputs={"a": np.zeros((9, 2), np.float32)})),
    ):
        assert check_splits(bad, PROTOCOL).problems
        with pytest.raises(UsageError):
            require_usable(bad, PROTOCOL)


def test_duplicates_need_equal_inputs_in_every_modality() -> None:
    splits = splits_of([0, 1], [2, 3], [4, 5])
    inputs = {name: array.copy() for name, array in splits.table.inputs.items()}
    inputs["a"][4] = inputs["a"][2]
    same = replace(splits, table=replace(splits.table, inputs=inputs))
    report = check_splits(same, PROTOCOL)
    assert report.duplicates == {"query-train": 0, "query-database": 1, "train-database": 0}
    assert "1 queries have the same inputs as some other item of the database part" in report.warnings
    inputs["b"] = inputs["b"].copy()
    inputs["b"][4] = 7
    assert not any(check_splits(same, PROTOCOL).duplicates.values())


def test_unlabelled_items_are_counted_by_part() -> None:
    report = check_splits(splits_of([0, 1], [2, 3], [4, 5, 6], classes=[0, -1, 0, 0, -1, -1, 0, 0, 0, 0]), PROTOCOL)
    assert report.unlabelled == {"train": 1, "query": 0, "database": 2}
    assert len(report.notes) == 2


def test_relevance_chance_and_the_highest_map_are_those_of_plain_loops() -> None:
    draw = np.random.default_rng(0)
    labels = (draw.random((60, 5)) < 0.2).astype(np.uint8)
    inputs = {"a": draw.normal(size=(60, 2)).astype(np.float32)}
    table = Table(inputs, labels, np.array([str(i) for i in range(60)]), "f")
    rows = np.arange(60)
    splits = make_splits(table, rows[:10], rows[10:25], rows[20:])
    report = check_splits(splits, replace(PROTOCOL, queries_in_database=True))
    relevant = [sum(bool((labels[q] & labels[m]).any()) for m in rows[20:] if m != q) for q in rows[10:25]]
    assert report.without_relevant == sum(count == 0 for count in relevant) > 0
    assert report.map_cap == pytest.approx(np.mean([count > 0 for count in relevant]))
    assert report.chance == pytest.approx(np.mean(relevant) / 40)
    assert any("5 queries are in the database, where each finds itself" in text for text in report.warnings)
    assert any(f"{report.without_relevant} of 15 queries have no relevant item" in text for text in report.warnings)


def test_conflicting_labels_and_placeholders_are_found() -> None:
    splits = splits_of([0, 1], [2, 3], [4, 5, 6, 7, 8, 9])
    inputs = {"a": np.zeros((10, 2), np.float32)}
    inputs["a"][:6, 0] = np.arange(1, 7)
    report = check_splits(replace(splits, table=replace(splits.table, inputs=inputs)), PROTOCOL)
    assert (report.repeated, report.most_copies, report.conflicts) == (4, 4, 2)
    assert any("stands for 4 items" in text for text in report.warnings)
    nothing = replace(splits, table=replace(splits.table, inputs={"a": np.zeros((10, 0), np.float32)}))
    assert check_splits(nothing, PROTOCOL).repeated == 0, "lists alone are compared with nothing"


def test_other_sizes_and_lists_than_the_protocols_are_errors() -> None:
    splits = splits_of([0, 1], [2, 3], [4, 5])
    wrong = check_splits(splits, replace(PROTOCOL, sizes=(2, 3, 0)))
    assert "2 training items, and the protocol has 3; the data are incomplete or others" in wrong.problems
    other = check_splits(splits, replace(PROTOCOL, sizes=(2, 2, 2), sha256="0" * 64))
    assert any("these are other lists" in text for text in other.problems)
    text = sentences(other.as_dict())
    assert text[0] == "mine: 2 queries, 2 training items, 2 database items, as the protocol has them."
    assert text[-1] == "1 error and 1 warning."
