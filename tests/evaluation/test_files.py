"""Codes and labels from the files of other tools, in every form they come in."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from scipy.io import savemat

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes, save_codes
from hashzoo.evaluation.counting.counts import count
from hashzoo.evaluation.files import read_pair


def read_codes(path, labels=None, bits=None):
    """One side alone: the file as query and as database."""
    query, database = read_pair(path, path, labels, labels, bits)
    assert np.array_equal(query.packed, database.packed)
    assert np.array_equal(query.labels, database.labels)
    return query


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
    save_codes(tmp_path / "more.npz", {"query.image": query, "query.text": query})
    with pytest.raises(UsageError, match=r"several sets.*query.image, query.text"):
        read_codes(tmp_path / "more.npz")
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


def test_three_valued_codes_of_sign_are_binarised(tmp_path):
    np.save(tmp_path / "signs.npy", np.array([[0, -1, 1]]))
    codes = read_codes(tmp_path / "signs.npy", [0])
    assert codes.signs().tolist() == [[1, -1, 1]]


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"])
def test_class_labels_of_every_number_type_are_read(tmp_path, signs, labels, kind):
    reference = Codes.from_signs(signs, labels)
    assert np.array_equal(Codes.from_signs(signs, labels.astype(kind)).labels, reference.labels)
    for name, save in (("npz", np.savez), ("mat", lambda path, **arrays: savemat(path, arrays))):
        path = tmp_path / f"all.{name}"
        save(path, codes=signs, labels=labels.astype(kind))
        query, database = read_pair(path, path)
        assert np.array_equal(query.labels, reference.labels)
        assert np.array_equal(database.labels, reference.labels)


def test_class_ids_far_apart_are_numbered_the_same_for_query_and_database(tmp_path, signs):
    ids = np.array([10**9, 5, 7 * 10**8, 10**9, -1] * 6)
    np.save(tmp_path / "c.npy", signs)
    np.save(tmp_path / "q.npy", signs[:3])
    query, database = read_pair(tmp_path / "q.npy", tmp_path / "c.npy", [10**9, 7 * 10**8, 123_456_789], ids)
    shared = query.labels.astype(int) @ database.labels.T.astype(int) > 0
    assert np.array_equal(shared, np.array([[10**9], [7 * 10**8], [123_456_789]]) == ids)
    assert database.num_classes == 3
    with pytest.raises(UsageError, match="number the classes"):
        Codes.from_signs(signs, ids)
    with pytest.raises(UsageError, match="no label"):
        read_pair(tmp_path / "q.npy", tmp_path / "c.npy", [10**9, 0, 1], np.where(ids == 5, -2, ids))


def test_a_single_query_with_a_row_of_labels_is_one_query(tmp_path, signs, labels):
    hot = np.eye(4)[labels]
    np.savez(tmp_path / "q.npz", codes=signs[:1], labels=hot[:1])
    savemat(tmp_path / "d.mat", {"codes": signs, "labels": labels[None]})  # a row: MATLAB has no vectors
    query, database = read_pair(tmp_path / "q.npz", tmp_path / "d.mat")
    assert np.array_equal(query.labels, hot[:1])
    assert np.array_equal(database.labels, hot)


def test_one_matlab_file_of_both_sides_and_mapped_names(tmp_path, signs, labels):
    hot = np.eye(4)[labels]
    savemat(tmp_path / "both.mat", {"qB": signs[:5], "qL": hot[:5], "rB": signs, "rL": hot})
    query, database = read_pair(tmp_path / "both.mat", tmp_path / "both.mat")
    assert (len(query), len(database)) == (5, 30)
    assert evaluate(query, database, "map") == evaluate(
        Codes.from_signs(signs[:5], hot[:5]), Codes.from_signs(signs, hot), "map"
    )
    np.savez(tmp_path / "odd.npz", H_te=signs[:5], G_te=hot[:5], H_tr=signs, G_tr=hot)
    names = {"query_codes": "H_te", "query_labels": "G_te", "database_codes": "H_tr", "database_labels": "G_tr"}
    pair = read_pair(tmp_path / "odd.npz", tmp_path / "odd.npz", names=names)
    assert [len(one) for one in pair] == [5, 30]
    with pytest.raises(UsageError, match=r"H_te .5, 12., H_tr .30, 12."):
        read_pair(tmp_path / "odd.npz", tmp_path / "odd.npz")
    with pytest.raises(UsageError, match="no array in odd"):
        read_pair(tmp_path / "odd.npz", tmp_path / "odd.npz", names={**names, "query_codes": "Hte"})
    with pytest.raises(UsageError, match="did you mean 'query_codes'"):
        read_pair(tmp_path / "odd.npz", tmp_path / "odd.npz", names={"query_code": "H_te"})


def test_one_file_of_ours_with_both_sides(tmp_path, make_codes):
    query, database = make_codes()
    save_codes(tmp_path / "codes.npz", {"query.image": query, "database.image": database})
    assert evaluate(*read_pair(tmp_path / "codes.npz", tmp_path / "codes.npz")) == evaluate(query, database)


def test_files_without_ids_cannot_leave_a_querys_own_item_out(tmp_path, signs, labels):
    np.savez(tmp_path / "d.npz", codes=signs, labels=labels, ids=np.arange(30)[:, None])
    np.savez(tmp_path / "q.npz", codes=signs, labels=labels)
    query, _ = read_pair(tmp_path / "d.npz", tmp_path / "d.npz", ids_needed=True)
    assert query.ids.tolist() == list(range(30))
    with pytest.raises(UsageError, match=r"q.npz has no ids"):
        read_pair(tmp_path / "q.npz", tmp_path / "d.npz", ids_needed=True)


@pytest.mark.parametrize("name", ["a.npz", "b.npz", "c.mat", "d.npy", "e.npz"])
def test_no_damage_is_a_traceback(tmp_path, signs, labels, make_codes, name):
    """Bytes flipped and cut anywhere, compressed files too: the same codes, or one sentence."""
    path = tmp_path / name
    if name == "a.npz":
        np.savez(path, codes=signs, labels=labels)
    elif name == "b.npz":
        np.savez_compressed(path, codes=signs, labels=labels)
    elif name == "c.mat":
        savemat(path, {"codes": signs, "labels": labels}, do_compression=True)
    elif name == "d.npy":
        np.save(path, signs)
    else:
        save_codes(path, {"query.image": make_codes(4, 30, 12)[0]})
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    survived = 0
    for _ in range(120):
        data = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            data[place] ^= int(rng.integers(1, 256))
        path.write_bytes(data[: int(rng.integers(1, len(whole)))] if rng.random() < 0.3 else data)
        try:
            read_codes(path, labels if name == "d.npy" else None)
            survived += 1
        except (UsageError, WorkError):
            continue
    assert survived < 120


def test_headers_that_promise_too_much_are_refused(tmp_path, signs, labels):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 64), }"
    blown = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + b"\0" * 64
    (tmp_path / "bomb.npy").write_bytes(blown)
    np.savez(tmp_path / "bomb.npz", codes=signs)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("codes.npy", blown)
        archive.writestr("labels.npy", blown)
    for name in ("bomb.npy", "bomb.npz"):
        with pytest.raises(WorkError, match="bomb"):
            read_codes(tmp_path / name, labels)


def test_text_labels_that_are_none(tmp_path, signs, monkeypatch):
    np.save(tmp_path / "codes.npy", signs)
    labels = tmp_path / "labels.txt"
    for text, message in (("cat\ndog\n", "cannot be read as numbers"), ("", "30 codes and 0 labels")):
        labels.write_text(text, encoding="utf-8")
        with pytest.raises((UsageError, WorkError), match=message):
            read_codes(tmp_path / "codes.npy", labels)
    with pytest.raises(UsageError, match="no file"):
        read_codes(tmp_path / "codes.npy", tmp_path / "none.txt")
    monkeypatch.setattr("hashzoo.evaluation.arrays_in._LARGEST_TEXT", 3)
    labels.write_text("0\n1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="of text; save the labels"):
        read_codes(tmp_path / "codes.npy", labels)


@pytest.mark.parametrize("value", [1e300, -(2**63), 2**64 - 1, np.nan, 0.5])
def test_class_labels_that_are_no_whole_numbers_are_a_sentence(signs, value):
    given = np.full(30, value, dtype=np.uint64 if value == 2**64 - 1 else np.float64)
    with pytest.raises(UsageError, match="whole numbers"):
        Codes.from_signs(signs, given)
