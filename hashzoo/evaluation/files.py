"""Codes and labels from the files of any tool: `.npz`, `.npy`, `.mat`; packed bits, -1/+1, 0/1 or real values."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import Codes, load_codes

CODE_NAMES = ("packed", "codes", "code", "relaxed", "outputs", "embeddings", "features", "hash", "B", "H")
LABEL_NAMES = ("labels", "label", "targets", "target", "L", "y")
ID_NAMES = ("ids", "id")
ENDINGS = (".npz", ".npy", ".mat", ".txt")

_ROWS = 1 << 14

PathLike = str | os.PathLike[str]
Labels = PathLike | ArrayLike


def read_codes(
    path: PathLike,
    labels: Labels | None = None,
    bits: int | None = None,
    *,
    num_classes: int | None = None,
) -> Codes:
    """Read codes with their labels.

    path: hashzoo's own `.npz` ("file.npz:query.image" names one of several sets in it), or `.npz`, `.npy` or `.mat`
    of another tool, in which the arrays are found by name (CODE_NAMES, LABEL_NAMES, ID_NAMES), or as the only one.
    The array (n, K) may hold -1/+1, 0/1 or real values (bit = value >= 0); uint8 that is not 0/1 is packed bits
    (n, ceil(K/8)) in little bit order as FAISS has them, 8 bits a byte unless `bits` says fewer.
    labels: a file or array of class indices (n,), -1 for none, or multi-hot (n, C), where the codes' file has none.
    Raises UsageError for what does not fit together, WorkError for a damaged file.
    """
    return _codes(path, _part(path, labels), bits, num_classes)


def read_pair(
    query: PathLike,
    database: PathLike,
    query_labels: Labels | None = None,
    database_labels: Labels | None = None,
    bits: int | None = None,
) -> tuple[Codes, Codes]:
    """Read query and database as `read_codes` does; class indices of both count as one set of classes."""
    parts = [_part(query, query_labels), _part(database, database_labels)]
    found = [part["labels"] for part in parts if isinstance(part, dict)]
    indices = [one for one in found if one.ndim == 1 and one.dtype.kind in "iuf" and len(one)]
    classes = None
    if len(indices) == 2:
        classes = max(1, int(max(one.max() for one in indices)) + 1)
    elif len(indices) == 1:
        others = [one.shape[1] for one in found if one.ndim == 2]
        others += [part.num_classes for part in parts if isinstance(part, Codes)]
        classes = others[0] if others else None
    return _codes(query, parts[0], bits, classes), _codes(database, parts[1], bits, classes)


def _part(path: PathLike, labels: Labels | None) -> Codes | dict[str, Any]:
    """Return one of hashzoo's own sets, or {"codes", "labels", "ids"} as arrays."""
    file, _, part = _split(path)
    if file.suffix.lower() == ".npz" and file.is_file() and _is_ours(file):
        codes = _choose(file, load_codes(file), part)
        if labels is None:
            return codes
        return {"codes": codes, "labels": _read_labels(labels), "ids": codes.ids}
    arrays = _read_arrays(file)
    given = _named(arrays, LABEL_NAMES) if labels is None else _read_labels(labels)
    if given is None:
        raise UsageError(
            f"{file} has no labels (an array named {' or '.join(LABEL_NAMES[:2])}); give them in a file of their own."
        )
    return {"codes": _code_array(file, arrays), "labels": _as_labels(given), "ids": _named(arrays, ID_NAMES)}


def _codes(path: PathLike, part: Codes | dict[str, Any], bits: int | None, classes: int | None) -> Codes:
    try:
        if isinstance(part, Codes):
            codes = part
        elif isinstance(part["codes"], Codes):
            own = part["codes"]
            codes = Codes.from_packed(own.packed, own.bits, part["labels"], own.ids, num_classes=classes)
        else:
            codes = codes_from_array(part["codes"], part["labels"], part["ids"], bits, num_classes=classes)
        if bits is not None and codes.bits != bits:
            raise UsageError(f"The codes have {codes.bits} bits, {bits} were asked for.")
        if len(codes) == 0:
            raise UsageError("The set of codes is empty; give at least one item.")
    except UsageError as error:
        raise UsageError(f"{os.fspath(path)}: {error}") from error
    return codes


def codes_from_array(
    array: ArrayLike,
    labels: ArrayLike,
    ids: ArrayLike | None = None,
    bits: int | None = None,
    *,
    num_classes: int | None = None,
) -> Codes:
    """Return codes from an array in whichever of the usual forms it is; see `read_codes`.

    >>> codes_from_array(np.array([[3], [255]], dtype=np.uint8), [0, 1], bits=6)
    Traceback (most recent call last):
    hashzoo.errors.UsageError: Packed codes have bits set beyond bit 6; pad with zeros.
    """
    values = np.asanyarray(array)  # a memory-mapped one stays so
    if values.ndim != 2:
        raise UsageError(f"Codes must be an array with one row per item; it has the shape {values.shape}.")
    if values.dtype.kind not in "fiub":
        raise UsageError(f"Codes must be numbers, not {values.dtype}.")
    plain = _only(values, (0, 1))
    if values.dtype == np.uint8 and not (plain and bits in (None, values.shape[1])):
        return Codes.from_packed(values, bits or 8 * values.shape[1], labels, ids, num_classes=num_classes)
    if plain or _only(values, (-1, 1)):
        return Codes.from_signs(values, labels, ids, num_classes=num_classes)
    return Codes.from_relaxed(values, labels, ids, keep_relaxed=True, num_classes=num_classes)


def _only(values: NDArray[Any], allowed: tuple[int, int]) -> bool:
    """Return whether an array, possibly larger than memory, holds no other values."""
    return all(np.isin(values[i : i + _ROWS], allowed).all() for i in range(0, len(values), _ROWS))


def _split(path: PathLike) -> tuple[Path, str, str]:
    """Split "file.npz:part"; a file whose own name has a colon is taken as it is."""
    text = os.fspath(path)
    head, colon, part = text.rpartition(":")
    if colon and not Path(text).exists() and Path(head).suffix:
        return Path(head), colon, part
    return Path(text), "", ""


def _is_ours(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as stored:
            return any(name.endswith("/packed.npy") for name in stored.namelist())
    except zipfile.BadZipFile as error:
        raise WorkError(f"{file} is damaged or not an .npz file ({error}); write it again.") from error


def _choose(file: Path, sets: Mapping[str, Codes], part: str) -> Codes:
    if part in sets:
        return sets[part]
    if not part and len(sets) == 1:
        return next(iter(sets.values()))
    wrong = f"has no set {part!r}" if part else "holds several sets of codes"
    raise UsageError(f"{file} {wrong}; name one as {file.name}:<set>, of: {', '.join(sorted(sets))}.")


def _read_labels(labels: Labels) -> NDArray[Any]:
    if not isinstance(labels, (str, os.PathLike)):
        return _as_labels(np.asarray(labels))
    file = Path(labels)
    arrays = _read_arrays(file)
    named = _named(arrays, LABEL_NAMES)
    if named is None and len(arrays) == 1:
        named = next(iter(arrays.values()))
    if named is None:
        raise UsageError(f"{file} holds {', '.join(sorted(arrays)) or 'nothing'}; name the labels 'labels'.")
    return _as_labels(named)


def _as_labels(array: NDArray[Any]) -> NDArray[Any]:
    """Return labels as given, a single row or column as class indices (MATLAB has no vectors)."""
    if array.ndim == 2 and 1 in array.shape:
        return array.ravel()
    return array


def _read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"{file} is none of the files that can be read: {', '.join(ENDINGS)}.")
    if not file.is_file():
        raise UsageError(f"There is no file {file}.")
    try:
        if ending == ".npy":
            return {"": np.load(file, allow_pickle=False, mmap_mode="r")}
        if ending == ".txt":
            return {"": np.loadtxt(file, ndmin=1)}
        if ending == ".mat":
            return _read_mat(file)
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise WorkError(
            f"{file} cannot be read ({error}); it is damaged or of another kind, write it again."
        ) from error


def _read_mat(file: Path) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        stored = loadmat(file)
    except NotImplementedError as error:
        raise UsageError(f"{file} is a MATLAB 7.3 file; save it with '-v7', or as .npz.") from error
    except MatReadError as error:
        raise ValueError(str(error)) from error
    arrays = {name: value for name, value in stored.items() if not name.startswith("__")}
    return {name: value.toarray() if hasattr(value, "toarray") else value for name, value in arrays.items()}


def _named(arrays: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> NDArray[Any] | None:
    for name in names:
        if name in arrays:
            return arrays[name]
    return None


def _code_array(file: Path, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    found = _named(arrays, CODE_NAMES)
    if found is not None:
        return found
    others = {name: a for name, a in arrays.items() if name not in (*LABEL_NAMES, *ID_NAMES) and a.ndim == 2}
    if len(others) == 1:
        return next(iter(others.values()))
    listed = ", ".join(f"{name} {array.shape}" for name, array in sorted(arrays.items())) or "nothing"
    raise UsageError(f"{file} holds {listed}; name the codes' array 'codes' and the labels' 'labels'.")
