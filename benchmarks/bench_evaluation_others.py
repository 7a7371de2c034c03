"""What the evaluation engine is set beside: the argsort way of the field, FAISS, and the processor's limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.kernel_numba import popcount


class Times(NamedTuple):
    """The shortest wall-clock time of several runs, and the shortest processor time over all threads; seconds."""

    wall: float
    cpu: float

    def scaled(self, factor: float) -> Times:
        """Return the times of `factor` times as much work."""
        return Times(self.wall * factor, self.cpu * factor)

    def over(self, other: Times) -> list[float]:
        """Return how many times longer this took, by wall clock and by processor time."""
        return [self.wall / other.wall, self.cpu / other.cpu]


def best_of(runs: int, work: Callable[[], Any]) -> Times:
    """Time some work; processor time says what it costs where other work shares the machine."""
    times = []
    for _ in range(runs):
        start, used = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - start, time.process_time() - used))
    return Times(*(min(column) for column in zip(*times, strict=True)))


def argsort_map(query: Codes, database: Codes) -> float:
    """Return mean average precision the usual way: per query a matrix product of floats and an argsort."""
    ours, theirs = query.signs().astype(np.float32), database.signs().astype(np.float32)
    our_labels, their_labels = query.labels.astype(np.float32), database.labels.astype(np.float32)
    total = 0.0
    for code, label in zip(ours, our_labels, strict=True):
        relevant = (their_labels @ label > 0).astype(np.float32)
        distance = 0.5 * (query.bits - theirs @ code)
        ranked = relevant[np.argsort(distance)]
        found = int(ranked.sum())
        if found:
            places = np.flatnonzero(ranked) + 1.0
            total += float(np.mean(np.arange(1, found + 1) / places))
    return total / len(query)


def faiss_search(query: Codes, database: Codes, neighbours: int, threads: int) -> tuple[Times, Times]:
    """Time an exact FAISS search as it comes (a heap of the nearest), and with its counting mode."""
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexBinaryFlat(8 * database.packed.shape[1])
    index.add(np.ascontiguousarray(database.packed))
    packed = np.ascontiguousarray(query.packed)
    times = []
    for use_heap in (True, False):
        index.use_heap = use_heap
        times.append(best_of(2, lambda: index.search(packed, neighbours)))
    return times[0], times[1]


@njit(nogil=True)
def _popcounts(word: Any, items: Any, rounds: int) -> Any:
    total = np.uint64(0)
    for i in range(rounds):
        query = word + np.uint64(i)
        for j in range(items.shape[0]):
            total += popcount(query ^ items[j])
    return total


@njit(nogil=True)
def _sum(items: Any) -> Any:
    total = np.uint64(0)
    for j in range(items.shape[0]):
        total ^= items[j]
    return total


def popcount_rate(threads: int) -> float:
    """Return 64-bit distances a second that are computed and summed, from the first-level cache, without counting."""
    items = np.random.default_rng(0).integers(0, 2**63, 2048, dtype=np.uint64)
    rounds = 200_000
    _popcounts(np.uint64(1), items, 1)

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda w: _popcounts(np.uint64(w), items, rounds), range(threads)))

    return threads * rounds * len(items) / best_of(3, work).wall


def memory_rate(threads: int) -> float:
    """Return bytes a second that are read in order from memory."""
    items = np.ones((threads, 1 << 26), dtype=np.uint64)
    _sum(items[0, :10])

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_sum, items))

    return items.nbytes / best_of(3, work).wall
