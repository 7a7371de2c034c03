"""Counting: the three kernels against plain loops, blocks, parts, left-out items, memory, memory-mapped files."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.errors import UsageError
from hashzoo.evaluation.api import evaluate, evaluate_counts
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting import kernel_torch
from hashzoo.evaluation.counting.counts import Counts, count, rows_of
from hashzoo.evaluation.counting.kernel_numba import add_block
from hashzoo.evaluation.counting.words import code_words, label_words


def random_codes(rng, n: int, bits: int, classes: int, share: float = 0.2) -> Codes:
    return Codes.from_signs(rng.integers(0, 2, (n, bits)), rng.random((n, classes)) < share)


def by_loops(query: Codes, database: Codes) -> Counts:
    shape = (len(query), query.bits + 1)
    n, r = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for i, (code, labels) in enumerate(zip(query.signs(), query.labels, strict=True)):
        for other, theirs in zip(database.signs(), database.labels, strict=True):
            distance = sum(int(a != b) for a, b in zip(code, other, strict=True))
            n[i, distance] += 1
            r[i, distance] += any(a and b for a, b in zip(labels, theirs, strict=True))
    return Counts(n, r)


def same(a: Counts, b: Counts) -> bool:
    return np.array_equal(a.n, b.n) and np.array_equal(a.r, b.r)


@pytest.mark.parametrize("kernel", ["numpy", "numba", "torch"])
@pytest.mark.parametrize(("bits", "classes"), [(1, 1), (12, 10), (24, 3), (48, 65), (64, 64), (130, 129), (300, 2)])
def test_every_kernel_equals_plain_loops(kernel, bits, classes):
    rng = np.random.default_rng(bits)
    query, database = random_codes(rng, 5, bits, classes), random_codes(rng, 83, bits, classes)
    assert same(count(query, database, kernel=kernel, block=50), by_loops(query, database))


@pytest.mark.parametrize("bits", [64, 128, 320])
def test_kernels_agree_over_several_inner_blocks_and_threads(bits):
    rng = np.random.default_rng(1)
    query, database = random_codes(rng, 7, bits, 80), random_codes(rng, 5003, bits, 80)
    reference = count(query, database, kernel="numpy")
    for options in ({"kernel": "numba"}, {"kernel": "numba", "threads": 3, "block": 2049}, {"kernel": "torch:cpu"}):
        assert same(count(query, database, **options), reference)


@pytest.mark.parametrize("bits", [64, 700, 1024])
def test_the_number_type_of_gpus_is_exact(monkeypatch, bits):
    rng = np.random.default_rng(3)
    query, database = random_codes(rng, 4, bits, 20), random_codes(rng, 300, bits, 20)
    both = Codes.from_signs(np.vstack([database.signs(), -query.signs()]), np.vstack([database.labels, query.labels]))
    monkeypatch.setattr(kernel_torch, "number_type", lambda device, words: torch.float16)
    assert same(count(query, both, kernel="torch:cpu"), count(query, both, kernel="numpy"))


def test_a_collapsed_model_and_full_distance_are_counted():
    code = np.ones((3, 128), dtype=np.int8)
    query = Codes.from_signs(code, [0, 1, -1], num_classes=2)
    database = Codes.from_signs(np.repeat(-code[:1], 4000, axis=0), [0] * 4000, num_classes=2)
    for kernel in ("numpy", "numba", "torch"):
        counts = count(query, database, kernel=kernel)
        assert counts.n[:, 128].tolist() == [4000] * 3
        assert counts.r[:, 128].tolist() == [4000, 0, 0]
        assert counts.n.sum() == 12000


def test_the_table_of_the_compiled_kernel_is_used_for_every_thread_share():
    rng = np.random.default_rng(2)
    query, database = random_codes(rng, 11, 20, 5), random_codes(rng, 400, 20, 5)
    words = (code_words(query.packed), label_words(query.labels), code_words(database.packed))
    reference = count(query, database, kernel="numpy")
    for threads in (1, 2, 5, 40):
        counts = Counts(np.zeros((11, 21), dtype=np.int64), np.zeros((11, 21), dtype=np.int64))
        add_block(*words, label_words(database.labels), counts.n, counts.r, threads=threads)
        assert same(counts, reference)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), bits=st.integers(1, 70), cut=st.integers(1, 59))
def test_counts_of_two_parts_add_up(seed, bits, cut):
    rng = np.random.default_rng(seed)
    query, database = random_codes(rng, 3, bits, 4), random_codes(rng, 60, bits, 4)
    parts = count(query, database.take(slice(0, cut))) + count(query, database.take(slice(cut, 60)))
    assert same(parts, count(query, database))


def test_metrics_of_merged_parts_are_those_of_the_whole(make_codes):
    query, database = make_codes()
    merged = count(query, database.take(slice(0, 300))) + count(query, database.take(slice(300, None)))
    assert evaluate_counts(merged) == evaluate(query, database)


def test_counts_of_other_queries_are_not_added(make_codes):
    query, database = make_codes()
    with pytest.raises(UsageError, match="same queries"):
        count(query, database) + count(query.take(slice(0, 3)), database)


@settings(max_examples=20, deadline=None)
@given(bits=st.integers(1, 63), more=st.integers(1, 40))
def test_constant_bits_change_nothing(bits, more):
    """Codes padded with bits that are equal everywhere have the same distances, so the same counts."""
    rng = np.random.default_rng(bits)
    query, database = random_codes(rng, 3, bits, 3), random_codes(rng, 40, bits, 3)
    wide = [
        Codes.from_signs(np.hstack([c.signs(), np.ones((len(c), more), dtype=np.int8)]), c.labels)
        for c in (query, database)
    ]
    narrow, padded = count(query, database), count(*wide)
    assert np.array_equal(padded.n[:, : bits + 1], narrow.n)
    assert not padded.n[:, bits + 1 :].any()
    assert evaluate_counts(padded, ["map"]) == pytest.approx(evaluate_counts(narrow, ["map"]), abs=1e-12)


def test_a_query_in_the_database_is_left_out_or_kept(make_codes):
    _, database = make_codes()
    query = database.take(np.array([5, 17]))
    rows = rows_of(query, database)
    assert rows.tolist() == [5, 17]
    without = count(query, database, leave_out=rows)
    for i, row in enumerate(rows):
        rest = database.take(np.delete(np.arange(len(database)), row))
        expected = count(query.take(slice(i, i + 1)), rest)
        assert same(Counts(without.n[i : i + 1], without.r[i : i + 1]), expected)
    kept = count(query, database)
    assert (kept.n.sum(axis=1) - without.n.sum(axis=1)).tolist() == [1, 1]


def test_ids_not_in_the_database_have_no_row(make_codes):
    query, database = make_codes()
    assert rows_of(query, database).tolist() == [-1] * len(query)
    with pytest.raises(UsageError, match="both be strings"):
        rows_of(Codes.from_signs([[1]], [0], ids=["a"]), database)
    twice = database.take(np.array([1, 1, 2]))
    with pytest.raises(UsageError, match="same id twice"):
        rows_of(query, twice)


@pytest.mark.parametrize("rows", [[0], [0, 900], [0, -2], [0.5, 1]])
def test_rows_to_leave_out_that_do_not_exist_are_a_sentence(make_codes, rows):
    query, database = make_codes(queries=2, items=900)
    for options in ({}, {"ranking": "cosine", "metrics": ["map"]}):
        with pytest.raises(UsageError, match=r"0 to 899"):
            evaluate(query, database, leave_out=rows, **options)


def test_progress_is_reported_after_each_block(make_codes):
    query, database = make_codes(items=900)
    seen = []
    count(query, database, block=400, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(400, 900), (800, 900), (900, 900)]


def test_memory_does_not_grow_with_pairs_and_the_database_may_be_a_mapped_file(tmp_path):
    items = 600_000
    rng = np.random.default_rng(0)
    for name, shape in (("packed", (items, 8)), ("labels", (items, 10))):
        high = 256 if name == "packed" else 2
        np.save(tmp_path / f"{name}.npy", rng.integers(0, high, shape, dtype=np.uint8))
    packed, labels = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("packed", "labels"))
    ids = np.zeros(items, dtype=np.int64)
    query = Codes.from_packed(np.asarray(packed[:64]), 64, np.asarray(labels[:64]))
    count(query, query, kernel="numba")  # loads and compiles before anything is measured
    tracemalloc.start()
    mapped = Codes.from_packed(packed, 64, labels, ids)
    counts = count(query, mapped, kernel="numba")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(mapped.packed, np.memmap)
    assert isinstance(mapped.labels, np.memmap)
    assert peak < 30_000_000  # a matrix of one byte per pair would take 38 million, one block takes about 12
    assert same(counts, count(query, Codes.from_packed(np.asarray(packed), 64, np.asarray(labels)), kernel="numba"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda q: Codes.from_signs([[1, -1]], [0], num_classes=6), "16 bits and database codes 2"),
        (lambda q: Codes.from_signs(q.signs(), q.labels[:, :3]), "6 classes and database labels 3"),
        (lambda q: q.take(slice(0, 0)), "database set is empty"),
    ],
)
def test_sets_that_do_not_fit_are_a_sentence(make_codes, other, message):
    query, _ = make_codes()
    with pytest.raises(UsageError, match=message):
        count(query, other(query))


@pytest.mark.parametrize("device", ["nowhere", "cuda:99", "meta", "cpu:x"])
def test_a_device_that_is_not_there_is_a_sentence(make_codes, device):
    with pytest.raises(UsageError, match=f"on the device '{device}' here"):
        count(*make_codes(), kernel=f"torch:{device}")


def test_unknown_kernel_is_a_sentence(make_codes):
    with pytest.raises(UsageError, match="no counting kernel 'cuda'"):
        count(*make_codes(), kernel="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize(("bits", "classes"), [(12, 10), (64, 80), (128, 100), (2048, 3)])
def test_the_gpu_counts_the_same(bits, classes):
    rng = np.random.default_rng(bits)
    query, database = random_codes(rng, 50, bits, classes), random_codes(rng, 5000, bits, classes)
    assert same(count(query, database, kernel="torch:cuda"), count(query, database, kernel="numpy"))


@pytest.mark.parametrize(("given", "expected"), [("1", 1), ("3", 3), ("", None), ("0", None), ("many", None)])
def test_counting_takes_as_many_threads_as_numba_is_given(monkeypatch, given, expected):
    from hashzoo.evaluation.counting import kernel_numba

    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    otherwise = kernel_numba._cores()
    monkeypatch.setenv("NUMBA_NUM_THREADS", given)
    assert kernel_numba._cores() == (expected or otherwise)
