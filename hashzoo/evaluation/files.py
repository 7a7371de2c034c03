"""Codes and labels from the files of any tool: `.npz`, `.npy`, `.mat`, HDF5; packed bits, -1/+1, 0/1 or real values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashzoo.errors import UsageError, unknown_name
from hashzoo.evaluation.arrays_in import MAPPED, ROLE_NAMES, Labels, PathLike, Side, side_of
from hashzoo.evaluation.codes import Codes, class_indices

_MANY_CLASSES = 4096
"""Class indices above this are numbered anew, by the classes that the queries have."""

_SAMPLE = 1024
"""Rows, spread evenly, by which the database of a part is known again."""


@dataclass(frozen=True)
class Whole:
    """What a part of a database belongs to: the database's size and a digest of rows of it, a digest of the queries."""

    items: int
    database_sha256: str
    query_sha256: str


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
    """Read query and database codes with their labels; class indices of both count as one set of classes.

    A path is hashzoo's own `.npz` ("file.npz:query.image" names one of several sets in it), or a file of another tool,
    in which the arrays are found by name (NAMES), or as the only one; one file may hold both sides (ROLE_NAMES).
    `names` maps "codes", "labels" or "ids" to others, "query_labels" and the like those of one side. The array (n, K)
    may hold -1/+1, 0/1 or real values (bit = value >= 0); uint8 that is not 0/1 is packed bits (n, ceil(K/8)) in little
    bit order as FAISS has them, 8 bits a byte unless `bits` says fewer. Labels: a file or array of class indices (n,),
    -1 for none, or multi-hot (n, C), where the codes' file has none. Class indices above 4,096 are numbered anew by the
    queries' classes, others being relevant to nothing. `ids_needed`: UsageError where a file has no ids. Raises
    UsageError for what does not fit together, WorkError for a damaged file.
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


def _of_form(
    form: str, values: NDArray[Any], labels: ArrayLike, ids: ArrayLike | None, bits: int | None, classes: int | None
) -> Codes:
    if form == "packed":
        return Codes.from_packed(values, bits or 8 * values.shape[1], labels, ids, num_classes=classes)
    if form == "signs":
        return Codes.from_signs(values, labels, ids, num_classes=classes)
    return Codes.from_relaxed(values, labels, ids, keep_relaxed=True, num_classes=classes)


def _sides(
    paths: tuple[PathLike, PathLike],
    labels: tuple[Labels | None, Labels | None],
    bits: int | None,
    names: Mapping[str, str],
) -> tuple[Side, Side]:
    for key in names:
        if key not in MAPPED:
            raise unknown_name("array to map", key, MAPPED)
    query, database = (
        side_of(path, given, bits, names, role) for path, given, role in zip(paths, labels, ROLE_NAMES, strict=True)
    )
    return query, database


def _pair(query: Side, database: Side, bits: int | None, *, ids_needed: bool) -> tuple[Codes, Codes]:
    for side in (query, database):
        if ids_needed and side.ids is None:
            raise UsageError(
                f"{side.path} has no ids, so the own item of a query cannot be told; add an array named 'ids', or "
                "evaluate without leaving it out."
            )
    query, database, classes = _one_set_of_classes(query, database)
    return _codes(query, bits, classes), _codes(database, bits, classes)


def _one_set_of_classes(query: Side, database: Side) -> tuple[Side, Side, int | None]:
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


def _indices(side: Side) -> NDArray[np.int64]:
    try:
        return class_indices(side.labels)
    except UsageError as error:
        raise UsageError(f"{side.path}: {error}") from error


def _numbered(indices: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return indices by their place among the known classes, -1 for another class; what is below -1 stays wrong.

    >>> _numbered(np.array([7, 9, -1]), np.array([3, 9])).tolist()
    [-1, 1, -1]
    """
    place = np.searchsorted(known, indices)
    here = known[np.minimum(place, max(len(known) - 1, 0))] == indices if len(known) else np.zeros(len(indices), bool)
    return np.where(here, place, np.minimum(indices, -1))


def _codes(side: Side, bits: int | None, classes: int | None) -> Codes:
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
