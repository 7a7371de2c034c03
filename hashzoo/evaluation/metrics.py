"""Ranking metrics of each query as pure functions of its buckets: exact under ties, no sort, no sampling.

McSherry & Najork 2008 and He et al. 2018 for the expectation over tie orders. `ties` is "expected" (the
mean over all orders of equally ranked items), "best" or "worst" (the largest and smallest value any order
gives).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hashzoo.errors import unknown_name
from hashzoo.evaluation.buckets import Buckets, Floats, Ints, harmonic_difference
from hashzoo.evaluation.cutoff import Cut, retrieved_expected, retrieved_extreme

TIES = ("expected", "best", "worst")
DIVISORS = ("retrieved", "min", "all")


def precision_sums(buckets: Buckets, ties: str = "expected") -> Floats:
    """Return each bucket's sum of precision at its relevant places, C_d, (Q, B).

    expected: C = r/n (q n + (R + 1 - q (N + 1)) (H_{N+n} - H_N)), q = (r-1)/(n-1), with N items and R relevant
    ones before the bucket; best: relevant items first; worst: last.
    """
    if ties not in buckets.sums:
        some = np.nonzero(buckets.r)
        groups = (part[some] for part in (buckets.before, buckets.relevant_before, buckets.n, buckets.r))
        result = np.zeros(buckets.n.shape)
        result[some] = _SUMS[ties](*groups)
        buckets.sums[ties] = result
    return buckets.sums[ties]


def _expected_sum(before: Ints, found: Ints, n: Ints, r: Ints, taken: Ints | None = None) -> Floats:
    """Return the expected sum of precision at the first `taken` places of buckets, by default at all n."""
    places = n if taken is None else taken
    slope = (r - 1) / np.maximum(n - 1, 1)
    spread = harmonic_difference(before, places)
    total: Floats = r / np.maximum(n, 1) * (slope * places + (found + 1 - slope * (before + 1)) * spread)
    return total


def _best_sum(before: Ints, found: Ints, n: Ints, r: Ints) -> Floats:
    del n
    total: Floats = r + (found - before) * harmonic_difference(before, r)
    return total


def _worst_sum(before: Ints, found: Ints, n: Ints, r: Ints) -> Floats:
    return _best_sum(before + n - r, found, n, r)


_SUMS = {"expected": _expected_sum, "best": _best_sum, "worst": _worst_sum}


def average_precision(
    buckets: Buckets, cut: ArrayLike | None = None, *, divisor: str = "retrieved", ties: str = "expected"
) -> Floats:
    """Return average precision, (Q,), over the whole list or its first `cut` items (a number, or one per query).

    divisor: the sum of precision at relevant places is divided by the relevant items among the first `cut`
    ("retrieved", the habit of the field), by min(relevant, cut) ("min") or by all relevant items ("all").
    Without a cut the three agree. A query without relevant items, or whose divisor is 0, scores 0.

    >>> lists = Buckets(np.array([[0, 2]]), np.array([[2, 3]]), np.array([[1, 2]]), np.array([5]))
    >>> average_precision(lists, 3, divisor="all").round(6).tolist()
    [0.398148]
    """
    _known("tie order", ties, TIES)
    _known("divisor", divisor, DIVISORS)
    sums = precision_sums(buckets, ties)
    limit = buckets.total if cut is None else np.minimum(cut, buckets.total).astype(np.int64)
    inside = Cut.of(buckets, limit, sums)
    if divisor == "retrieved":
        if ties == "expected":
            return retrieved_expected(inside)
        return retrieved_extreme(inside, best=ties == "best")
    relevant = buckets.relevant
    below = relevant if divisor == "all" else np.minimum(relevant, limit)
    return ratio(inside.sums + _partial_sum(inside, ties), below)


def _partial_sum(cut: Cut, ties: str) -> Floats:
    """Return the sum of precision at relevant places inside the cut bucket, for a divisor that is fixed."""
    if ties == "best":
        return _best_sum(cut.before, cut.found, cut.m, np.minimum(cut.r, cut.m))
    if ties == "worst":
        return _worst_sum(cut.before, cut.found, cut.m, np.maximum(0, cut.m - (cut.n - cut.r)))
    return _expected_sum(cut.before, cut.found, cut.n, cut.r, cut.m)


def relevant_at(buckets: Buckets, cut: ArrayLike, *, ties: str = "expected") -> Floats:
    """Return the relevant items among the first `cut`, (Q,): R_0 + m r/n where the cut divides a bucket."""
    _known("tie order", ties, TIES)
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
    _known("tie order", ties, TIES)
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
    """Divide elementwise, 0 where the divisor is 0."""
    result: Floats = np.where(below > 0, above / np.maximum(below, np.finfo(np.float64).tiny), 0.0)
    return result


def _known(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise unknown_name(kind, name, known)
