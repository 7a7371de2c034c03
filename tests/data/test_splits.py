from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.data.cifar10_lists import PerClass, cifar10_rows, item_ids
from hashzoo.data.datasets import CIFAR10, CIFAR10_JPEG
from hashzoo.data.labels import one_hot
from hashzoo.data.splits import (
    Quota,
    draw_rows,
    make_splits,
    require_pinned,
    split_json,
    split_sha256,
    strata,
)
from hashzoo.data.tables import fingerprint_of
from hashzoo.errors import UsageError, WorkError
from hashzoo.specs import Protocol, Table

SETTINGS = settings(max_examples=40, deadline=None)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[str], np.ndarray, Quota]:
    query, train = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    sizes = draw(st.lists(st.integers(query + train, 15), min_size=1, max_size=4))
    unlabelled = draw(st.integers(0, 3))
    classes = [c for c, size in enumerate(sizes) for _ in range(size)] + [-1] * unlabelled
    ids = draw(
        st.lists(st.text("abc/é01", min_size=1, max_size=6), min_size=len(classes), max_size=len(classes), unique=True)
    )
    quota = Quota(draw(st.text(max_size=5)), query, train, draw(st.booleans()))
    return ids, np.asarray(classes), quota


@SETTINGS
@given(problems())
def test_parts_are_disjoint_complete_and_keep_the_quotas(problem: tuple[list[str], np.ndarray, Quota]) -> None:
    ids, classes, quota = problem
    train, query, database = draw_rows(ids, classes, quota)
    rest = set(database) - set(train) if quota.train_in_database else set(database)
    assert not set(query) & (set(train) | set(database))
    assert (set(train) <= set(database)) == quota.train_in_database
    assert sorted([*train, *query, *rest]) == list(range(len(ids)))
    for label in set(classes[classes >= 0]):
        assert (classes[query] == label).sum() == quota.query
        assert (classes[train] == label).sum() == quota.train
    assert set(np.flatnonzero(classes < 0)) <= set(database)


@SETTINGS
@given(problems(), st.randoms(use_true_random=False))
def test_the_lists_do_not_depend_on_the_order_of_the_items(problem, random) -> None:
    ids, classes, quota = problem
    order = list(range(len(ids)))
    random.shuffle(order)
    here = draw_rows(ids, classes, quota)
    there = draw_rows([ids[i] for i in order], classes[order], quota)
    for ours, theirs in zip(here, there, strict=True):
        assert [ids[i] for i in ours] == [ids[order[i]] for i in theirs]


def test_the_order_is_that_of_sha256_of_seed_and_id() -> None:
    ids = [f"x{i}" for i in range(20)]
    by_hand = sorted(ids, key=lambda item: hashlib.sha256(f"s/{item}".encode()).hexdigest())
    train, query, database = draw_rows(ids, np.zeros(20, dtype=int), Quota("s", 3, 5, False))
    assert [ids[i] for i in query] == by_hand[:3]
    assert [ids[i] for i in train] == by_hand[3:8]
    assert [ids[i] for i in database] == by_hand[8:]


def test_the_sha256_is_the_documented_text() -> None:
    def of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    text = f"hashzoo split 1\ntrain {of('a' + chr(10) + 'b' + chr(10))}\nquery {of('é' + chr(10))}\ndatabase {of('')}\n"
    assert split_sha256(["a", "b"], ["é"], []) == of(text)
    assert split_sha256(["b", "a"], ["é"], []) != of(text)
    assert split_sha256(["a"], ["b", "é"], []) != of(text)


def test_a_class_that_is_too_small_and_repeated_ids_are_refused() -> None:
    with pytest.raises(UsageError, match="Class 1 has 3 items, but 2 queries and 2 training"):
        draw_rows(list("abcdefg"), np.array([0, 0, 0, 0, 1, 1, 1]), Quota("s", 2, 2, False))
    with pytest.raises(UsageError, match="ids repeat"):
        draw_rows(["a", "a", "b"], np.zeros(3, dtype=int), Quota("s", 1, 1, False))
    with pytest.raises(UsageError, match="line break"):
        split_sha256(["a\nb"], [], [])


def _table(n: int = 12) -> Table:
    inputs = {"image": np.arange(n * 2, dtype=np.float32).reshape(n, 2)}
    return Table(inputs, one_hot(np.arange(n) % 3, 3), np.array([f"i{k}" for k in range(n)]), fingerprint_of(inputs))


def test_a_split_that_is_not_the_pinned_one_is_refused() -> None:
    splits = make_splits(_table(), np.arange(3), np.arange(3, 6), np.arange(6, 12))
    protocol = Protocol("p", "d", sizes=(3, 3, 6), sha256=splits.sha256)
    require_pinned(splits, protocol)
    with pytest.raises(WorkError, match="sha256"):
        require_pinned(replace(splits, sha256="0" * 64), protocol)
    with pytest.raises(WorkError, match="4 training items, but the loaded data gave 3"):
        require_pinned(splits, replace(protocol, sizes=(3, 4, 6)))


def test_split_json_names_sizes_and_each_list() -> None:
    splits = make_splits(_table(), np.arange(3), np.arange(3, 6), np.arange(6, 12))
    written = split_json(splits, Protocol("p", "d", sizes=(3, 3, 6)))
    assert written["sizes"] == {"train": 3, "query": 3, "database": 6}
    assert written["sha256"] == splits.sha256
    assert written["ids_sha256"]["train"] == hashlib.sha256(b"i0\ni1\ni2\n").hexdigest()


def test_strata_are_classes_or_one_for_multilabel_data() -> None:
    assert strata(np.array([[0, 1], [1, 0], [0, 0]])).tolist() == [1, 0, -1]
    assert strata(np.array([[1, 1], [1, 0], [0, 0]])).tolist() == [0, 0, -1]


@pytest.mark.parametrize("dataset", [CIFAR10, CIFAR10_JPEG], ids=lambda dataset: dataset.name)
def test_the_cifar10_lists_have_their_pinned_sha256_without_the_data(dataset) -> None:
    ids = item_ids(PerClass())
    ranks = np.arange(60_000) % 6_000
    queries: dict[str, set[int]] = {}
    for protocol in dataset.protocols:
        train, query, database = cifar10_rows(protocol, PerClass())
        assert (len(query), len(train), len(database)) == protocol.sizes
        assert split_sha256(ids[train], ids[query], ids[database]) == protocol.sha256
        assert not set(query) & (set(train) | set(database))
        assert np.bincount(query // 6_000).tolist() == [len(query) // 10] * 10
        queries[protocol.id.removeprefix(f"{dataset.name}-")] = set(query)
    assert queries["5k"] == queries["5k-disjoint"]
    assert all(ranks[list(queries["50k"])] >= 5_000)
    overlap = len(queries["5k"] & queries["50k"])
    assert 100 < overlap < 240, "queries are drawn from all 6,000 images of a class: about 1 in 6 is a test image"
