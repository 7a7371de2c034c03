"""Average precision of rankings with ties: exact expectation, best and worst, whole or cut, and other tools' forms.

McSherry & Najork 2008 and He et al. 2018 for the expectation over tie orders. With a cut-off and the divisor
"retrieved", the number of relevant items before the cut is random (hypergeometric) where the cut divides a group, and
the expected quotient is not the quotient of the expectations, so the sum over that number is taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashzoo.evaluation.counting.words import Floats, Ints
from hashzoo.evaluation.metrics import DIVISORS, TIES, known, ratio
from hashzoo.evaluation.ranking import Buckets, Cut

_CELLS = 1 << 19
"""Terms of the sum computed at a time."""

_SMALL = 512
_TABLE = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, _SMALL + 1, dtype=np.longdouble))]).astype(np.float64)


def harmonic_difference(start: NDArray[Any], count: NDArray[Any]) -> Floats:
    """Return 1/(start+1) + ... + 1/(start+count) elementwise, to nearly full relative precision.

    Above 512 it is the difference of two Euler-Maclaurin expansions of the harmonic numbers, written so that
    nothing cancels; below, a table.

    >>> float(harmonic_difference(np.array(0), np.array(3)))  # 1 + 1/2 + 1/3
    1.8333333333333333
    """
    start = np.asarray(start, dtype=np.int64)
    stop = start + np.asarray(count, dtype=np.int64)
    low = _TABLE[np.minimum(stop, _SMALL)] - _TABLE[np.minimum(start, _SMALL)]
    a = np.maximum(start, _SMALL).astype(np.float64)
    b = np.maximum(stop, _SMALL).astype(np.float64)
    gap = b - a
    inverse_a, inverse_b = 1.0 / a, 1.0 / b
    shrink = gap * inverse_a * inverse_b  # 1/a - 1/b
    power = inverse_a + inverse_b  # (1/a^2 - 1/b^2) = shrink * power
    squares = inverse_a * inverse_a + inverse_b * inverse_b
    high = np.log1p(gap * inverse_a) - shrink * (0.5 - power / 12.0 * (1.0 - squares / 10.0))
    result: Floats = low + high
    return result


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
    known("tie order", ties, TIES)
    known("divisor", divisor, DIVISORS)
    sums = precision_sums(buckets, ties)
    limit = buckets.total if cut is None else np.minimum(cut, buckets.total).astype(np.int64)
    inside = Cut.of(buckets, limit, sums)
    if divisor == "retrieved":
        value = retrieved_expected(inside) if ties == "expected" else retrieved_extreme(inside, best=ties == "best")
        return np.minimum(value, 1.0)  # it is at most 1, but for rounding
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


def retrieved_expected(cut: Cut) -> Floats:
    """Return the expected quotient (sum of precision) / (relevant items before the cut), (Q,).

    sum over k of Pr(k) (A + C(m, k)) / (R_0 + k), Pr hypergeometric, C the sum of precision of a bucket of
    m items with k relevant. Terms further from the mean than 4.7 sqrt(min(m, n-m, r, n-r)) are left out: by
    Hoeffding's inequality, which holds for each of the four by the symmetries of the distribution, they
    weigh below 1e-18.
    """
    result = _plain(cut)
    divided = np.flatnonzero((cut.m > 0) & (cut.r > 0))
    if len(divided) == 0:
        return result
    part = cut.rows(divided)
    reach = _reach(part)
    for rows in _batches(2 * reach + 2):
        result[divided[rows]] = _expected_block(part.rows(rows), reach[rows])
    return result


def _reach(cut: Cut) -> Ints:
    """Return how far from its mean the number of relevant items taken may be, but for a chance below 1e-18.

    Bernstein's inequality, 2 exp(-t^2 / (2 (v + t/3))), with the variance v of as many draws with replacement
    (Hoeffding 1963 shows that it then holds without); drawing m items or r, or what is left of either, is the same.
    """
    share, taken = cut.r / cut.n, cut.m / cut.n
    draws = np.minimum(cut.m, cut.n - cut.m) * share * (1 - share)
    variance = np.minimum(draws, np.minimum(cut.r, cut.n - cut.r) * taken * (1 - taken))
    level = np.log(2e18)
    reach: Ints = np.ceil(level / 3 + np.sqrt(level**2 / 9 + 2 * level * variance)).astype(np.int64)
    return reach


def _expected_block(cut: Cut, reach: Ints) -> Floats:
    """Return the sum of `retrieved_expected` for cuts whose windows are of similar width."""
    least = np.maximum(0, cut.m - (cut.n - cut.r))
    low = np.maximum(least, (cut.m * (cut.r / cut.n)).astype(np.int64) - reach)
    m, n, r, found, ahead, sums = (
        part.astype(np.float64)[:, None] for part in (cut.m, cut.n, cut.r, cut.found, cut.before, cut.sums)
    )
    k = low[:, None] + np.arange(2.0 * reach.max() + 2)
    # Pr(k) up to a factor, from the ratio of neighbours: exact to rounding for any n, and 0 beyond the largest k.
    later = k[:, 1:]
    weight = np.ones_like(k)
    np.cumprod((r - later + 1) * (m - later + 1) / (later * (n - r - m + later)), axis=1, out=weight[:, 1:])
    spread = harmonic_difference(cut.before, cut.m)[:, None]
    # C(m, k) of `retrieved_expected`, written as k (constant + (k - 1) slope).
    constant = (found + 1) * spread / m
    slope = (1 - (ahead + 1) * spread / m) / np.maximum(m - 1, 1)
    inside = k * (constant + (k - 1) * slope)
    value = np.where(found + k > 0, (sums + inside) / np.maximum(found + k, 1), 0.0)
    result: Floats = (weight * value).sum(axis=1) / weight.sum(axis=1)
    return result


def retrieved_extreme(cut: Cut, *, best: bool) -> Floats:
    """Return the largest or smallest quotient that any order of the divided bucket gives, (Q,).

    Relevant items first (or last) is not always the extreme one here, since taking fewer relevant items can
    raise the quotient: every number k of them is tried, for each k the relevant ones first (last) among
    those taken.
    """
    result = _plain(cut)
    divided = np.flatnonzero((cut.m > 0) & (cut.r > 0))
    if len(divided) == 0:
        return result
    part = cut.rows(divided)
    least = np.maximum(0, part.m - (part.n - part.r))
    width = np.minimum(part.r, part.m) - least + 1
    for rows in _batches(width):
        block = part.rows(rows)
        k = least[rows][:, None] + np.arange(int(width[rows].max()))[None, :]
        k = np.minimum(k, np.minimum(block.r, block.m)[:, None])  # repeats the last one, which changes no extreme
        start = block.before[:, None] + (0 if best else block.m[:, None] - k)
        inside = k + (block.found[:, None] - start) * harmonic_difference(start, k)
        retrieved = block.found[:, None] + k
        value = np.where(retrieved > 0, (block.sums[:, None] + inside) / np.maximum(retrieved, 1), 0.0)
        result[divided[rows]] = value.max(axis=1) if best else value.min(axis=1)
    return result


def _plain(cut: Cut) -> Floats:
    """Return the quotient of the whole buckets alone, 0 where nothing relevant was found."""
    result: Floats = np.where(cut.found > 0, cut.sums / np.maximum(cut.found, 1), 0.0)
    return result


def _batches(widths: Ints) -> list[Ints]:
    """Split queries into groups of similar width whose padded size stays within _CELLS."""
    order = np.argsort(widths, kind="stable")
    groups: list[Ints] = []
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * int(widths[order[stop]]) <= _CELLS:
            stop += 1
        groups.append(order[start:stop])
        start = stop
    return groups


def first_relevant(buckets: Buckets, cut: int | None) -> Floats:
    """Return the mean of precision at the first min(cut, relevant) relevant items, wherever they stand, (Q,)."""
    place = np.arange(buckets.r.shape[1])[None, :]
    limit = buckets.relevant if cut is None else np.minimum(buckets.relevant, cut)
    used = place < limit[:, None]
    precision = np.where(used, (buckets.relevant_before + 1) / (buckets.before + 1), 0.0)
    result: Floats = precision.sum(axis=1) / np.maximum(limit, 1)
    return result


def eleven_point(buckets: Buckets) -> Floats:
    """Return precision at the ranks whose recall is nearest to 0, 0.1, ..., 1, averaged, (Q,)."""
    result = np.zeros(len(buckets.r))
    for row, relevant in enumerate(buckets.relevant.tolist()):
        if relevant == 0:
            continue
        places = buckets.before[row, :relevant] + 1
        found = np.arange(1, relevant + 1)
        if places[0] != 1:  # rank 1 finds nothing
            places, found = np.append(1, places), np.append(0, found)
        recall = found / relevant
        nearest = [int(np.abs(recall - level).argmin()) for level in np.arange(11) / 10]
        result[row] = float(np.mean(found[nearest] / places[nearest]))
    return result
