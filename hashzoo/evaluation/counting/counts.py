"""How many items, and how many relevant ones, lie at each Hamming distance from each query: one pass, no sort."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hashzoo.errors import UsageError
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.words import (
    Ints,
    Words,
    check_pair,
    code_words,
    distances_to,
    label_words,
    rows_left_out,
    share_label,
)
from hashzoo.evaluation.ranking import Buckets

Progress = Callable[[int, int], None]

BLOCK = 1 << 18
"""Database items read and counted at a time, fewer where codes or label sets are long."""

KERNELS = ("auto", "numpy", "numba", "torch")
"""What counts; torch may name its device: "torch:cuda"."""

_BLOCK_BYTES = 1 << 24

SMALL = 60_000_000
"""Up to this many pairs numpy is faster than loading the compiled kernel."""


@dataclass(frozen=True, eq=False)
class Counts:
    """For each query and each Hamming distance 0..K: items `n` and relevant items `r`, both (Q, K+1) int64.

    Counts of two parts of a database, for the same queries, add up to those of the whole.
    """

    n: Ints
    r: Ints

    def __add__(self, other: Counts) -> Counts:
        if self.n.shape != other.n.shape:
            raise UsageError(
                f"Counts of {self.n.shape} and {other.n.shape} (queries, distances) do not belong to the same queries."
            )
        return Counts(self.n + other.n, self.r + other.r)

    @property
    def bits(self) -> int:
        """Bit length K."""
        return int(self.n.shape[1]) - 1

    def buckets(self) -> Buckets:
        """Return the rankings by Hamming distance."""
        return Buckets(np.cumsum(self.n, axis=1) - self.n, self.n, self.r, self.n.sum(axis=1))

    def within(self, radius: int) -> tuple[Ints, Ints]:
        """Return items and relevant items at distance 0..radius, each (Q,)."""
        stop = radius + 1
        return self.n[:, :stop].sum(axis=1), self.r[:, :stop].sum(axis=1)


def count(
    query: Codes,
    database: Codes,
    *,
    leave_out: ArrayLike | None = None,
    progress: Progress | None = None,
    kernel: str = "auto",
    block: int | None = None,
    threads: int | None = None,
) -> Counts:
    """Count items and relevant items by Hamming distance, in blocks of the database.

    An item is relevant when it shares a label with the query. Memory beside the codes is O(Q K) and a few
    blocks; the database may be memory-mapped. leave_out: (Q,) database row not counted for each query, -1
    for none (see `rows_of`). progress: called as progress(items done, items in all) after each block.
    kernel: "numpy", "numba", "torch" (the first GPU, if any) or "torch:<device>", all equal, or "auto".
    threads: of the numba kernel, by default one per core. Raises UsageError when the sets do not fit.
    """
    check_pair(query, database)
    codes, labels = code_words(query.packed), label_words(query.labels)
    adder = _adder(kernel, len(query) * len(database) * len(codes), threads)
    block = block or _block_size(len(codes) + len(labels))
    shape = (len(query), query.bits + 1)
    counts = Counts(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))
    for start in range(0, len(database), block):
        stop = min(start + block, len(database))
        part_codes = code_words(database.packed[start:stop])
        part_labels = label_words(database.labels[start:stop])
        adder(codes, labels, part_codes, part_labels, counts.n, counts.r)
        if progress is not None:
            progress(stop, len(database))
    if leave_out is not None:
        _uncount(counts, query, database, rows_left_out(leave_out, len(query), len(database)))
    return counts


def rows_of(query: Codes, database: Codes) -> Ints:
    """Return the database row that has each query's id, -1 where there is none, (Q,).

    Raises UsageError when an id stands twice in the database.
    """
    if (query.ids.dtype.kind == "U") != (database.ids.dtype.kind == "U"):
        raise UsageError("Query ids and database ids must both be strings or both be integers to be compared.")
    order = np.argsort(database.ids, kind="stable")
    ids = database.ids[order]
    if np.any(ids[1:] == ids[:-1]):
        raise UsageError("The database holds the same id twice, so a query cannot be left out by its id.")
    if not len(ids):
        return np.full(len(query), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(ids, query.ids), len(ids) - 1)
    return np.where(ids[place] == query.ids, order[place], -1).astype(np.int64)


Adder = Callable[[Words, Words, Words, Words, Ints, Ints], None]


def require_kernel(kernel: str) -> None:
    """Raise UsageError for a kernel that does not exist; whether its device does is known where it counts."""
    name, colon, device = kernel.partition(":")
    if name not in KERNELS or (colon and not (name == "torch" and device)):
        raise UsageError(f"There is no counting kernel {kernel!r}; known: {', '.join(KERNELS)}, torch:DEVICE.")


def _adder(kernel: str, pairs: int, threads: int | None) -> Adder:
    """Return the function that adds one block's counts; compiled code and torch are loaded only when used."""
    require_kernel(kernel)
    if kernel == "auto":
        kernel = "numpy" if pairs <= SMALL else "numba"
    if kernel == "numpy":
        return add_block
    if kernel == "numba":
        from hashzoo.evaluation.counting.kernel_numba import add_block as add_block_numba

        return functools.partial(add_block_numba, threads=threads)
    from hashzoo.evaluation.counting.kernel_torch import adder_for

    found: Adder = adder_for(kernel.partition(":")[2] or None)
    return found


def add_block(codes: Words, labels: Words, part: Words, part_labels: Words, n: Ints, r: Ints) -> None:
    """Add the counts of one database block, (W, B) codes and (L, B) labels, to n and r, with numpy alone."""
    width = n.shape[1]
    for rows in _row_blocks(codes.shape[1], part.shape[1]):
        distances = distances_to(codes[:, rows], part, np.uint32)
        shared = share_label(labels[:, rows], part_labels)
        keys = distances + (np.arange(len(distances), dtype=np.uint32) * width)[:, None]
        size = len(distances) * width
        n[rows] += np.bincount(keys.ravel(), minlength=size).reshape(-1, width)
        r[rows] += np.bincount(keys[shared], minlength=size).reshape(-1, width)


def _block_size(words: int) -> int:
    """Return how many items of so many words are read at a time."""
    return max(1024, min(BLOCK, _BLOCK_BYTES // (8 * words)))


def _row_blocks(rows: int, items: int) -> Iterator[slice]:
    step = max(1, (1 << 20) // max(1, items))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _uncount(counts: Counts, query: Codes, database: Codes, leave_out: Ints) -> None:
    rows = np.flatnonzero(leave_out >= 0)
    own = leave_out[rows]
    apart = np.bitwise_count(query.packed[rows] ^ database.packed[own]).sum(axis=1, dtype=np.int64)
    shared = ((query.labels[rows] != 0) & (database.labels[own] != 0)).any(axis=1)
    counts.n[rows, apart] -= 1
    counts.r[rows, apart] -= shared
