"""How sure a figure is: bootstrap interval over queries, and a paired test between two runs on the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hashzoo.errors import UsageError

_BATCH = 1 << 20
"""Resampled values held at a time."""


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
