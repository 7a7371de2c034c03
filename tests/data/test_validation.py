from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.data.labels import one_hot
from hashzoo.data.splits import make_splits
from hashzoo.data.validation import keep_used, validation_splits
from hashzoo.errors import UsageError
from hashzoo.specs import Splits, Table


def splits_of(classes: np.ndarray, train: np.ndarray, labels: np.ndarray | None = None) -> Splits:
    n = len(classes)
    labels = one_hot(classes, int(classes.max()) + 1) if labels is None else labels
    table = Table({"image": np.zeros((n, 1), np.float32)}, labels, np.array([f"i{k}" for k in range(n)]), "f")
    rest = np.setdiff1d(np.arange(n), train)
    return make_splits(table, train, rest[::2], rest[1::2])


@settings(max_examples=30, deadline=None)
@given(st.integers(20, 60), st.integers(1, 4), st.floats(0.2, 0.8), st.randoms(use_true_random=False))
def test_only_train_rows_disjoint_and_in_proportion(size: int, num_classes: int, fraction: float, random) -> None:
    classes = np.repeat(np.arange(num_classes), size)
    train = np.array(random.sample(range(len(classes)), len(classes) - 8))
    splits = splits_of(classes, train)
    held = validation_splits(splits, fraction)
    parts = [held.train, held.query, held.database]
    assert sorted(np.concatenate(parts)) == sorted(train), "every training item once, and nothing else"
    for label in range(num_classes):
        members = int((classes[train] == label).sum())
        queries, database = (int((classes[part] == label).sum()) for part in parts[1:])
        assert queries + database == round(fraction * members)
        assert 0 <= database - queries <= 1
    again = validation_splits(splits_of(classes, train[::-1]), fraction)
    assert held.sha256 == again.sha256, "the order of the train list does not matter"


def test_unlabelled_items_are_not_held_out_and_multilabel_data_are_one_class() -> None:
    classes = np.array([0] * 40 + [-1] * 10)
    held = validation_splits(splits_of(classes, np.arange(50)), 0.5)
    assert set(range(40, 50)) <= set(held.train)
    labels = np.tile(np.array([[1, 1, 0]], dtype=np.uint8), (50, 1))
    held = validation_splits(splits_of(classes, np.arange(50), labels), 0.2)
    assert (len(held.train), len(held.query), len(held.database)) == (40, 5, 5)


@pytest.mark.parametrize("searched", [slice(None), slice(5, 60)])
def test_where_training_items_are_searched_they_are_searched_here_too(searched: slice) -> None:
    """A database of training items alone: held-out items are queries, and what is left of the database is searched."""
    classes = np.repeat(np.arange(3), 30)
    train = np.arange(80)
    table = splits_of(classes, train).table
    held = validation_splits(make_splits(table, train, np.arange(80, 90), train[searched]), 0.2)
    assert sorted(np.concatenate([held.train, held.query])) == train.tolist(), "each training item once"
    assert [int((classes[held.query] == label).sum()) for label in range(3)] == [6, 6, 4], "a fifth of each class"
    assert set(held.database) == set(held.train) & set(train[searched])
    both = make_splits(table, train, np.arange(80, 85), np.arange(86))
    held = validation_splits(both, 0.2)
    assert not set(held.database) & set(held.train), "one item that is searched is no training item"


def test_notes_and_vocabulary_go_along() -> None:
    splits = replace(
        splits_of(np.arange(40) % 4, np.arange(30)), notes=("left out",), details={"vocabulary": ["sea", "sky"]}
    )
    held = validation_splits(splits)
    for found in (held, keep_used(held)):
        assert found.notes == ("left out",)
        assert found.details == {"vocabulary": ["sea", "sky"]}


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 0.01])
def test_fractions_that_leave_nothing_are_refused(fraction: float) -> None:
    with pytest.raises(UsageError, match="fraction"):
        validation_splits(splits_of(np.zeros(30, dtype=int), np.arange(20)), fraction)
