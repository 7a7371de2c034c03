"""Rankings with ties: groups of equally ranked items, from counts or from the order of single items.

What every ranking metric is computed from. By Hamming distance the groups come from counts (`Counts.buckets`); here are
those that need single items: by real-valued outputs, in stable database order, and within a ball.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashzoo.errors import UsageError, unknown_name
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.words import (
    Floats,
    Ints,
    check_pair,
    code_words,
    distances_to,
    label_words,
    rows_left_out,
    share_label,
)

RANKINGS = ("hamming", "inner_product", "cosine")

_CELLS = 1 << 21
"""Query-item pairs held at a time."""

_FRACTION = 40
"""Scores are compared in fixed point, with this many bits after the point relative to the largest norms."""

_SHORTEST = 30
"""Items shorter than 2 to minus this of the longest have fewer than ten bits of score left."""


@dataclass(frozen=True, eq=False)
class Buckets:
    """Rankings of Q queries as groups of equally ranked items, best first.

    before, n, r: (Q, B) items ranked before the group, items in it, relevant items in it. Groups without relevant
    items may be left out, since `before` holds their place. Unused places at the end of a row have n = r = 0 and
    before = total. total: (Q,) items in the whole list. sums: `average_precision.precision_sums` by tie order, once
    computed.
    """

    before: Ints
    n: Ints
    r: Ints
    total: Ints
    sums: dict[str, Floats] = field(default_factory=dict, repr=False)

    @cached_property
    def relevant_before(self) -> Ints:
        """Relevant items ranked before each group, (Q, B)."""
        result: Ints = np.cumsum(self.r, axis=1) - self.r
        return result

    @cached_property
    def relevant(self) -> Ints:
        """Relevant items of each query, (Q,)."""
        result: Ints = self.r.sum(axis=1)
        return result


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


Blocks = Iterator[tuple[slice, Buckets]]
Group = tuple[Ints, Ints, Ints]
Grouping = Callable[[Ints, NDArray[np.bool_]], Group]
"""Makes the groups of a list from each item's key (n,), the larger the earlier, and whether it is relevant (n,)."""


def stable_blocks(query: Codes, database: Codes, leave_out: ArrayLike | None = None) -> Blocks:
    """Yield (query rows, rankings) by Hamming distance with ties in database order, each item its own bucket."""
    check_pair(query, database)
    codes, theirs = code_words(query.packed), code_words(database.packed)
    own = rows_left_out(leave_out, len(query), len(database))
    dtype = np.uint8 if query.bits < 256 else np.uint16 if query.bits < 65536 else np.uint32

    def rank(rows: slice, shared: NDArray[np.bool_]) -> Iterator[Group]:
        for apart, relevant, out in zip(
            distances_to(codes[:, rows], theirs, dtype), shared, own[rows].tolist(), strict=True
        ):
            order = np.argsort(apart, kind="stable")
            yield _single(relevant[order if out < 0 else order[order != out]])

    return _blocks(query, database, own, rank)


def score_blocks(
    query: Codes, database: Codes, ranking: str, grouped: Grouping, leave_out: ArrayLike | None = None
) -> Blocks:
    """Yield (query rows, rankings) by inner product or cosine of the real-valued outputs.

    Scores are computed in float64 and rounded to multiples of 2^-40 of the query's norm times the largest norm in the
    database, which is above what the order of summation changes and below what single precision outputs can mean.
    `grouped` makes groups of equal scores (`tied`) or single items (`in_order`).
    """
    check_pair(query, database)
    ours, theirs = _scaled(query, database, ranking)
    own = rows_left_out(leave_out, len(query), len(database))

    def rank(rows: slice, shared: NDArray[np.bool_]) -> Iterator[Group]:
        keys = _keys(ours[rows] @ theirs.T)
        for key, relevant, out in zip(keys, shared, own[rows].tolist(), strict=True):
            if out >= 0:
                key, relevant = np.delete(key, out), np.delete(relevant, out)
            yield grouped(key, relevant)

    return _blocks(query, database, own, rank)


def ball_blocks(
    query: Codes, database: Codes, radius: int, grouped: Grouping, leave_out: ArrayLike | None = None
) -> Blocks:
    """Yield (query rows, rankings) of the items within Hamming distance `radius`, by inner product of the outputs.

    The re-ranking of DCH's evaluation (Cao et al. 2018): the ball by codes, its order by the real-valued
    outputs. `grouped` as for `score_blocks`.
    """
    check_pair(query, database)
    ours, theirs = _scaled(query, database, "inner_product")
    codes, words = code_words(query.packed), code_words(database.packed)
    own = rows_left_out(leave_out, len(query), len(database))

    def rank(rows: slice, shared: NDArray[np.bool_]) -> Iterator[Group]:
        apart = distances_to(codes[:, rows], words, np.uint32)
        for q, distance, relevant, out in zip(ours[rows], apart, shared, own[rows].tolist(), strict=True):
            ball = np.flatnonzero(distance <= radius)
            ball = ball if out < 0 else ball[ball != out]
            yield grouped(_keys(theirs[ball] @ q), relevant[ball])

    return _blocks(query, database, own, rank, whole=False)


Rank = Callable[[slice, NDArray[np.bool_]], Iterator[Group]]


def _blocks(query: Codes, database: Codes, own: Ints, rank: Rank, whole: bool = True) -> Blocks:
    """Rank queries a few at a time; `whole` tells whether each list holds the whole database."""
    labels, theirs = label_words(query.labels), label_words(database.labels)
    step = max(1, _CELLS // len(database))
    for start in range(0, len(query), step):
        rows = slice(start, min(start + step, len(query)))
        groups = list(rank(rows, share_label(labels[:, rows], theirs)))
        totals = None if not whole else len(database) - (own[rows] >= 0)
        yield rows, _padded(groups, totals)


def _padded(groups: list[Group], totals: Ints | None) -> Buckets:
    """Return the groups of each query as rows; without `totals` a list ends with its last relevant group."""
    if totals is None:
        totals = np.array([starts[-1] + sizes[-1] if len(starts) else 0 for starts, sizes, _ in groups], dtype=np.int64)
    width = max([1, *(len(r) for _, _, r in groups)])
    before = np.repeat(totals.astype(np.int64)[:, None], width, axis=1)
    n, r = np.zeros_like(before), np.zeros_like(before)
    for row, (starts, sizes, relevant) in enumerate(groups):
        found = len(relevant)
        before[row, :found], n[row, :found], r[row, :found] = starts, sizes, relevant
    return Buckets(before, n, r, totals.astype(np.int64))


def _single(relevant: NDArray[np.bool_]) -> Group:
    places = np.flatnonzero(relevant).astype(np.int64)
    ones = np.ones_like(places)
    return places, ones, ones


def in_order(key: Ints, relevant: NDArray[np.bool_]) -> Group:
    """Return the relevant items by their keys, largest first, as groups of one; equal keys keep the database order."""
    return _single(relevant[np.argsort(-key, kind="stable")])


def tied(key: Ints, relevant: NDArray[np.bool_]) -> Group:
    """Return the groups of equal keys, largest first, that hold relevant items."""
    # Relevance rides along as the lowest bit: numbers sort several times faster than their indices.
    ranked = np.sort(relevant - 2 * key)
    hits = (ranked & 1).astype(np.bool_)
    ranked >>= 1
    starts = np.flatnonzero(np.concatenate([[len(key) > 0], ranked[1:] != ranked[:-1]])[: len(key)])
    if len(starts) == len(key):
        return _single(hits)
    r = np.add.reduceat(hits.astype(np.int64), starts)
    n = np.diff(np.append(starts, len(key)))
    kept = r > 0
    return starts[kept].astype(np.int64), n[kept].astype(np.int64), r[kept]


def _keys(scores: Floats) -> Ints:
    keys: Ints = np.rint(scores * 2.0**_FRACTION).astype(np.int64)
    return keys


def _scaled(query: Codes, database: Codes, ranking: str) -> tuple[Floats, Floats]:
    """Return the outputs in float64, scaled so that no inner product exceeds 1 in size."""
    if ranking not in RANKINGS[1:]:
        raise unknown_name("real-valued ranking", ranking, RANKINGS[1:])
    if query.relaxed is None or database.relaxed is None:
        raise UsageError(
            "These codes have no real-valued outputs, which this ranking needs; give a file of real values "
            "(in Python: Codes.from_relaxed(..., keep_relaxed=True)), or rank by 'hamming'."
        )
    if query.relaxed.shape[1] != database.relaxed.shape[1]:
        raise UsageError(
            f"Query outputs have {query.relaxed.shape[1]} values and database outputs "
            f"{database.relaxed.shape[1]}; they must match."
        )
    ours, theirs = (np.asarray(codes.relaxed, dtype=np.float64) for codes in (query, database))
    if ranking == "cosine":
        return _unit(ours), _unit(theirs)
    lengths, exponents = _lengths(theirs)
    _require_one_scale(lengths, exponents)
    # Powers of two, so that scaling rounds nothing; the length of a query orders nothing.
    return np.ldexp(ours, -_lengths(ours)[1][:, None]), np.ldexp(theirs, -int(exponents.max()))


def _lengths(values: Floats) -> tuple[Floats, Ints]:
    """Return the norm of each row as (m, e) with norm m 2^e, m at most 1: none overflows or underflows."""
    largest = np.frexp(np.abs(values).max(axis=1, initial=0.0))[1].astype(np.int64)
    scaled = np.ldexp(values, -largest[:, None])
    mantissa, exponent = np.frexp(np.sqrt((scaled * scaled).sum(axis=1)))
    return mantissa, largest + exponent


def _unit(values: Floats) -> Floats:
    """Return rows of length 1; rows of zeros stay."""
    mantissa, exponent = _lengths(values)
    result: Floats = np.ldexp(values, -exponent[:, None]) / np.where(mantissa > 0, mantissa, 1.0)[:, None]
    return result


def _require_one_scale(mantissa: Floats, exponent: Ints) -> None:
    """Raise UsageError where more than 1 % of the items are so short that their scores would all tie."""
    short = (mantissa > 0) & (exponent < exponent[mantissa > 0].max(initial=np.iinfo(np.int64).min // 2) - _SHORTEST)
    if short.mean() > 0.01:
        raise UsageError(
            f"The outputs of {int(short.sum())} database items are less than a billionth as long as the longest, so "
            "that their inner products cannot be told apart; rank by 'cosine', or give outputs of one scale."
        )
