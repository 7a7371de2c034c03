"""Codes and labels from the files of other tools, in every form they come in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes, save_codes
from hashzoo.evaluation.counting.counts import count
from hashzoo.evaluation.files import codes_from_array, read_codes, read_pair


@pytest.fixture
def signs():
    return np.random.default_rng(0).choice([-1, 1], (30, 12)).astype(np.int8)


@pytest.fixture
def labels():
    return np.random.default_rng(1).integers(0, 4, 30)


def test_every_form_of_the_same_codes_is_read_the_same(tmp_path, signs, labels):
    reference = Codes.from_signs(signs, labels)
    forms = {
        "signs.npy": signs,
        "zero_one.npy": (signs > 0).astype(np.uint8),
        "bool.npy": signs > 0,
        "float_signs.npy": signs.astype(np.float64),
        "real.npy": signs * np.random.default_rng(2).uniform(0.1, 3, signs.shape),
        "packed.npy": reference.packed,
    }
    for name, array in forms.items():
        np.save(tmp_path / name, array)
        codes = read_codes(tmp_path / name, labels, bits=12)
        assert np.array_equal(codes.packed, reference.packed), name
        assert np.array_equal(codes.labels, reference.labels)
        assert codes.bits == 12
        assert (codes.relaxed is not None) == (name == "real.npy")


def test_faiss_sees_the_same_distances(tmp_path):
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(3)
    packed = rng.integers(0, 256, (200, 6), dtype=np.uint8)
    np.save(tmp_path / "codes.npy", packed)
    database = read_codes(tmp_path / "codes.npy", np.zeros(200, dtype=int))
    assert database.bits == 48
    index = faiss.IndexBinaryFlat(48)
    index.add(packed)
    theirs, _ = index.search(packed[:5], 200)
    counts = count(database.take(slice(0, 5)), database)
    assert np.array_equal(counts.n, [np.bincount(row, minlength=49) for row in theirs])


def test_labels_in_any_file_and_form(tmp_path, signs, labels):
    hot = np.eye(4, dtype=np.uint8)[labels]
    np.save(tmp_path / "codes.npy", signs)
    np.save(tmp_path / "labels.npy", labels)
    np.savez(tmp_path / "labels.npz", labels=hot)
    savemat(tmp_path / "labels.mat", {"L": hot.astype(float)})
    savemat(tmp_path / "column.mat", {"label": labels[:, None]})
    (tmp_path / "labels.txt").write_text("\n".join(map(str, labels)), encoding="utf-8")
    for name in ("labels.npy", "labels.npz", "labels.mat", "column.mat", "labels.txt"):
        assert np.array_equal(read_codes(tmp_path / "codes.npy", tmp_path / name).labels, hot), name


def test_npz_and_mat_of_other_tools(tmp_path, signs, labels):
    reference = Codes.from_signs(signs, labels)
    ids = np.array([f"image{i}" for i in range(30)])
    np.savez(tmp_path / "a.npz", embeddings=signs * 0.3, targets=labels, ids=ids)
    np.savez(tmp_path / "b.npz", anything=signs, y=labels)
    savemat(tmp_path / "c.mat", {"B": signs.astype(float), "L": np.eye(4)[labels]})
    for name in ("a.npz", "b.npz", "c.mat"):
        codes = read_codes(tmp_path / name)
        assert np.array_equal(codes.packed, reference.packed), name
        assert np.array_equal(codes.labels, reference.labels)
    assert read_codes(tmp_path / "a.npz").ids.tolist() == ids.tolist()


def test_own_files_with_one_and_several_sets(tmp_path, make_codes):
    query, database = make_codes()
    save_codes(tmp_path / "one.npz", {"query.image": query})
    save_codes(tmp_path / "codes.npz", {"query.image": query, "database.image": database})
    assert np.array_equal(read_codes(tmp_path / "one.npz").packed, query.packed)
    pair = read_pair(f"{tmp_path}/codes.npz:query.image", f"{tmp_path}/codes.npz:database.image")
    assert evaluate(*pair) == evaluate(query, database)
    with pytest.raises(UsageError, match=r"several sets.*database.image, query.image"):
        read_codes(tmp_path / "codes.npz")
    with pytest.raises(UsageError, match=r"no set 'query.text'"):
        read_codes(f"{tmp_path}/codes.npz:query.text")


def test_class_indices_of_query_and_database_are_one_set_of_classes(tmp_path, signs, labels):
    np.save(tmp_path / "q.npy", signs[:5])
    np.save(tmp_path / "d.npy", signs)
    query, database = read_pair(tmp_path / "q.npy", tmp_path / "d.npy", np.zeros(5, dtype=int), labels)
    assert query.num_classes == database.num_classes == 4
    query, database = read_pair(tmp_path / "q.npy", tmp_path / "d.npy", np.zeros(5, dtype=int), np.eye(6)[labels])
    assert query.num_classes == database.num_classes == 6


def test_a_large_packed_file_stays_on_disk(tmp_path):
    np.save(tmp_path / "codes.npy", np.full((1000, 8), 37, dtype=np.uint8))
    codes = read_codes(tmp_path / "codes.npy", np.zeros(1000, dtype=int))
    assert isinstance(codes.packed, np.memmap)


@pytest.mark.parametrize(
    ("save", "message"),
    [
        ({"codes": np.ones((3, 4))}, "has no labels"),
        ({"codes": np.ones((3, 4)), "labels": [0, 1]}, "3 codes and 2 labels"),
        ({"codes": np.full((3, 4), np.nan), "labels": [0, 1, 2]}, "3 of 3 items have NaN"),
        ({"codes": np.ones((0, 4)), "labels": np.zeros(0, int)}, "empty"),
        ({"codes": np.ones(3), "labels": [0, 1, 2]}, "one row per item"),
        ({"one": np.ones((3, 4)), "two": np.ones((3, 4)), "labels": [0, 1, 2]}, "one .3, 4., two .3, 4."),
    ],
)
def test_what_does_not_fit_is_a_sentence_naming_the_file(tmp_path, save, message):
    path = tmp_path / "codes.npz"
    np.savez(path, **{name: np.asarray(value) for name, value in save.items()})
    with pytest.raises(UsageError, match=message) as caught:
        read_codes(path)
    assert str(path) in str(caught.value)


def test_wrong_bits_missing_files_and_unknown_endings(tmp_path, signs, labels):
    np.save(tmp_path / "codes.npy", signs)
    with pytest.raises(UsageError, match="12 bits, 16 were asked"):
        read_codes(tmp_path / "codes.npy", labels, bits=16)
    with pytest.raises(UsageError, match="There is no file"):
        read_codes(tmp_path / "no.npy", labels)
    (tmp_path / "codes.csv").write_text("1,2", encoding="utf-8")
    with pytest.raises(UsageError, match=r"none of the files that can be read: \.npz"):
        read_codes(tmp_path / "codes.csv", labels)


@pytest.mark.parametrize("name", ["codes.npy", "codes.npz", "codes.mat"])
def test_damaged_files_are_failed_work(tmp_path, signs, name):
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, signs)
    elif name.endswith("npz"):
        np.savez(path, codes=signs)
    else:
        savemat(path, {"B": signs})
    path.write_bytes(path.read_bytes()[:-150])
    with pytest.raises(WorkError, match=r"cannot be read|damaged"):
        read_codes(path, np.zeros(30, dtype=int))


def test_matlab_7_3_files_are_named(tmp_path):
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (tmp_path / "new.mat").write_bytes(header.ljust(512, b"\x00") + b"\x89HDF\r\n\x1a\n")
    with pytest.raises((UsageError, WorkError), match=r"7\.3"):  # without h5py it is asked for, with it it finds damage
        read_codes(tmp_path / "new.mat", [0])


def test_three_valued_codes_of_sign_are_binarised():
    codes = codes_from_array(np.array([[0, -1, 1]]), [0])
    assert codes.signs().tolist() == [[1, -1, 1]]
