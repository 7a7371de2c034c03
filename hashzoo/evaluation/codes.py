"""Binary codes with their labels: packed bits, the one place that binarises, and the file they are kept in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashzoo.data.readers import read_arrays
from hashzoo.errors import UsageError, WorkError
from hashzoo.files import replacing

_FIELDS = ("bits", "classes", "packed", "labels", "ids")

LARGEST_LABELS = 1 << 32
"""Bytes that the multi-hot labels made of class indices may take."""


@dataclass(frozen=True, eq=False)
class Codes:
    """n binary codes of K bits with their labels.

    packed: (n, ceil(K/8)) uint8, little bit order (bit k of a code is bit k%8 of byte k//8), padded with
    zeros. bits: K. labels: (n, C) multi-hot uint8 or bool; a row of zeros is an unlabelled item, relevant
    to nothing. ids: (n,) integers or strings. relaxed: (n, K) or (n, D) float32, the real-valued outputs
    (float64 where they were given in double precision and float32 would round them), or None. Any of the arrays may
    be memory-mapped; all are held as read-only views. Build it with `from_relaxed`, `from_signs` or `from_packed`.
    """

    packed: NDArray[np.uint8]
    bits: int
    labels: NDArray[Any]
    ids: NDArray[Any]
    relaxed: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.bits < 1:
            raise UsageError(f"Codes have {self.bits} bits; at least 1 is needed.")
        if self.packed.dtype != np.uint8 or self.packed.ndim != 2:
            raise UsageError("Packed codes must be a uint8 array with one row per item.")
        width = (self.bits + 7) // 8
        if self.packed.shape[1] != width:
            raise UsageError(
                f"Packed codes of {self.bits} bits take {width} bytes an item, the array has "
                f"{self.packed.shape[1]}; give the true number of bits."
            )
        if self.bits % 8 and np.bitwise_or.reduce(self.packed[:, -1]) >> (self.bits % 8):
            raise UsageError(f"Packed codes have bits set beyond bit {self.bits}; pad with zeros.")
        for name, rows in (("labels", self.labels), ("ids", self.ids), ("relaxed", self.relaxed)):
            if rows is not None and len(rows) != len(self.packed):
                raise UsageError(f"There are {len(self.packed)} codes and {len(rows)} {name}; they must match.")
        if self.labels.ndim != 2:
            raise UsageError("Labels must be class indices (n,) or a multi-hot matrix (n, C).")
        for name in ("packed", "labels", "ids", "relaxed"):
            if getattr(self, name) is not None:
                view = getattr(self, name).view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def num_classes(self) -> int:
        """Number of label columns, C."""
        return int(self.labels.shape[1])

    @classmethod
    def from_relaxed(
        cls,
        array: ArrayLike,
        labels: ArrayLike,
        ids: ArrayLike | None = None,
        keep_relaxed: bool = False,
        *,
        num_classes: int | None = None,
    ) -> Codes:
        """Binarise real-valued outputs (n, K): bit = (value >= 0), so that sign(0) is +1.

        labels: class indices (n,), -1 for none, or multi-hot (n, C). ids: (n,), by default 0..n-1.
        Raises UsageError for NaN or infinite values and for arrays that do not match.

        >>> Codes.from_relaxed([[0.2, -1.0, 0.0]], labels=[3]).signs().tolist()
        [[1, -1, 1]]
        """
        values = np.asarray(array)
        if values.ndim != 2 or values.shape[1] == 0:
            raise UsageError(f"Outputs must have the shape (items, bits); they have {values.shape}.")
        if values.dtype.kind not in "fiub":
            raise UsageError(f"Outputs must be numbers, not {values.dtype}.")
        if values.dtype.itemsize > 8:
            with np.errstate(over="ignore"):  # beyond float64: infinite, and refused below
                values = values.astype(np.float64)
        bad = int(np.sum(~np.isfinite(values).all(axis=1)))
        if bad:
            raise UsageError(f"{bad} of {len(values)} items have NaN or infinite outputs; they have no code.")
        packed = np.packbits(values >= 0, axis=1, bitorder="little")
        relaxed = _kept(values) if keep_relaxed else None
        return cls(
            packed,
            int(values.shape[1]),
            as_multi_hot(labels, len(values), num_classes),
            _as_ids(ids, len(values)),
            relaxed,
        )

    @classmethod
    def from_signs(
        cls,
        signs: ArrayLike,
        labels: ArrayLike,
        ids: ArrayLike | None = None,
        *,
        num_classes: int | None = None,
    ) -> Codes:
        """Take codes (n, K) written as -1/+1 or as 0/1; anything else is a UsageError."""
        values = np.asarray(signs)
        if values.ndim != 2 or values.shape[1] == 0:
            raise UsageError(f"Codes must have the shape (items, bits); they have {values.shape}.")
        found = set(np.unique(values).tolist())
        if not (found <= {-1, 1} or found <= {0, 1}):
            raise UsageError("Codes must hold only -1 and +1, or only 0 and 1; use from_relaxed for real values.")
        packed = np.packbits(values > 0, axis=1, bitorder="little")
        return cls(
            packed,
            int(values.shape[1]),
            as_multi_hot(labels, len(values), num_classes),
            _as_ids(ids, len(values)),
        )

    @classmethod
    def from_packed(
        cls,
        packed: NDArray[np.uint8],
        bits: int,
        labels: ArrayLike,
        ids: ArrayLike | None = None,
        *,
        num_classes: int | None = None,
    ) -> Codes:
        """Take packed codes (n, ceil(K/8)) in little bit order without copying; memory-mapped arrays stay so."""
        return cls(packed, int(bits), as_multi_hot(labels, len(packed), num_classes), _as_ids(ids, len(packed)))

    def signs(self) -> NDArray[np.int8]:
        """Return the codes (n, K) as int8 in {-1, +1}."""
        bits = np.unpackbits(self.packed, axis=1, count=self.bits, bitorder="little").astype(np.int8)
        return bits * np.int8(2) - np.int8(1)

    def take(self, rows: NDArray[Any] | slice) -> Codes:
        """Return the items at `rows` (indices, mask or slice), in that order."""
        relaxed = None if self.relaxed is None else self.relaxed[rows]
        return Codes(self.packed[rows], self.bits, self.labels[rows], self.ids[rows], relaxed)


def _kept(values: NDArray[Any]) -> NDArray[Any]:
    """Return outputs in single precision, or in double where that would round them: distinct scores stay distinct."""
    if values.dtype != np.float32:
        with np.errstate(over="ignore"):  # beyond float32: infinite there, so kept in double
            single = values.astype(np.float32)
        values = single if np.array_equal(single, values) else values.astype(np.float64, copy=False)
    return np.ascontiguousarray(values)


def as_multi_hot(labels: ArrayLike, n: int, num_classes: int | None = None) -> NDArray[Any]:
    """Return labels (n, C) as multi-hot 0/1 from class indices (n,), -1 for none, or from a multi-hot matrix.

    >>> as_multi_hot([1, -1, 0], 3).tolist()
    [[0, 1], [0, 0], [1, 0]]
    """
    given = np.asanyarray(labels)
    if len(given.shape) == 0 or given.shape[0] != n:
        raise UsageError(f"There are {n} codes and {given.shape[0] if given.shape else 0} labels; they must match.")
    if given.ndim == 2:
        return _checked_multi_hot(given, num_classes)
    if given.ndim != 1:
        raise UsageError("Labels must be class indices (n,) or a multi-hot matrix (n, C).")
    given = class_indices(given)
    top = int(given.max(initial=-1)) + 1
    if given.min(initial=0) < -1 or (num_classes is not None and top > num_classes):
        raise UsageError(
            f"Class indices run from {int(given.min())} to {top - 1}; "
            f"they must lie in -1 (no label) to {(num_classes or top) - 1}."
        )
    classes = max(top, 1) if num_classes is None else num_classes
    if n * classes > LARGEST_LABELS:
        raise UsageError(
            f"Class indices up to {classes - 1} would make a label matrix of {n} x {classes} bytes; number the classes "
            "from 0 without gaps, the same for queries and database, or give multi-hot labels."
        )
    hot = np.zeros((n, classes), dtype=np.uint8)
    labelled = np.flatnonzero(given >= 0)
    hot[labelled, given[labelled]] = 1
    return hot


def class_indices(given: NDArray[Any]) -> NDArray[np.int64]:
    """Return class indices (n,) of any whole-number type as int64; anything else is a UsageError."""
    kind, largest = given.dtype.kind, 2**53 if given.dtype.kind == "f" else 2**63 - 1
    whole = kind in "iu" or (kind == "f" and bool(np.isfinite(given).all()) and np.array_equal(given, np.floor(given)))
    if not whole or (len(given) and max(abs(int(given.max())), abs(int(given.min()))) > largest):
        raise UsageError("Class indices must be whole numbers, -1 for an item without a label.")
    return given.astype(np.int64)


def _checked_multi_hot(given: NDArray[Any], num_classes: int | None) -> NDArray[Any]:
    if num_classes is not None and given.shape[1] != num_classes:
        raise UsageError(f"Labels have {given.shape[1]} columns, {num_classes} classes were expected.")
    if given.dtype == np.bool_:
        return given
    if isinstance(given, np.memmap) and given.dtype == np.uint8:
        return given  # not read through here; any value but 0 counts as 1
    if given.dtype.kind not in "fiu" or not np.isin(given, (0, 1)).all():
        raise UsageError("Multi-hot labels must hold only 0 and 1.")
    return given.astype(np.uint8, copy=False)


def _as_ids(ids: ArrayLike | None, n: int) -> NDArray[Any]:
    if ids is None:
        return np.arange(n, dtype=np.int64)
    array = np.asarray(ids)
    if array.dtype.kind == "O":
        array = array.astype(str)
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise UsageError("Ids must be one integer or string per item.")
    return array


def _arrays(codes: Codes) -> dict[str, NDArray[Any]]:
    """Return what a code set is stored as; the labels are packed along the classes."""
    arrays: dict[str, NDArray[Any]] = {
        "bits": np.array(codes.bits, dtype=np.int64),
        "classes": np.array(codes.num_classes, dtype=np.int64),
        "packed": np.ascontiguousarray(codes.packed),
        "labels": np.packbits(np.asarray(codes.labels) != 0, axis=1, bitorder="little"),
        "ids": np.ascontiguousarray(codes.ids),
    }
    if codes.relaxed is not None:
        arrays["relaxed"] = np.ascontiguousarray(codes.relaxed)
    return arrays


def codes_sha256(codes: Mapping[str, Codes]) -> str:
    """Return the sha256 over names, types, shapes and bytes of all arrays, whatever file they are in."""
    digest = hashlib.sha256()
    for name in sorted(codes):
        for field, array in sorted(_arrays(codes[name]).items()):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{name}/{field} {little.dtype.str} {little.shape}\n".encode())
            digest.update(little.tobytes())
    return digest.hexdigest()


def save_codes(path: str | os.PathLike[str], codes: Mapping[str, Codes]) -> None:
    """Write code sets such as {"query.image": ..., "database.image": ...} to one `.npz`; same codes, same bytes.

    The file appears under its name only when complete. Raises WorkError when it cannot be written.
    """
    arrays = {f"{name}/{field}": array for name in sorted(codes) for field, array in _arrays(codes[name]).items()}
    write_npz(Path(path), arrays)


def write_npz(target: Path, arrays: Mapping[str, NDArray[Any]], *, compressed: bool = False) -> None:
    """Write arrays to an `.npz` that appears under its name only when complete, with the mode that the umask gives."""
    save = np.savez_compressed if compressed else np.savez
    try:
        with replacing(target) as temporary, temporary.open("wb") as stream:
            save(stream, allow_pickle=False, **arrays)
    except OSError as error:
        raise WorkError(
            f"{target} cannot be written ({error.strerror or error}); free space or choose another."
        ) from error


def load_codes(path: str | os.PathLike[str]) -> dict[str, Codes]:
    """Read the code sets that `save_codes` wrote. Raises WorkError for a missing, cut or damaged file."""
    target = Path(path)
    if not target.exists():
        raise WorkError(f"There is no codes file {target}; the command that made it, repeated, makes it again.")
    arrays = read_arrays(target)
    try:
        return {name: _from_arrays(name, arrays) for name in sorted({key.rpartition("/")[0] for key in arrays})}
    except Exception as error:  # what a file of other arrays lacks, or holds instead, fails in many ways
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise WorkError(f"{target} is damaged or no codes file of hashzoo ({reason}); make it again.") from error


def _from_arrays(name: str, arrays: Mapping[str, NDArray[Any]]) -> Codes:
    bits, classes, packed, labels, ids = (arrays[f"{name}/{field}"] for field in _FIELDS)
    if labels.ndim != 2 or labels.shape[1] != (int(classes) + 7) // 8:
        raise ValueError(f"labels of {int(classes)} classes in an array of {labels.shape}")
    hot = np.unpackbits(labels, axis=1, count=int(classes), bitorder="little")
    return Codes(packed, int(bits), hot, ids, arrays.get(f"{name}/relaxed"))
