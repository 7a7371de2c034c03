"""Codes and labels from the files of any tool: `.npz`, `.npy`, `.mat`, HDF5; packed bits, -1/+1, 0/1 or real values."""

from __future__ import annotations

import hashlib
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
from hashzoo.evaluation.codes import Codes, class_indices, load_codes

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
_MANY_CLASSES = 4096
"""Class indices above this are numbered anew, by the classes that the queries have."""

_SAMPLE = 1024
"""Rows, spread evenly, by which the database of a part is known again."""

PathLike = str | os.PathLike[str]
Labels = PathLike | ArrayLike


@dataclass(frozen=True)
class Whole:
    """What a part of a database belongs to: the database's size and a digest of rows of it, a digest of the queries."""

    items: int
    database_sha256: str
    query_sha256: str


@dataclass(frozen=True)
class _Side:
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

    def rows(self, rows: slice) -> _Side:
        """Return some of the items, in the same form."""
        codes = self.codes.take(rows) if isinstance(self.codes, Codes) else self.codes[rows]
        return replace(self, codes=codes, labels=self.labels[rows], ids=None if self.ids is None else self.ids[rows])


def read_codes(
    path: PathLike,
    labels: Labels | None = None,
    bits: int | None = None,
    *,
    num_classes: int | None = None,
    names: Mapping[str, str] | None = None,
) -> Codes:
    """Read codes with their labels.

    path: hashzoo's own `.npz` ("file.npz:query.image" names one of several sets in it), or a file of another tool, in
    which the arrays are found by name (NAMES), or as the only one; `names` maps "codes", "labels" or "ids" to others.
    The array (n, K) may hold -1/+1, 0/1 or real values (bit = value >= 0); uint8 that is not 0/1 is packed bits
    (n, ceil(K/8)) in little bit order as FAISS has them, 8 bits a byte unless `bits` says fewer.
    labels: a file or array of class indices (n,), -1 for none, or multi-hot (n, C), where the codes' file has none.
    Raises UsageError for what does not fit together, WorkError for a damaged file.
    """
    return _codes(_side(path, labels, bits, names or {}, ""), bits, num_classes)


def read_pair(
    query: PathLike,
    database: PathLike,
    query_labels: Labels | None = None,
    database_labels: Labels | None = None,
    bits: int | None = None,
    *,
    names: Mapping[str, str] | None = None,
    ids_needed: bool = False,
) -> tuple[Codes, Codes]:
    """Read query and database as `read_codes` does; class indices of both count as one set of classes.

    One file may hold both (ROLE_NAMES); in `names`, "query_labels" and the like name the arrays of one side. Class
    indices above 4,096 are numbered anew by the queries' classes, others being relevant to nothing. `ids_needed`:
    UsageError where a file has no ids.
    """
    sides = _sides((query, database), (query_labels, database_labels), bits, names or {})
    return _pair(*sides, bits, ids_needed=ids_needed)


def read_part(
    query: PathLike,
    database: PathLike,
    query_labels: Labels | None = None,
    database_labels: Labels | None = None,
    bits: int | None = None,
    *,
    part: tuple[int, int],
    names: Mapping[str, str] | None = None,
    ids_needed: bool = False,
) -> tuple[Codes, Codes, Whole]:
    """Return the queries, part i of n (from 1) of the database's rows, and what they are a part of.

    As `read_pair`; of an `.npy` only the part's rows are read. Every row is in one part: row j in that with
    (i - 1) M // n <= j < i M // n.
    """
    ours, theirs = _sides((query, database), (query_labels, database_labels), bits, names or {})
    number, parts = part
    items = len(theirs.codes)
    if not 1 <= number <= parts <= items:
        raise UsageError(
            f"Part {number}/{parts} of {items} items does not exist; give I/N with 1 <= I <= N <= {items}."
        )
    rows = slice((number - 1) * items // parts, number * items // parts)
    found = _pair(ours, theirs.rows(rows), bits, ids_needed=ids_needed)
    spread = np.linspace(0, items - 1, min(items, _SAMPLE)).astype(np.int64)
    sample = [_raw(theirs.codes)[spread], theirs.labels[spread]]
    return *found, Whole(items, _sha256(*sample), _sha256(found[0].packed, ours.labels))


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
    return _of_form(_form(values, bits), values, labels, ids, bits, num_classes)


def _of_form(
    form: str, values: NDArray[Any], labels: ArrayLike, ids: ArrayLike | None, bits: int | None, classes: int | None
) -> Codes:
    if form == "packed":
        return Codes.from_packed(values, bits or 8 * values.shape[1], labels, ids, num_classes=classes)
    if form == "signs":
        return Codes.from_signs(values, labels, ids, num_classes=classes)
    return Codes.from_relaxed(values, labels, ids, keep_relaxed=True, num_classes=classes)


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


# Two sides of one evaluation
# ----------------------------------------------------------------------------------------------------------


def _sides(
    paths: tuple[PathLike, PathLike],
    labels: tuple[Labels | None, Labels | None],
    bits: int | None,
    names: Mapping[str, str],
) -> tuple[_Side, _Side]:
    for key in names:
        if key not in MAPPED:
            raise unknown_name("array to map", key, MAPPED)
    query, database = (
        _side(path, given, bits, names, role) for path, given, role in zip(paths, labels, ROLE_NAMES, strict=True)
    )
    return query, database


def _pair(query: _Side, database: _Side, bits: int | None, *, ids_needed: bool) -> tuple[Codes, Codes]:
    for side in (query, database):
        if ids_needed and side.ids is None:
            raise UsageError(
                f"{side.path} has no ids, so the own item of a query cannot be told; add an array named 'ids', or "
                "evaluate without leaving it out."
            )
    query, database, classes = _one_set_of_classes(query, database)
    return _codes(query, bits, classes), _codes(database, bits, classes)


def _one_set_of_classes(query: _Side, database: _Side) -> tuple[_Side, _Side, int | None]:
    """Return both sides with class indices that mean the same, and how many classes there are (None: as the labels)."""
    indexed = [side for side in (query, database) if side.labels.ndim == 1]
    if len(indexed) == 1:
        (other,) = (side for side in (query, database) if side.labels.ndim != 1)
        return query, database, int(other.labels.shape[1]) if other.labels.ndim == 2 else None
    if not indexed:
        return query, database, None
    ours, theirs = (_indices(side) for side in indexed)
    top = int(max(ours.max(initial=0), theirs.max(initial=0)))
    if top >= _MANY_CLASSES:
        known = np.unique(ours[ours >= 0])
        ours, theirs = (_numbered(one, known) for one in (ours, theirs))
        top = len(known) - 1
    return replace(query, labels=ours), replace(database, labels=theirs), max(top + 1, 1)


def _indices(side: _Side) -> NDArray[np.int64]:
    try:
        return class_indices(side.labels)
    except UsageError as error:
        raise UsageError(f"{side.path}: {error}") from error


def _numbered(indices: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return indices by their place among the known classes, -1 for another class; what is below -1 stays wrong."""
    place = np.searchsorted(known, indices)
    here = known[np.minimum(place, max(len(known) - 1, 0))] == indices if len(known) else np.zeros(len(indices), bool)
    return np.where(here, place, np.minimum(indices, -1))


def _codes(side: _Side, bits: int | None, classes: int | None) -> Codes:
    try:
        if isinstance(side.codes, Codes):
            codes = side.codes
            if side.labels is not codes.labels:
                codes = Codes.from_packed(codes.packed, codes.bits, side.labels, codes.ids, num_classes=classes)
                codes = replace(codes, relaxed=side.codes.relaxed)
        else:
            codes = _of_form(side.form, side.codes, side.labels, side.ids, bits, classes)
        if bits is not None and codes.bits != bits:
            raise UsageError(f"The codes have {codes.bits} bits, {bits} were asked for.")
        if len(codes) == 0:
            raise UsageError("The set of codes is empty; give at least one item.")
    except UsageError as error:
        raise UsageError(f"{side.path}: {error}") from error
    return codes


def _raw(codes: Codes | NDArray[Any]) -> NDArray[Any]:
    return codes.packed if isinstance(codes, Codes) else codes


def _sha256(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


# One file
# ----------------------------------------------------------------------------------------------------------


def _side(path: PathLike, labels: Labels | None, bits: int | None, names: Mapping[str, str], role: str) -> _Side:
    file, part = _split(path)
    shown = os.fspath(path)
    if file.suffix.lower() == ".npz" and file.is_file() and _is_ours(file):
        codes = _choose(file, load_codes(file), part, role)
        given = codes.labels if labels is None else _labels_from(labels, names, role, len(codes))
        return _Side(shown, codes, given, codes.ids)
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
        return _Side(shown, found, _labels_from(labels, names, role, len(found)), ids, form)
    own = _named(file, arrays, "labels", names, role)
    if own is None:
        known = " or ".join(NAMES["labels"][:2])
        raise UsageError(f"{file} has no labels (an array named {known}); give them in a file of their own.")
    return _Side(shown, found, _as_labels(own, len(found)), ids, form)


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
    chosen = [name for name in sets if len(sets) == 1 or (role and name.startswith(f"{role}."))]
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
    usual = (*(ROLE_NAMES[role][what] if role else ()), *NAMES[what])
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
