"""How sure a figure is: intervals over queries, paired tests of two runs, and the rows tied with the best.

Runs on the same queries are compared query by query. A method's seeds are a second source of chance: where there are
several, another draw of them is allowed for as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashzoo.errors import UsageError

_BATCH = 1 << 20
"""Resampled values held at a time."""

_SAME = 1e-12
"""Differences closer than this are rounding."""

_WIDE = 16.0
"""A variance over seeds counts in the pooled one with at most this many times the median variance."""

_STILL = 1e-6
"""A row whose variance over seeds is at most this share of the largest does not depend on the seed."""


def bootstrap_interval(
    values: Sequence[float | None], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval (low, high) of the mean over queries.

    values: one per query, None for queries that a convention leaves out. It covers the draw of the queries, not
    that of the training: for that, compare seeds. The same seed gives the same interval. Needs two values.
    """
    from scipy import stats

    kept = np.array([value for value in values if value is not None], dtype=np.float64)
    if len(kept) < 2:
        raise UsageError(f"An interval needs at least 2 queries with a value; there are {len(kept)}.")
    found = stats.bootstrap(
        (kept,),
        np.mean,
        method="percentile",
        confidence_level=level,
        n_resamples=resamples,
        batch=max(1, _BATCH // len(kept)),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def paired_test(
    first: Sequence[float | None], second: Sequence[float | None], *, resamples: int = 4999, seed: int = 0
) -> dict[str, Any]:
    """Compare two runs by their values for the same queries, in the same order.

    Returns queries (those with a value in both), mean_first, mean_second, difference (second - first), its
    bootstrap interval low and high (95 %), and p_value: two-sided sign-flip permutation test of the mean
    difference, exact for few queries, else with `resamples` random flips.
    """
    from scipy import stats

    if len(first) != len(second):
        raise UsageError(f"The runs have {len(first)} and {len(second)} queries; a paired test needs the same ones.")
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if len(pairs) < 2:
        raise UsageError(f"A paired test needs at least 2 queries with a value in both runs; there are {len(pairs)}.")
    a, b = np.array(pairs, dtype=np.float64).T
    difference = b - a
    p_value = 1.0
    if np.any(difference != 0):
        p_value = stats.permutation_test(
            (b, a),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, _BATCH // len(pairs)),
            rng=np.random.default_rng(seed),
        ).pvalue
    low, high = bootstrap_interval(difference.tolist(), seed=seed)
    return {
        "queries": len(pairs),
        "mean_first": float(a.mean()),
        "mean_second": float(b.mean()),
        "difference": float(difference.mean()),
        "low": low,
        "high": high,
        "p_value": float(p_value),
    }


@dataclass(frozen=True)
class Standing:
    """How a row of a board stands to the best one.

    mean: over seeds and queries. difference: by how much it is worse than the best, at least 0, with its 95 % interval
    low to high (of this pair alone). p_value: of a difference as large by chance, corrected for all comparisons. tied:
    not shown to be worse.
    """

    row: str
    mean: float
    difference: float
    low: float
    high: float
    p_value: float
    tied: bool


def tied_with_best(
    values: Mapping[str, ArrayLike],
    *,
    higher_is_better: bool = True,
    level: float = 0.05,
    resamples: int = 4999,
    seed: int = 0,
) -> list[Standing]:
    """Return how every row stands to the best, best first; those `tied` are the group from which no best can be told.

    values: for each row (S, Q), one value per seed and query, the same queries in the same order; rows may differ in S.
    NaN for a query that has no value, which then counts in no row.

    The row with the best mean over seeds and queries is compared with every other one, with chance as in
    `paired_difference`. p_value is the chance that among as many equal rows any two lie as far apart, each difference
    counted in its own standard errors (Tukey's range as Kramer has it for unequal spreads, by bootstrap), so that the
    chance of calling any equal row worse stays below `level`, however many rows there are and although the best was
    found from the same values; and one row that scatters widely does not hide the differences of the others.
    Deterministic for one `seed`. Raises UsageError for rows that do not fit each other.
    """
    rows = list(values)
    if not rows:
        raise UsageError("There is no row to compare.")
    arrays = _of_shared_queries([values[row] for row in rows], rows)
    sign = 1.0 if higher_is_better else -1.0
    means = np.array([array.mean() for array in arrays])
    best = int(np.argmax(sign * means))
    chance = sign * _deviations(arrays, resamples, seed)
    differences = sign * (means[best] - means)
    errors = _errors(chance)
    apart = np.zeros(resamples)
    for row in range(len(rows) - 1):  # the pairs of a row with those after it, so that memory stays small
        pairs = np.abs(chance[:, row + 1 :] - chance[:, row, None]) / errors[row, row + 1 :]
        np.maximum(apart, pairs.max(axis=1), out=apart)
    asked = (differences - _SAME) / errors[best]
    p_values = (1 + (apart[:, None] >= asked).sum(axis=0)) / (resamples + 1)
    low, high = np.quantile(chance[:, best, None] - chance, [0.025, 0.975], axis=0) + differences
    return [
        Standing(
            rows[place],
            float(means[place]),
            float(differences[place]),
            float(low[place]),
            float(high[place]),
            float(p_values[place]),
            bool(place == best or p_values[place] > level),
        )
        for place in sorted(range(len(rows)), key=lambda place: (differences[place], place != best))
    ]


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, resamples: int = 4999, seed: int = 0
) -> dict[str, float | int]:
    """Return how much larger `second` is than `first`, both (S, Q): difference, 95 % interval low and high, p_value.

    The queries are resampled, the same ones for both rows (paired bootstrap). To that is added how the mean of S seeds
    deviates, Student's t with the degrees of freedom of both rows times the standard error over seeds, so that the
    interval covers another draw of queries and another draw of seeds; where both rows have a single seed it covers
    queries alone. p_value is two-sided: the chance of a deviation as large as the difference. Queries without a value
    in one row count in neither.
    """
    arrays = _of_shared_queries([first, second], ["first", "second"])
    chance = _deviations(arrays, resamples, seed)
    difference = float(arrays[1].mean() - arrays[0].mean())
    spread = chance[:, 1] - chance[:, 0]
    low, high = np.quantile(spread, [0.025, 0.975]) + difference
    return {
        "queries": int(arrays[0].shape[1]),
        "difference": difference,
        "low": float(low),
        "high": float(high),
        "p_value": float((1 + (np.abs(spread) >= abs(difference) - _SAME).sum()) / (resamples + 1)),
    }


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p values corrected for their number by Holm's procedure (1979), in the same order: for separate questions.

    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given)
    steps = given[order] * np.arange(len(given), 0, -1)
    result = np.empty_like(given)
    result[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return result


def _of_shared_queries(values: Sequence[ArrayLike], rows: Sequence[str]) -> list[NDArray[np.float64]]:
    """Return the rows (S, Q) without the queries that have no value somewhere."""
    arrays = [np.atleast_2d(np.asarray(value, dtype=np.float64)) for value in values]
    for row, array in zip(rows, arrays, strict=True):
        if array.ndim != 2 or array.shape[1] != arrays[0].shape[1] or array.shape[0] == 0:
            raise UsageError(
                f"{row} has values of shape {array.shape} and {rows[0]} of {arrays[0].shape}; give (seeds, queries) "
                "with the same queries in each row."
            )
    kept = ~np.any([np.isnan(array).any(axis=0) for array in arrays], axis=0)
    if kept.sum() < 2:
        raise UsageError(f"A comparison needs at least 2 queries with a value in every row; there are {kept.sum()}.")
    return [array[:, kept] for array in arrays]


def _errors(chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of the difference of each pair of rows, (rows, rows), never 0."""
    covariance = np.atleast_2d(np.cov(chance, rowvar=False))
    variance = np.diag(covariance)
    squared = variance[:, None] + variance[None, :] - 2 * covariance
    return np.sqrt(np.maximum(squared, _SAME**2))


@lru_cache(maxsize=2)
def _drawn(queries: int, resamples: int, seed: int) -> tuple[list[NDArray[np.unsignedinteger]], Mapping[str, Any]]:
    """Return how often each resample holds each query, in blocks (size, Q), and the state of the generator after it.

    Comparisons on one board ask for the same draws again and again: those last asked for are kept, a byte each.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _BATCH // queries)
    blocks = []
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, queries, (size, queries)) + np.arange(size)[:, None] * queries
        times = np.bincount(drawn.ravel(), minlength=size * queries).reshape(size, queries)
        blocks.append(times.astype(np.min_scalar_type(int(times.max()))))
    return blocks, rng.bit_generator.state


def _deviations(arrays: Sequence[NDArray[np.float64]], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return by how much the mean of each row deviates by chance of queries (shared) and seeds, (resamples, rows).

    Three seeds say little of one row's spread, so that of a row is taken as its own or that of all rows pooled,
    whichever is larger, and is as uncertain as the pooled one: Student's t with the degrees of freedom that Welch and
    Satterthwaite give a pool of unequal variances. That of a row with one seed is the pooled one. Rows that do not
    depend on the seed are not in the pool; a row that scatters far more than most, say because one of its seeds is
    unlike the others, widens its own and hardly the pooled one. How often equal rows are told apart, and others are
    found, in simulation: benchmarks/results/tied_groups.md.
    """
    over_seeds = np.stack([array.mean(axis=0) for array in arrays], axis=1)  # (Q, rows)
    queries = len(over_seeds)
    blocks, state = _drawn(queries, resamples, seed)
    result = np.concatenate([(times - 1.0) @ over_seeds / queries for times in blocks])
    rng = np.random.default_rng(seed)
    rng.bit_generator.state = state
    degrees = np.array([len(array) - 1 for array in arrays])
    variances = np.array([array.mean(axis=1).var(ddof=1) if len(array) > 1 else 0.0 for array in arrays])
    if variances.any():
        known = degrees * (variances > _STILL * variances.max())
        usual = np.minimum(variances, _WIDE * np.median(variances[known > 0]))
        pooled = float((known * usual).sum() / known.sum())
        freedom = float((known * usual).sum() ** 2 / (known * usual**2).sum())
        errors = np.sqrt(np.maximum(variances, pooled) / (degrees + 1))
        scale = np.sqrt(rng.chisquare(freedom, resamples) / freedom)
        result += errors * rng.standard_normal((resamples, len(arrays))) / scale[:, None]
    return result
