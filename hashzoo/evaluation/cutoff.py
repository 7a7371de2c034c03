"""Average precision at a cut-off divided by the relevant items retrieved, where the cut divides a bucket of ties.

The number of relevant items before the cut is then random (hypergeometric), and the expected quotient is
not the quotient of the expectations, so the sum over that number is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashzoo.evaluation.buckets import Buckets, Floats, Ints, harmonic_difference

_CELLS = 1 << 19
"""Terms of the sum computed at a time."""


@dataclass(frozen=True, eq=False)
class Cut:
    """Where a cut-off falls in each of Q rankings; every field is (Q,).

    sums, found: sum of precision and relevant items of the buckets wholly before the cut. before, n, r: the
    bucket the cut divides: items ranked before it, items, relevant items; m of its items are taken (all 0
    if none is cut).
    """

    sums: Floats
    found: Ints
    before: Ints
    n: Ints
    r: Ints
    m: Ints

    @classmethod
    def of(cls, buckets: Buckets, limit: Ints, sums: Floats) -> Cut:
        """Find the cut after `limit` (Q,) items; `sums` (Q, B) is each bucket's sum of precision."""
        edge = limit[:, None]
        whole = buckets.before + buckets.n <= edge
        divided = (buckets.before < edge) & ~whole
        taken = np.where(divided, edge - buckets.before, 0)
        return cls(
            sums=np.where(whole, sums, 0.0).sum(axis=1),
            found=np.where(whole, buckets.r, 0).sum(axis=1),
            before=np.where(divided, buckets.before, 0).sum(axis=1),
            n=np.where(divided, buckets.n, 0).sum(axis=1),
            r=np.where(divided, buckets.r, 0).sum(axis=1),
            m=taken.sum(axis=1),
        )

    def rows(self, rows: Ints) -> Cut:
        """Return the cuts of some queries."""
        return Cut(*(getattr(self, name)[rows] for name in ("sums", "found", "before", "n", "r", "m")))


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
    # C(m, k) of `metrics`, written as k (constant + (k - 1) slope).
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
