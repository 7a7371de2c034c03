"""The compiled counting kernel: two queries at a time, their pairs of (distance, relevance) counted jointly.

Why it is fast. Distances and relevance of 2,048 items are computed with vector popcounts into 16-bit keys 2
d + relevant that stay in the first-level cache. The keys of two queries are merged into one number, and one
increment of a joint table then counts two pairs; the table's margins are the counts of either query. This
module imports numba, so it is itself imported only where many pairs are counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numba.extending import intrinsic
from numpy.typing import NDArray

from hashzoo.evaluation.counting.words import Ints, Words

F = TypeVar("F", bound=Callable[..., Any])

_ITEMS = 2048
"""Items whose keys are held at a time."""

_JOINT_BITS = 255
"""Up to this length two queries share a table; above, it would outgrow the cache."""


def _compiled(function: F) -> F:
    """Return the function compiled on first use; kept on disk where some folder can be written."""
    compiled: Any
    try:
        compiled = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder for its cache
        compiled = njit(nogil=True)(function)
    return cast("F", compiled)


def _popcount(typingctx: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return word(word), codegen


popcount: Any = intrinsic(_popcount)


@_compiled
def _keys(
    codes: Words, labels: Words, i: int, k: int, part: Words, part_labels: Words, start: int, x: Any, y: Any
) -> None:
    """Write 2 d + relevant of the items from `start` on, for query i into x and for query k into y."""
    stop = start + x.shape[0]
    one = np.uint64(1)
    none = np.uint64(0)
    for w in range(codes.shape[0]):
        a = codes[w, i]
        b = codes[w, k]
        items = part[w, start:stop]
        if w == 0:
            for j in range(x.shape[0]):
                x[j] = popcount(a ^ items[j]) << one
                y[j] = popcount(b ^ items[j]) << one
        else:
            for j in range(x.shape[0]):
                x[j] += popcount(a ^ items[j]) << one
                y[j] += popcount(b ^ items[j]) << one
    for w in range(labels.shape[0]):
        a = labels[w, i]
        b = labels[w, k]
        items = part_labels[w, start:stop]
        for j in range(x.shape[0]):
            x[j] |= np.uint64((a & items[j]) != none)
            y[j] |= np.uint64((b & items[j]) != none)


@_compiled
def _margins(table: Any, width: int, n_i: Ints, r_i: Ints, n_k: Ints, r_k: Ints) -> None:
    """Add a joint table's row sums to the counts of query i and its column sums to those of query k."""
    columns = np.zeros(width, dtype=np.uint32)
    for u in range(width):
        row = table[u * width : (u + 1) * width]
        total = np.uint32(0)
        for v in range(width):
            total += row[v]
            columns[v] += row[v]
        n_i[u >> 1] += total
        if u & 1:
            r_i[u >> 1] += total
    for v in range(width):
        n_k[v >> 1] += columns[v]
        if v & 1:
            r_k[v >> 1] += columns[v]


@_compiled
def _count_jointly(
    codes: Words, labels: Words, part: Words, part_labels: Words, first: int, last: int, n: Ints, r: Ints
) -> None:
    """Add the counts of queries first..last-1, two at a time through a joint table."""
    width = 2 * n.shape[1]
    size = part.shape[1]
    table = np.empty(width * width, dtype=np.uint32)
    keys = np.empty((2, _ITEMS), dtype=np.uint16)
    merged = np.empty(_ITEMS, dtype=np.uint32)
    unused = np.empty((2, n.shape[1]), dtype=np.int64)
    for i in range(first, last, 2):
        k = min(i + 1, last - 1)
        table[:] = 0
        for start in range(0, size, _ITEMS):
            length = min(_ITEMS, size - start)
            x = keys[0, :length]
            y = keys[1, :length]
            both = merged[:length]
            _keys(codes, labels, i, k, part, part_labels, start, x, y)
            for j in range(length):
                both[j] = np.uint32(x[j]) * np.uint32(width) + np.uint32(y[j])
            for j in range(length):
                table[both[j]] += np.uint32(1)
        if k > i:
            _margins(table, width, n[i], r[i], n[k], r[k])
        else:
            _margins(table, width, n[i], r[i], unused[0], unused[1])


@_compiled
def _count_singly(
    codes: Words, labels: Words, part: Words, part_labels: Words, first: int, last: int, n: Ints, r: Ints
) -> None:
    """Add the counts of queries first..last-1, each in its own table: for codes too long for a joint one."""
    size = part.shape[1]
    x = np.empty(_ITEMS, dtype=np.uint32)
    y = np.empty(_ITEMS, dtype=np.uint32)
    for i in range(first, last, 2):
        k = min(i + 1, last - 1)
        for start in range(0, size, _ITEMS):
            length = min(_ITEMS, size - start)
            _keys(codes, labels, i, k, part, part_labels, start, x[:length], y[:length])
            for j in range(length):
                n[i, x[j] >> 1] += 1
                r[i, x[j] >> 1] += np.int64(x[j] & 1)
            if k > i:
                for j in range(length):
                    n[k, y[j] >> 1] += 1
                    r[k, y[j] >> 1] += np.int64(y[j] & 1)


def add_block(
    codes: Words,
    labels: Words,
    part: Words,
    part_labels: Words,
    n: NDArray[np.int64],
    r: NDArray[np.int64],
    threads: int | None = None,
) -> None:
    """Add the counts of one database block, (W, B) codes and (L, B) labels, to n and r, in parallel over queries."""
    kernel = _count_jointly if n.shape[1] <= _JOINT_BITS + 1 else _count_singly
    queries = codes.shape[1]
    workers = min(threads or _cores(), max(1, queries // 2))
    step = -(-queries // workers)
    step += step % 2
    if workers == 1:
        kernel(codes, labels, part, part_labels, 0, queries, n, r)
        return
    with ThreadPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(kernel, codes, labels, part, part_labels, first, min(first + step, queries), n, r)
            for first in range(0, queries, step)
        ]
        for job in jobs:
            job.result()


def _cores() -> int:
    """Return the number of cores this process may use: NUMBA_NUM_THREADS, where it is set, says so too."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
