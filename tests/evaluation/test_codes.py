"""Codes: binarising, packing, checks, and the file they are kept in, whole and damaged."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import Codes, as_multi_hot, codes_sha256, load_codes, save_codes


def test_zero_is_plus_one_and_nan_is_refused():
    codes = Codes.from_relaxed([[0.0, -0.0, -1e-30], [2, -3, 0.5]], [0, 1])
    assert codes.signs().tolist() == [[1, 1, -1], [1, -1, 1]]
    assert codes.relaxed is None
    for bad in (np.nan, np.inf):
        with pytest.raises(UsageError, match="1 of 2 items have NaN or infinite"):
            Codes.from_relaxed([[1.0, bad], [1, 1]], [0, 1])


@settings(max_examples=40, deadline=None)
@given(bits=st.integers(1, 140), n=st.integers(0, 9), seed=st.integers(0, 99))
def test_packing_is_undone_and_bit_k_is_where_it_is_said_to_be(bits, n, seed):
    signs = np.random.default_rng(seed).choice([-1, 1], (n, bits)).astype(np.int8)
    codes = Codes.from_signs(signs, np.zeros(n, dtype=int))
    assert np.array_equal(codes.signs(), signs)
    assert np.array_equal(Codes.from_signs(signs > 0, np.zeros(n, dtype=int)).packed, codes.packed)
    assert codes.packed.shape == (n, -(-bits // 8))
    for k in range(bits):
        assert np.array_equal((codes.packed[:, k // 8] >> (k % 8)) & 1, signs[:, k] > 0)


def test_outputs_are_kept_when_asked_for():
    codes = Codes.from_relaxed(np.array([[0.25, -2.0]]), [0], keep_relaxed=True)
    assert codes.relaxed is not None
    assert codes.relaxed.dtype == np.float32
    assert codes.take(slice(0, 0)).relaxed.shape == (0, 2)


def test_labels_as_indices_and_multi_hot_are_the_same():
    hot = as_multi_hot([2, -1, 0], 3, num_classes=4)
    assert hot.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert np.array_equal(as_multi_hot(hot.astype(float), 3), hot)
    assert np.array_equal(as_multi_hot(np.array([2.0, -1.0, 0.0]), 3, 4), hot)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "3 codes and 2 labels"),
        (5, "3 codes and 0 labels"),
        ([0, -2, 1], "-1 .no label. to"),
        ([0, 9, 1], "must lie in -1 .no label. to 3"),
        ([0.5, 1, 2], "whole numbers"),
        ([[0, 2, 0, 0]] * 3, "only 0 and 1"),
        ([[0, 1]] * 3, "2 columns, 4 classes"),
        (np.zeros((3, 1, 1)), "class indices"),
    ],
)
def test_labels_that_make_no_sense_are_a_sentence(labels, message):
    with pytest.raises(UsageError, match=message):
        Codes.from_signs([[1]] * 3, labels, num_classes=4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Codes.from_signs([[1, 2]], [0]), "only -1 and"),
        (lambda: Codes.from_signs([[1, 0], [-1, 1]], [0, 0]), "only -1 and"),
        (lambda: Codes.from_signs([1, -1], [0, 0]), "shape"),
        (lambda: Codes.from_relaxed([["a"]], [0]), "numbers"),
        (lambda: Codes.from_packed(np.zeros((2, 1), np.uint8), 12, [0, 0]), "12 bits take 2 bytes"),
        (lambda: Codes.from_packed(np.full((2, 2), 255, np.uint8), 12, [0, 0]), "beyond bit 12"),
        (lambda: Codes.from_packed(np.zeros((2, 0), np.uint8), 0, [0, 0]), "0 bits"),
        (lambda: Codes.from_packed(np.zeros((2, 1), np.int64), 8, [0, 0]), "uint8"),
        (lambda: Codes.from_signs([[1]], [0], ids=["a", "b"]), "1 codes and 2 ids"),
        (lambda: Codes.from_signs([[1]], [0], ids=[0.5]), "integer or string"),
    ],
)
def test_codes_that_make_no_sense_are_a_sentence(make, message):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.fixture
def sets(make_codes):
    query, database = make_codes(multi=True)
    named = Codes.from_signs([[1, -1, 1]], [[1, 0]], ids=["bird-é"])
    return {"query.image": query, "database.image": database, "query.text": named}


def test_codes_are_kept_exactly_and_the_same_codes_give_the_same_bytes(tmp_path, sets):
    save_codes(tmp_path / "a.npz", sets)
    save_codes(tmp_path / "b.npz", dict(reversed(sets.items())))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.glob("*.npz*")) == ["a.npz", "b.npz"]
    loaded = load_codes(tmp_path / "a.npz")
    assert set(loaded) == set(sets)
    for name, codes in sets.items():
        assert loaded[name].bits == codes.bits
        for field in ("packed", "labels", "ids", "relaxed"):
            ours, theirs = getattr(codes, field), getattr(loaded[name], field)
            assert (ours is None and theirs is None) or np.array_equal(ours, theirs)
    assert codes_sha256(loaded) == codes_sha256(sets)


def test_any_difference_changes_the_sha256(sets):
    seen = {codes_sha256(sets)}
    one = sets["query.text"]
    for other in (
        Codes(one.packed ^ 1, 3, one.labels, one.ids),
        Codes(one.packed, 4, one.labels, one.ids),
        Codes(one.packed, 3, one.labels[:, ::-1], one.ids),
        Codes(one.packed, 3, np.hstack([one.labels, [[0]]]), one.ids),
        Codes(one.packed, 3, one.labels, np.array(["bird"])),
        Codes(one.packed, 3, one.labels, one.ids, np.ones((1, 3), np.float32)),
    ):
        seen.add(codes_sha256({**sets, "query.text": other}))
    seen.add(codes_sha256({"renamed" if k == "query.text" else k: v for k, v in sets.items()}))
    assert len(seen) == 8


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_file_is_a_sentence(tmp_path, sets, damage):
    path = tmp_path / "codes.npz"
    save_codes(path, sets)
    data = bytearray(path.read_bytes())
    middle = data.find(sets["database.image"].packed.tobytes()) + 50
    data[middle] ^= 0xFF
    path.write_bytes({"cut": data[:-2000], "flipped": data, "empty": b"", "text": b"not a zip file"}[damage])
    with pytest.raises(WorkError, match="damaged"):
        load_codes(path)


def test_a_missing_file_and_a_missing_folder_are_sentences(tmp_path, sets):
    with pytest.raises(WorkError, match="no codes file"):
        load_codes(tmp_path / "codes.npz")
    with pytest.raises(WorkError, match="cannot be written"):
        save_codes(tmp_path / "nowhere" / "codes.npz", sets)


def test_a_failed_write_leaves_the_old_file(tmp_path, sets, monkeypatch):
    path = tmp_path / "codes.npz"
    save_codes(path, sets)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(WorkError, match="No space left"):
        save_codes(path, sets)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if "codes" in p.name] == ["codes.npz"]


def test_importing_the_engine_loads_neither_torch_nor_numba_nor_pandas():
    program = (
        "import sys, hashzoo.evaluation.api, hashzoo.evaluation.files, hashzoo.evaluation.evaluators, "
        "hashzoo.evaluation.uncertainty; print([m for m in ('torch','numba','pandas','scipy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_codes_cannot_be_changed_through_what_holds_them(sets):
    for name in ("packed", "labels", "ids", "relaxed"):
        array = getattr(sets["query.image"], name)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_outputs_in_double_precision_are_kept_where_single_would_round_them(tmp_path):
    for values, kept in (
        ([[0.5, -2.0]], np.float32),
        ([[1e300, -1.0]], np.float64),
        ([[1e9 + 1, 1.0]], np.float64),
        (np.array([[2**40 + 1, 3]]), np.float64),
        (np.array([[7, -3]], dtype=np.int8), np.float32),
        (np.array([[0.1, 0.2]], dtype=np.float16), np.float32),
    ):
        codes = Codes.from_relaxed(values, [0], keep_relaxed=True)
        assert codes.relaxed.dtype == kept, values
        assert np.array_equal(codes.relaxed, values)
        save_codes(tmp_path / "codes.npz", {"a": codes})
        loaded = load_codes(tmp_path / "codes.npz")["a"].relaxed
        assert loaded.dtype == kept
        assert np.array_equal(loaded, values)
    with pytest.raises(UsageError, match="NaN or infinite"):
        Codes.from_relaxed(np.array([["1e400"]], dtype=np.longdouble), [0])


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_codes_are_written_with_the_mode_that_the_umask_gives(tmp_path, sets):
    before = os.umask(0o027)
    try:
        save_codes(tmp_path / "codes.npz", sets)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "codes.npz").stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npz"]


def test_labels_that_would_fill_the_memory_are_refused():
    with pytest.raises(UsageError, match=r"2 x 3000000001 bytes; number the classes from 0"):
        Codes.from_signs([[1], [1]], [0, 3 * 10**9])


def test_a_codes_file_that_promises_other_sizes_is_damaged(tmp_path, sets):
    arrays = {
        f"query/{k}": v for k, v in (("bits", 3), ("packed", np.zeros((1, 1), np.uint8)), ("ids", np.zeros(1, int)))
    }
    for labels, classes in ((np.zeros((1, 1), np.uint8), 10**12), (np.zeros((1, 1)), 2), (np.zeros(1, np.uint8), 2)):
        np.savez(tmp_path / "codes.npz", **arrays, **{"query/labels": labels, "query/classes": classes})
        with pytest.raises(WorkError, match="damaged"):
            load_codes(tmp_path / "codes.npz")
