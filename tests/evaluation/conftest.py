"""Independent, slow definitions that the engine is compared with, and small synthetic codes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.ranking import Buckets

Sizes = Sequence[tuple[int, int]]


def arrangements(sizes: Sizes) -> Iterator[tuple[int, ...]]:
    """Yield every order of a list of buckets (items, relevant): all are equally likely."""
    places = [
        [tuple(int(i in chosen) for i in range(n)) for chosen in itertools.combinations(range(n), r)] for n, r in sizes
    ]
    for parts in itertools.product(*places):
        yield tuple(itertools.chain.from_iterable(parts))


def ap_of_list(g: Sequence[int], cut: int, divisor: str) -> Fraction:
    """Average precision of one list of 0/1, from its definition, in exact rationals."""
    hits, total = 0, Fraction(0)
    for t, relevant in enumerate(g[:cut], start=1):
        if relevant:
            hits += 1
            total += Fraction(hits, t)
    below = {"retrieved": hits, "min": min(sum(g), cut), "all": sum(g)}[divisor]
    return total / below if below else Fraction(0)


def buckets_of(sizes: Sizes) -> Buckets:
    n, r = (np.array([column], dtype=np.int64) for column in zip(*sizes, strict=True))
    return Buckets(np.cumsum(n, axis=1) - n, n, r, n.sum(axis=1))


def synthetic(
    queries: int = 40, items: int = 900, bits: int = 16, classes: int = 6, *, multi: bool = False, seed: int = 0
) -> tuple[Codes, Codes]:
    """Return codes that cluster by class, with relaxed outputs; some items and one query have no label."""
    rng = np.random.default_rng(seed)
    n = queries + items
    labels = np.zeros((n, classes), dtype=np.uint8)
    main = rng.integers(0, classes, n)
    labels[np.arange(n), main] = 1
    if multi:
        labels |= rng.random((n, classes)) < 0.15
    centers = rng.normal(size=(classes, bits))
    outputs = (centers[main] + 1.2 * rng.normal(size=(n, bits))).astype(np.float32)
    labels[[0, n - 1, n - 2]] = 0
    both = Codes.from_relaxed(outputs, labels, keep_relaxed=True)
    return both.take(slice(0, queries)), both.take(slice(queries, n))


@pytest.fixture(scope="session")
def slow() -> SimpleNamespace:
    """The slow definitions; session-wide, so that property-based tests may use them."""
    return SimpleNamespace(arrangements=arrangements, ap_of_list=ap_of_list, buckets_of=buckets_of)


@pytest.fixture(scope="session")
def make_codes() -> Callable[..., tuple[Codes, Codes]]:
    return synthetic
