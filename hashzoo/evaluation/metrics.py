"""Precision, recall, discounted gain and curves of each query as pure functions of its buckets, exact under ties.

`ties` is "expected" (the mean over all orders of equally ranked items), "best" or "worst" (the largest and smallest
value any order gives). Average precision has a module of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hashzoo.errors import unknown_name
from hashzoo.evaluation.counting.counts import Counts
from hashzoo.evaluation.counting.words import Floats, Ints
from hashzoo.evaluation.ranking import Buckets, Cut

TIES = ("expected", "best", "worst")
DIVISORS = ("retrieved", "min", "all")

TOP = (1, 5, 10, 20, 50, *range(100, 1000, 100), *range(1000, 5001, 500))
"""Ranks of the precision curve."""

POINTS = 100
"""Points of the precision-recall curve by ranking."""


def relevant_at(buckets: Buckets, cut: ArrayLike, *, ties: str = "expected") -> Floats:
    """Return the relevant items among the first `cut`, (Q,): R_0 + m r/n where the cut divides a bucket."""
    known("tie order", ties, TIES)
    limit = np.minimum(cut, buckets.total).astype(np.int64)
    inside = Cut.of(buckets, limit, np.zeros(buckets.n.shape))
    if ties == "best":
        return (inside.found + np.minimum(inside.r, inside.m)).astype(np.float64)
    if ties == "worst":
        return (inside.found + np.maximum(0, inside.m - (inside.n - inside.r))).astype(np.float64)
    result: Floats = inside.found + inside.m * inside.r / np.maximum(inside.n, 1)
    return result


def precision_at(buckets: Buckets, cut: ArrayLike, *, ties: str = "expected") -> Floats:
    """Return the share of relevant items among the first `cut`, (Q,); a shorter list is divided by its length."""
    limit = np.minimum(cut, buckets.total)
    return ratio(relevant_at(buckets, cut, ties=ties), limit)


def recall_at(buckets: Buckets, cut: ArrayLike, *, ties: str = "expected") -> Floats:
    """Return the share of the relevant items that are among the first `cut`, (Q,); 0 where there is none."""
    return ratio(relevant_at(buckets, cut, ties=ties), buckets.relevant)


def ndcg_at(buckets: Buckets, cut: int, *, ties: str = "expected") -> Floats:
    """Return normalised discounted cumulative gain of the first `cut` items, (Q,), gain 1 for a relevant item.

    The item at rank t counts 1/log2(1+t); the divisor is that of a list with the relevant items first. A
    bucket contributes its share of relevant items times the sum of the discounts of its places (He et al.
    2018).
    """
    known("tie order", ties, TIES)
    top = int(min(cut, buckets.total.max(initial=0)))
    discounts = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, top + 2)))])
    limit = np.minimum(cut, buckets.total)[:, None]
    if ties == "best":
        first, last, share = buckets.before, buckets.before + buckets.r, np.ones(buckets.n.shape)
    elif ties == "worst":
        last = buckets.before + buckets.n
        first, share = last - buckets.r, np.ones(buckets.n.shape)
    else:
        first, last = buckets.before, buckets.before + buckets.n
        share = buckets.r / np.maximum(buckets.n, 1)
    gains = share * (discounts[np.minimum(last, limit)] - discounts[np.minimum(first, limit)])
    return ratio(gains.sum(axis=1), discounts[np.minimum(buckets.relevant, limit[:, 0])])


def ratio(above: Floats | Ints, below: Floats | Ints) -> Floats:
    """Divide elementwise a part by its whole: 0 where the divisor is 0, and never above 1 by rounding."""
    result: Floats = np.where(below > 0, above / np.maximum(below, np.finfo(np.float64).tiny), 0.0)
    return np.minimum(result, 1.0)


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


def known(kind: str, name: str, names: tuple[str, ...]) -> None:
    """Raise UsageError for a name that is not among `names`."""
    if name not in names:
        raise unknown_name(kind, name, names)
