"""Codes, labels and ids of one side of an evaluation, found in a file of any tool."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashzoo.data.readers import ENDINGS, open_arrays, read_arrays
from hashzoo.errors import UsageError, WorkError, unknown_name
from hashzoo.evaluation.codes import Codes, load_codes

NAMES = {
    "codes": ("packed", "codes", "code", "relaxed", "outputs", "embeddings", "features", "hash", "B", "H"),
    "labels": ("labels", "label", "targets", "target", "L", "y"),
    "ids": ("ids", "id"),
}
"""Names under which arrays are looked for, in this order; `names` adds others."""

ROLE_NAMES = {
    "query": {"codes": ("query_codes", "qB"), "labels": ("query_labels", "qL"), "ids": ("query_ids",)},
    "database": {"codes": ("database_codes", "rB", "dB"), "labels": ("database_labels", "rL", "dL"),
                 "ids": ("database_ids",)},
}  # fmt: skip
"""Names looked for first where one file holds both sides, as the MATLAB code of DCMH writes it."""

MAPPED = (*NAMES, *(f"{role}_{what}" for role in ROLE_NAMES for what in NAMES))
"""What `names` may name."""

_ROWS = 1 << 14
_LARGEST_TEXT = 1 << 30

PathLike = str | os.PathLike[str]
Labels = PathLike | ArrayLike


@dataclass(frozen=True)
class Side:
    """One side as it was read: codes as an array or as our own `Codes`, labels as they are, ids or None."""

    path: str
    codes: Codes | NDArray[Any]
    labels: NDArray[Any]
    ids: NDArray[Any] | None
    form: str = ""

    def __post_init__(self) -> None:
        for what, rows in (("labels", self.labels), ("ids", self.ids)):
            held = None if rows is None else len(rows) if rows.ndim else 0
            if held not in (None, len(self.codes)):
                raise UsageError(f"{self.path}: There are {len(self.codes)} codes and {held} {what}; they must match.")

    def rows(self, rows: slice) -> Side:
        """Return some of the items, in the same form."""
        codes = self.codes.take(rows) if isinstance(self.codes, Codes) else self.codes[rows]
        return replace(self, codes=codes, labels=self.labels[rows], ids=None if self.ids is None else self.ids[rows])


def side_of(path: PathLike, labels: Labels | None, bits: int | None, names: Mapping[str, str], role: str) -> Side:
    """Return what a file, and one of labels, hold of one side; `role` is "query" or "database"."""
    file, part = _split(path)
    shown = os.fspath(path)
    if file.suffix.lower() == ".npz" and file.is_file() and _is_ours(file):
        codes = _choose(file, load_codes(file), part, role)
        given = codes.labels if labels is None else _labels_from(labels, names, role, len(codes))
        return Side(shown, codes, given, codes.ids)
    arrays = _arrays(file, ENDINGS)
    found = _code_array(file, arrays, names, role)
    try:
        form = _form(found, bits)
    except UsageError as error:
        raise UsageError(f"{shown}: {error}") from error
    ids = _named(file, arrays, "ids", names, role)
    if ids is not None and ids.ndim == 2 and 1 in ids.shape:
        ids = ids.ravel()
    if labels is not None:
        return Side(shown, found, _labels_from(labels, names, role, len(found)), ids, form)
    own = _named(file, arrays, "labels", names, role)
    if own is None:
        known = " or ".join(NAMES["labels"][:2])
        raise UsageError(f"{file} has no labels (an array named {known}); give them in a file of their own.")
    return Side(shown, found, _as_labels(own, len(found)), ids, form)


def file_of(path: PathLike) -> Path:
    """Return the file that "file.npz:part" or a plain path names."""
    return _split(path)[0]


def _split(path: PathLike) -> tuple[Path, str]:
    """Split "file.npz:part"; a file whose own name has a colon is taken as it is."""
    text = os.fspath(path)
    head, colon, part = text.rpartition(":")
    if colon and not Path(text).exists() and Path(head).suffix:
        return Path(head), part
    return Path(text), ""


def _is_ours(file: Path) -> bool:
    with open_arrays(file) as content:
        return any(name.endswith("/packed") for name in content)


def _choose(file: Path, sets: Mapping[str, Codes], part: str, role: str) -> Codes:
    if part in sets:
        return sets[part]
    chosen = [name for name in sets if len(sets) == 1 or name.startswith(f"{role}.")]
    if not part and len(chosen) == 1:
        return sets[chosen[0]]
    wrong = f"has no set {part!r}" if part else "holds several sets of codes"
    raise UsageError(f"{file} {wrong}; name one as {file.name}:<set>, of: {', '.join(sorted(sets))}.")


def _labels_from(labels: Labels, names: Mapping[str, str], role: str, n: int) -> NDArray[Any]:
    if not isinstance(labels, (str, os.PathLike)):
        return _as_labels(np.asarray(labels), n)
    file = Path(labels)
    arrays = _arrays(file, (*ENDINGS, ".txt"))
    named = next(iter(arrays.values())) if len(arrays) == 1 else _named(file, arrays, "labels", names, role)
    if named is None:
        raise UsageError(f"{file} holds {', '.join(sorted(arrays)) or 'nothing'}; name the labels 'labels'.")
    return _as_labels(named, n)


def _as_labels(array: NDArray[Any], n: int) -> NDArray[Any]:
    """Return labels of n items as given, a single row or column as class indices (MATLAB has no vectors)."""
    one_query = n == 1 and array.ndim == 2 and array.shape[0] == 1 and array.shape[1] > 1
    if array.ndim == 2 and 1 in array.shape and not one_query:
        return array.ravel()
    return array


def _arrays(file: Path, endings: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    if file.suffix.lower() not in endings:
        raise UsageError(f"{file} is none of the files that can be read: {', '.join(endings)}.")
    return {"": _text(file)} if file.suffix.lower() == ".txt" else read_arrays(file, mmap=True)


def _text(file: Path) -> NDArray[np.float64]:
    if not file.is_file():
        raise UsageError(f"There is no file {file}; give an existing one.")
    if file.stat().st_size > _LARGEST_TEXT:
        raise UsageError(f"{file} has more than {_LARGEST_TEXT >> 30} GiB of text; save the labels as .npy.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of an empty file; that there are no labels is said later
            return np.loadtxt(file, ndmin=1, dtype=np.float64)
    except Exception as error:  # numpy raises several kinds for what is no table of numbers
        raise WorkError(f"{file} cannot be read as numbers ({str(error)[:200]}); write one label a line.") from error


def _named(
    file: Path, arrays: Mapping[str, NDArray[Any]], what: str, names: Mapping[str, str], role: str
) -> NDArray[Any] | None:
    """Return the codes, labels or ids of one side by name: as `names` says, else by the usual names."""
    mapped = names.get(f"{role}_{what}") or names.get(what)
    if mapped is not None:
        if mapped not in arrays:
            raise unknown_name(f"array in {file.name}", mapped, arrays)
        return arrays[mapped]
    usual = (*ROLE_NAMES[role][what], *NAMES[what])
    return next((arrays[name] for name in usual if name in arrays), None)


def _code_array(file: Path, arrays: Mapping[str, NDArray[Any]], names: Mapping[str, str], role: str) -> NDArray[Any]:
    found = _named(file, arrays, "codes", names, role)
    if found is not None:
        return found
    known = {name for what in ("labels", "ids") for name in NAMES[what]}
    known |= {name for role_names in ROLE_NAMES.values() for usual in role_names.values() for name in usual}
    others = [a for name, a in arrays.items() if name not in (*known, *names.values()) and a.ndim == 2]
    if len(others) == 1:
        return others[0]
    listed = ", ".join(f"{name} {array.shape}" for name, array in sorted(arrays.items())) or "nothing"
    raise UsageError(
        f"{file} holds {listed}; name the codes' array 'codes' and the labels' 'labels', or map the names."
    )


def _form(values: NDArray[Any], bits: int | None) -> str:
    """Return which of the usual forms an array of codes has: "packed", "signs" or "real"."""
    if values.ndim != 2:
        raise UsageError(f"Codes must be an array with one row per item; it has the shape {values.shape}.")
    if values.dtype.kind not in "fiub":
        raise UsageError(f"Codes must be numbers, not {values.dtype}.")
    plain = _only(values, (0, 1))
    if values.dtype == np.uint8 and not (plain and bits in (None, values.shape[1])):
        return "packed"
    return "signs" if plain or _only(values, (-1, 1)) else "real"


def _only(values: NDArray[Any], allowed: tuple[int, int]) -> bool:
    """Return whether an array, possibly larger than memory, holds no other values."""
    return all(np.isin(values[i : i + _ROWS], allowed).all() for i in range(0, len(values), _ROWS))
