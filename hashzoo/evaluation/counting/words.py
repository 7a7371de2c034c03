"""Codes and label sets as 64-bit words, one row per word: the form in which the counting kernels read them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashzoo.errors import UsageError
from hashzoo.evaluation.codes import Codes

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def code_words(packed: NDArray[np.uint8]) -> Words:
    """Return packed codes (n, bytes) as words (ceil(bytes/8), n); zero bits beyond the end change no distance."""
    return _as_words(packed)


def label_words(labels: NDArray[Any]) -> Words:
    """Return multi-hot labels (n, C) as words (ceil(C/64), n): two items share a label iff some AND is not zero."""
    if labels.shape[1] == 0:
        return np.zeros((1, len(labels)), dtype=np.uint64)
    flags = labels if labels.dtype in (np.uint8, np.bool_) else labels != 0
    return _as_words(np.packbits(flags, axis=1, bitorder="little"))


def _as_words(rows: NDArray[np.uint8]) -> Words:
    n, width = rows.shape
    words = (width + 7) // 8
    padded = np.zeros((n, words * 8), dtype=np.uint8)
    padded[:, :width] = rows
    return np.ascontiguousarray(padded.view("<u8").astype(np.uint64, copy=False).T)


def distances_to(query: Words, database: Words, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """Return the Hamming distances of queries (W, Q) to items (W, M) as (Q, M) of `dtype`."""
    total = np.zeros((query.shape[1], database.shape[1]), dtype=dtype)
    for ours, theirs in zip(query, database, strict=True):
        total += np.bitwise_count(ours[:, None] ^ theirs[None, :])
    return total


def share_label(query: Words, database: Words) -> NDArray[np.bool_]:
    """Return whether queries (L, Q) and items (L, M) share a label, (Q, M)."""
    shared = np.zeros((query.shape[1], database.shape[1]), dtype=np.bool_)
    for ours, theirs in zip(query, database, strict=True):
        shared |= (ours[:, None] & theirs[None, :]) != 0
    return shared


def check_pair(query: Codes, database: Codes) -> None:
    """Raise UsageError unless the two sets can be compared: not empty, same bits, same classes."""
    for name, codes in (("query", query), ("database", database)):
        if len(codes) == 0:
            raise UsageError(f"The {name} set is empty; there is nothing to evaluate.")
    if query.bits != database.bits:
        raise UsageError(f"Query codes have {query.bits} bits and database codes {database.bits}; they must match.")
    if query.num_classes != database.num_classes:
        raise UsageError(
            f"Query labels have {query.num_classes} classes and database labels {database.num_classes}; "
            "they must match (state num_classes where labels are class indices)."
        )


def rows_left_out(leave_out: ArrayLike | None, queries: int, items: int) -> NDArray[np.int64]:
    """Return the database row not to be counted for each query, -1 for none, (Q,); UsageError for other rows."""
    if leave_out is None:
        return np.full(queries, -1, dtype=np.int64)
    rows = np.asarray(leave_out)
    if rows.shape != (queries,) or rows.dtype.kind not in "iu" or rows.max() >= items or rows.min() < -1:
        raise UsageError(
            f"leave_out must hold one database row (0 to {items - 1}), or -1, for each of {queries} queries."
        )
    return rows.astype(np.int64)
