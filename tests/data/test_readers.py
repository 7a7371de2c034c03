"""One reader of arrays: what is in a file comes back, and whatever is wrong with it is one sentence."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from hashzoo.data import open_arrays, read_arrays, regular_file, row_numbers
from hashzoo.data.labels import multi_hot
from hashzoo.errors import HashzooError, UsageError, WorkError

X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)


def mat73(path: Path, **arrays: np.ndarray) -> Path:
    """Write arrays as MATLAB -v7.3 does: HDF5 behind 512 bytes, axes reversed."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
    head = b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + struct.pack("<H", 0x0200) + b"IM"
    with path.open("r+b") as file:
        file.write(head)
    return path


def test_every_format_gives_the_same_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, Y=Y)
    np.savez_compressed(tmp_path / "b.npz", X=X, Y=Y)
    scipy.io.savemat(tmp_path / "c.mat", {"X": X, "Y": Y, "S": scipy.sparse.csc_matrix(X)})
    for name in ("a.npz", "b.npz", "c.mat"):
        arrays = read_arrays(tmp_path / name)
        np.testing.assert_array_equal(arrays["X"], X)
        np.testing.assert_array_equal(arrays["Y"].ravel(), Y)
    np.testing.assert_array_equal(arrays["S"], X)
    np.save(tmp_path / "d.npy", X)
    np.testing.assert_array_equal(read_arrays(tmp_path / "d.npy")[""], X)
    assert isinstance(read_arrays(tmp_path / "d.npy", mmap=True)[""], np.memmap)


def test_a_cell_of_texts_is_an_array_of_text(tmp_path: Path) -> None:
    names, mixed = np.empty((3, 1), dtype=object), np.empty((2, 1), dtype=object)
    names[:, 0] = ["a1", "", "\u00e9"]
    mixed[:, 0] = ["a1", np.arange(2.0)]
    scipy.io.savemat(tmp_path / "cells.mat", {"ids": names, "mixed": mixed, "X": X[:3], "L": Y[:3]})
    arrays = read_arrays(tmp_path / "cells.mat")
    assert arrays["ids"].dtype.kind == "U"
    assert arrays["ids"].tolist() == [["a1"], [""], ["\u00e9"]]
    assert arrays["mixed"].dtype == object


def test_rows_are_read_on_demand_in_matlabs_orientation(tmp_path: Path) -> None:
    images = np.arange(8 * 7 * 3 * 6).reshape(8, 7, 3, 6).astype(np.uint16)
    path = mat73(tmp_path / "all.mat", IAll=images, LAll=X)
    with open_arrays(path) as content:
        assert content["IAll"].shape == (8, 7, 3, 6)
        np.testing.assert_array_equal(content["IAll"].part(2, 4, axis=3), images[..., 2:4])
        np.testing.assert_array_equal(content["LAll"].part(1, 3), X[1:3])
        np.testing.assert_array_equal(content["IAll"].read(), images)
    np.save(tmp_path / "d.npy", X)
    with open_arrays(tmp_path / "d.npy") as content:
        np.testing.assert_array_equal(content[""].part(2, 5), X[2:5])


def test_texts_of_matlab_73_and_plain_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["X"] = X
        file["names"] = np.array(["im1.jpg", "im2.jpg"], dtype=h5py.string_dtype())
        file["far"] = h5py.ExternalLink("/etc/passwd", "x")
    arrays = read_arrays(tmp_path / "plain.h5")
    np.testing.assert_array_equal(arrays["X"], X)
    assert arrays["names"].tolist() == ["im1.jpg", "im2.jpg"]
    assert "far" not in arrays, "other files are not opened"
    with h5py.File(tmp_path / "cell.h5", "w") as file:
        cells = []
        for n, text in enumerate(("im1.jpg", "im22.jpg")):
            cell = file.create_dataset(f"#refs#/{n}", data=np.array([[ord(c)] for c in text], dtype=np.uint16))
            cells.append([cell.ref])
        file.create_dataset("FAll", data=np.array(cells, dtype=h5py.ref_dtype)).attrs["MATLAB_class"] = b"cell"
    assert read_arrays(tmp_path / "cell.h5")["FAll"].tolist() == ["im1.jpg", "im22.jpg"]


def test_a_cell_of_matlab_73_is_text_where_matlab_says_so(tmp_path: Path) -> None:
    """MATLAB keeps characters as uint16, and numbers of that type too; an empty place holds its sizes, (0, 0)."""
    h5py = pytest.importorskip("h5py")

    def saved(*places: tuple[bytes, list]) -> dict[str, np.ndarray]:
        with h5py.File(tmp_path / "cell.h5", "w") as file:
            refs = []
            for n, (kind, values) in enumerate(places):
                cell = file.create_dataset(f"#refs#/{n}", data=np.array(values, dtype=np.uint16))
                cell.attrs["MATLAB_class"] = kind
                refs.append([cell.ref])
            file.create_dataset("C", data=np.array(refs, dtype=h5py.ref_dtype)).attrs["MATLAB_class"] = b"cell"
            file["X"] = X
        return read_arrays(tmp_path / "cell.h5")

    text = (b"char", [[ord(c)] for c in "a.jpg"])
    assert saved(text, (b"char", [0, 0]), (b"double", [0, 0]))["C"].tolist() == ["a.jpg", "", ""]
    for other in ((b"uint16", [[97], [98]]), (b"uint16", [[7]])):
        assert set(saved(text, other)) == {"X"}, "a cell of numbers is no array of text"


@pytest.mark.parametrize("kind", ["npz", "compressed", "npy", "mat", "mat-compressed", "mat73"])
def test_no_damage_is_a_traceback(tmp_path: Path, kind: str) -> None:
    """Every file is cut and changed at many places; reading it gives arrays or one WorkError."""
    path = tmp_path / f"whole.{ {'npz': 'npz', 'compressed': 'npz', 'npy': 'npy'}.get(kind, 'mat') }"
    if kind == "npy":
        np.save(path, X)
    elif kind in ("npz", "compressed"):
        (np.savez if kind == "npz" else np.savez_compressed)(path, X=X, Y=Y)
    elif kind == "mat73":
        mat73(path, X=X)
    else:
        scipy.io.savemat(path, {"X": X, "Y": Y}, do_compression=kind != "mat")
    whole = path.read_bytes()
    draw = np.random.default_rng(0)
    broken = path.with_name(f"broken{path.suffix}")
    refused: list[str] = []
    for trial in range(120):
        if trial < 40:
            damaged = whole[: len(whole) * trial // 40]
        else:
            changed = bytearray(whole)
            for place in draw.integers(0, len(whole), 1 + trial % 4):
                changed[place] ^= 1 << int(draw.integers(8))
            damaged = bytes(changed)
        broken.write_bytes(damaged)
        try:
            read_arrays(broken)
        except WorkError as error:
            refused.append(str(error))
    assert len(refused) >= 40
    assert all(str(broken) in message and "\n" not in message for message in refused)


def test_matlab_files_are_read_as_scipy_reads_them(tmp_path: Path) -> None:
    names = np.empty((3, 1), dtype=object)
    names[:, 0] = ["im1.jpg", "im22.jpg", "\u00e9"]
    content = {
        "X": X, "empty": np.zeros((0, 3)), "b": np.eye(3, dtype=bool), "z": X[:2] + 1j, "cube": X.reshape(2, 3, 4),
        "text": np.array(["abc", "de"]), "names": names, "S": scipy.sparse.csc_matrix(X), "i": np.int64(-5),
        "a_rather_long_name_of_a_variable": Y,
    }  # fmt: skip
    for packed in (False, True):
        scipy.io.savemat(tmp_path / "c.mat", {**content, "other": {"a": 1}}, do_compression=packed)
        theirs, ours = scipy.io.loadmat(tmp_path / "c.mat"), read_arrays(tmp_path / "c.mat")
        assert set(ours) == set(content), "structures are left out"
        np.testing.assert_array_equal(ours.pop("S"), theirs["S"].toarray())
        assert [str(v.ravel()[0]) for v in ours.pop("names").ravel()] == ["im1.jpg", "im22.jpg", "\u00e9"]
        assert [v.strip() for v in ours.pop("text")] == ["abc", "de"]
        for name, array in ours.items():
            assert array.shape == theirs[name].shape, name
            np.testing.assert_array_equal(array, theirs[name])
    scipy.io.savemat(tmp_path / "v4.mat", {"X": X}, format="4")
    np.testing.assert_array_equal(read_arrays(tmp_path / "v4.mat")["X"], X)


def test_headers_that_lie_do_not_take_the_memory(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**4)})
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("X.npy", stream.getvalue())
    (tmp_path / "huge.npy").write_bytes(stream.getvalue())
    nested = b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 8999 + b"\n"
    (tmp_path / "nested.npy").write_bytes(nested)
    for name in ("huge.npz", "huge.npy", "nested.npy"):
        with pytest.raises(WorkError, match=name):
            read_arrays(tmp_path / name)


def test_objects_are_refused_and_nothing_is_run(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/ran",)

    np.save(tmp_path / "o.npy", np.array([Runs()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", X=np.array([Runs()], dtype=object))
    for name in ("o.npy", "o.npz"):
        with pytest.raises(WorkError):
            read_arrays(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_what_is_no_file_is_told_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "folder.npz").mkdir()
    for path, words in (
        (tmp_path / "pipe.npz", "is a pipe"),
        (tmp_path / "folder.npz", "is a folder"),
        (tmp_path / "gone.npz", "There is no file"),
        (tmp_path / "a.csv", r"reads .npz and .mat"),
        (2024, "must be a path, got the int 2024"),
        ("~nobody-here/a.npz", "there is no such user"),
        ("", "must be a path"),
    ):
        with pytest.raises(UsageError, match=words):
            read_arrays(path)  # type: ignore[arg-type] # a user's option can be of any type
    with pytest.raises(UsageError):
        regular_file(tmp_path / "pipe.npz")


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"])
def test_class_numbers_of_every_type(dtype: str) -> None:
    labels, names = multi_hot([np.array([3, 9, 3], dtype=dtype)])
    assert labels.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert names == ("3", "9")


def test_labels_that_are_large_wide_or_wrong() -> None:
    labels, _ = multi_hot([np.array([10**9, 5, -1, 10**9])])
    assert labels.tolist() == [[0, 1], [1, 0], [0, 0], [0, 1]], "large numbers take no memory, -1 is none"
    one_query, _ = multi_hot([np.array([[0, 1, 0]]), np.eye(3)], rows=[1, 3])
    assert one_query.shape == (4, 3), "one item with a 0/1 row is no column"
    sparse, _ = multi_hot([scipy.sparse.csr_matrix(np.eye(3))])
    np.testing.assert_array_equal(sparse, np.eye(3))
    for bad, words in (
        (np.array([0, -1130179, 1]), "-1130179"),
        (np.array([[0, 1], [1, -1130179]]), "other than 0 and 1"),
        (np.array([0.5, 1]), "fractions"),
        (np.array([1 + 2j]), "type complex"),
        (np.array([2**64 - 1], dtype=np.uint64), "no class number"),
    ):
        with pytest.raises(UsageError, match=words):
            multi_hot([bad])


def test_row_numbers_counted_from_the_wrong_end_are_refused() -> None:
    assert row_numbers([0, 2], 3, "rows").tolist() == [0, 2]
    assert row_numbers([1, 3], 3, "rows", first=1).tolist() == [0, 2]
    with pytest.raises(UsageError, match="counted from 1, so say first=1"):
        row_numbers([1, 2, 3], 3, "rows")
    with pytest.raises(UsageError, match="counted from 0, so say first=0"):
        row_numbers([0, 1, 2], 3, "rows", first=1)
    with pytest.raises(HashzooError, match="no row numbers"):
        row_numbers([0.5], 3, "rows")
