"""Arrays from the files of any tool, `.npz`, `.npy`, `.mat` (7.3 too) and HDF5; nothing in a file is ever run.

`read_arrays` reads all of a file. `open_arrays` says what is in it and reads single arrays or rows of them, which is
what bundles larger than memory need.
"""

from __future__ import annotations

import importlib
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.data.mat5 import Variable, is_mat5, read_variable, variables
from hashzoo.data.roots import expanded, regular_file
from hashzoo.errors import HashzooError, UsageError, WorkError

ENDINGS = (".npz", ".npy", ".mat", ".h5", ".hdf5")
_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_arrays(path: str | os.PathLike[str], *, mmap: bool = False) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name; the one of an `.npy` is named "".

    Arrays of MATLAB files, the HDF5 ones (-v7.3) too, are in MATLAB's orientation, sparse ones are made dense, texts
    and cells of texts are arrays of text. `mmap`: an `.npy` is mapped and not read.

    Raises UsageError where there is no such file, where it is a folder, a pipe or of another ending, and where an
    HDF5 file needs h5py; WorkError, in one sentence, for any kind of damage, object arrays and arrays larger than the
    memory of this machine.
    """
    file = array_file(path)
    if file.suffix.lower() == ".npy" and mmap:
        with _damage(file, "an .npy file of a plain array", "numpy.save"):
            return {"": np.load(file, mmap_mode="r", allow_pickle=False)}
    with open_arrays(file) as content:
        return {name: array.read() for name, array in content.items()}


@dataclass(frozen=True)
class StoredArray:
    """An array in a file: its shape and type, known without reading it.

    `read()` gives all of it; `part(start, stop, axis)` rows start..stop of one axis, which reads no more than these
    from HDF5 and memory-mapped files.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    _part: Callable[[int | None, int | None, int], np.ndarray]

    def read(self) -> np.ndarray:
        """Return the whole array."""
        return self._part(None, None, 0)

    def part(self, start: int, stop: int, axis: int = 0) -> np.ndarray:
        """Return the slice start:stop along `axis`."""
        return self._part(start, stop, axis)


@contextmanager
def open_arrays(path: str | os.PathLike[str]) -> Iterator[Mapping[str, StoredArray]]:
    """Give the arrays of a file by name, read when they are asked for; errors are those of `read_arrays`."""
    file = array_file(path)
    ending = file.suffix.lower()
    if ending == ".npy":
        with _damage(file, "an .npy file of a plain array", "numpy.save"):
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        yield {"": _held("", array, file)}
    elif ending == ".npz":
        with _damage(file, "an .npz of plain arrays", "numpy.savez, without object arrays"):
            archive = zipfile.ZipFile(file)
            content = _npz_content(archive, file)
        with archive:
            yield content
    elif (offset := _hdf5_offset(file)) is not None:
        with _opened_hdf5(file) as content:
            yield _hdf5_content(content, file, matlab=offset > 0)
    elif ending == ".mat":
        with _damage(file, "a MATLAB file", "MATLAB"):
            found = _mat_content(file)
        yield found
    else:
        raise WorkError(f"{file} is not an HDF5 file, whatever its name says; save or fetch it again.")


def array_file(path: Any) -> Path:
    """Return the path of a file that can be read here, or raise UsageError."""
    file = expanded(path, "The file of arrays")
    if file.suffix.lower() not in ENDINGS and not file.is_dir():
        raise UsageError(
            f"{file} ends in {file.suffix or 'nothing'}; hashzoo reads .npz and .mat files, and .npy, .h5 and .hdf5."
        )
    return regular_file(file)


@contextmanager
def _damage(file: Path, kind: str, again: str) -> Iterator[None]:
    """Turn whatever a reader raises on a damaged file into one sentence."""
    try:
        yield
    except HashzooError:
        raise
    except PermissionError as error:
        raise WorkError(f"{file} may not be read ({error.strerror}); change its permissions.") from error
    except Exception as error:  # numpy, zipfile, zlib and scipy raise dozens of kinds for damaged files
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise WorkError(
            f"{file} cannot be read as {kind} ({reason}); save it again with {again}, or fetch it again."
        ) from error


def _require_memory(file: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    needed = math.prod(shape) * dtype.itemsize
    room = _memory()
    if needed > room:
        raise WorkError(
            f"{file} says that its array {name!r} has shape {shape}, {needed:,} bytes, more than the memory of this "
            f"machine ({room:,}); it is damaged, or has to be cut into parts."
        )


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2**63  # not told on this system: let the allocation decide


def _held(name: str, array: np.ndarray, file: Path) -> StoredArray:
    def part(start: int | None, stop: int | None, axis: int) -> np.ndarray:
        if start is None:
            _require_memory(file, name, array.shape, array.dtype)
        return np.array(array[(slice(None),) * axis + (slice(start, stop),)]) if array.ndim else np.array(array)

    return StoredArray(name, array.shape, array.dtype, part)


def _npz_content(archive: zipfile.ZipFile, file: Path) -> dict[str, StoredArray]:
    """Return the members of an `.npz`, whose headers are read now and checked against their sizes."""
    content: dict[str, StoredArray] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"array {name!r} is of the .npy version {version}")
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(member)
            if dtype.hasobject:
                raise ValueError(f"array {name!r} holds Python objects")
            if math.prod(shape) * dtype.itemsize != info.file_size - member.tell():
                raise ValueError(f"array {name!r} is not as long as its header says")

        def part(
            start: int | None, stop: int | None, axis: int, info: zipfile.ZipInfo = info, name: str = name
        ) -> np.ndarray:
            with _damage(file, "an .npz of plain arrays", "numpy.savez, without object arrays"):
                _require_memory(file, name, content[name].shape, content[name].dtype)
                with archive.open(info) as member:
                    array: np.ndarray = np.lib.format.read_array(member, allow_pickle=False)
                    if member.read(1):
                        raise ValueError(f"array {name!r} is longer than its header says")
                return array if start is None else array[(slice(None),) * axis + (slice(start, stop),)]

        content[name] = StoredArray(name, shape, dtype, part)
    return content


def _mat_content(file: Path) -> dict[str, StoredArray]:
    """Return the variables of a classic MATLAB file; those of version 4 are read whole by scipy."""
    if not is_mat5(file):
        import scipy.io

        version, _ = scipy.io.matlab.matfile_version(file)
        if version != 0:
            raise ValueError("it does not begin as a MATLAB file")
        arrays = scipy.io.loadmat(file)
        dense = {name: value.toarray() if hasattr(value, "toarray") else value for name, value in arrays.items()}
        return {name: _held(name, value, file) for name, value in dense.items() if isinstance(value, np.ndarray)}
    return {variable.name: _mat_array(file, variable) for variable in variables(file)}


def _mat_array(file: Path, variable: Variable) -> StoredArray:
    def part(start: int | None, stop: int | None, axis: int) -> np.ndarray:
        with _damage(file, "a MATLAB file", "MATLAB"):
            _require_memory(file, variable.name, variable.shape, np.dtype("u1"))
            array = read_variable(file, variable)
            return array if start is None else array[(slice(None),) * axis + (slice(start, stop),)]

    return StoredArray(variable.name, variable.shape, variable.dtype, part)


# HDF5
# ----------------------------------------------------------------------------------------------------------


def _hdf5_offset(file: Path) -> int | None:
    """Return where HDF5 begins in a file: 0, after MATLAB's header of 512 bytes, or None where it does not."""
    with _damage(file, "a file of arrays", "the tool that wrote it"), file.open("rb") as stream:
        head = stream.read(512 + len(_HDF5))
    return next((at for at in (0, 512) if head[at : at + len(_HDF5)] == _HDF5), None)


@contextmanager
def _opened_hdf5(file: Path) -> Iterator[Any]:
    try:
        h5py = importlib.import_module("h5py")  # optional, and not a dependency
    except ImportError as error:
        raise UsageError(
            f"{file} is a MATLAB 7.3 or HDF5 file, which needs h5py: run `pip install h5py`, or save it with -v7."
        ) from error
    with _damage(file, "a MATLAB 7.3 or HDF5 file", "MATLAB"):
        opened = h5py.File(file, "r")
    with opened:
        yield opened


def _hdf5_content(opened: Any, file: Path, *, matlab: bool) -> dict[str, StoredArray]:
    """Return the arrays of an HDF5 file; those that MATLAB wrote have their axes reversed back."""
    content: dict[str, StoredArray] = {}
    with _damage(file, "a MATLAB 7.3 or HDF5 file", "MATLAB"):
        for name in opened:
            # An external link names another file; only what is in this one is read.
            if name.startswith("#") or type(opened.get(name, getlink=True)).__name__ == "ExternalLink":
                continue
            item = opened.get(name)
            if item is None or not hasattr(item, "dtype") or getattr(item, "external", None) or item.is_virtual:
                continue
            kind = _matlab_class(item)
            if kind in ("char", "cell") or item.dtype.kind not in "biuf":
                array = _hdf5_texts(opened, item, kind)
                if array is not None:
                    content[name] = _held(name, array, file)
            elif item.ndim:
                content[name] = _hdf5_array(name, item, file, matlab=matlab or bool(kind))
    return content


def _hdf5_array(name: str, item: Any, file: Path, *, matlab: bool) -> StoredArray:
    shape = tuple(item.shape[::-1] if matlab else item.shape)

    def part(start: int | None, stop: int | None, axis: int) -> np.ndarray:
        with _damage(file, "a MATLAB 7.3 or HDF5 file", "MATLAB"):
            if start is None:
                _require_memory(file, name, shape, item.dtype)
                stored = item[()]
            else:
                at = item.ndim - 1 - axis if matlab else axis
                stored = item[(slice(None),) * at + (slice(start, stop),)]
            return np.asarray(stored.T if matlab else stored)

    return StoredArray(name, shape, np.dtype(item.dtype), part)


def _hdf5_texts(opened: Any, item: Any, kind: str) -> np.ndarray | None:
    """Return a char array or a cell of texts as an array of text, a plain HDF5 text array too; None for the rest."""
    if kind == "char":
        return _lines(item[()])
    if kind == "cell":
        cells = [_cell_text(opened[reference]) for reference in np.asarray(item[()]).T.ravel()]
        return None if None in cells else np.asarray(cells)
    if item.dtype.kind in "OS":
        values = np.asarray(item[()]).ravel()
        if all(isinstance(value, (bytes, str)) for value in values):
            return np.asarray([v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values])
    return None


def _cell_text(cell: Any) -> str | None:
    """Return the text that one place of a MATLAB cell holds, "" where it is empty; None where it holds no text."""
    if not hasattr(cell, "dtype") or cell.dtype.kind not in "ui":
        return None
    if cell.ndim < 2:  # the sizes of an empty one
        return ""
    return "".join(map(chr, cell[()].ravel())) if _matlab_class(cell) in ("char", "") else None


def _matlab_class(item: Any) -> str:
    """Return what MATLAB says that an array is: "char", "cell", "uint16"; "" where another tool wrote it."""
    kind = item.attrs.get("MATLAB_class", b"")
    return kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)


def _lines(stored: np.ndarray) -> np.ndarray:
    """Return the rows of a MATLAB char matrix, which HDF5 holds transposed, as texts without their padding."""
    rows = np.atleast_2d(stored).T
    return np.asarray(["".join(map(chr, row)).rstrip(" \0") for row in rows])
