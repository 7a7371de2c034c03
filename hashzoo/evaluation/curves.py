"""Precision and recall curves, by ranking and by hash lookup, exact under ties."""

from __future__ import annotations

import numpy as np

from hashzoo.evaluation.buckets import Buckets, Floats, Ints
from hashzoo.evaluation.counts import Counts

TOP = (1, 5, 10, 20, 50, *range(100, 1000, 100), *range(1000, 5001, 500))
"""Ranks of the precision curve."""

POINTS = 100
"""Points of the precision-recall curve by ranking."""


def precision_ranks(size: int) -> Ints:
    """Return the ranks of the precision curve for a list of `size` items."""
    ranks = np.array(TOP, dtype=np.int64)
    return np.append(ranks[ranks < size], size) if size <= TOP[-1] else ranks


def pr_ranks(size: int) -> Ints:
    """Return about 100 ranks from 1 to `size`, spread evenly, for the precision-recall curve."""
    return np.unique(np.rint(np.linspace(1, size, min(POINTS, size))).astype(np.int64))


def relevant_at_ranks(buckets: Buckets, ranks: Ints) -> Floats:
    """Return the expected number of relevant items among the first N for each rank N, (Q, ranks).

    It is linear in N inside a bucket, so it is interpolated between the buckets' ends.
    """
    shape = (len(buckets.n), -1)
    places = np.stack([buckets.before, buckets.before + buckets.n], axis=2).reshape(shape)
    found = np.stack([buckets.relevant_before, buckets.relevant_before + buckets.r], axis=2).reshape(shape)
    return np.stack([np.interp(ranks, x, y) for x, y in zip(places, found.astype(np.float64), strict=True)])


def pr_lookup(counts: Counts) -> list[list[float]]:
    """Return [radius, recall, precision] for radius 0..K over all pairs of all queries pooled (micro).

    Radii within which no query finds an item are left out: they have no precision.
    """
    items = np.cumsum(counts.n.sum(axis=0))
    relevant = np.cumsum(counts.r.sum(axis=0))
    everything = max(int(relevant[-1]), 1)
    return [
        [float(radius), float(relevant[radius] / everything), float(relevant[radius] / items[radius])]
        for radius in range(len(items))
        if items[radius] > 0
    ]
