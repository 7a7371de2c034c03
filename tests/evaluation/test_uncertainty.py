"""Intervals and paired tests against known cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hashzoo.errors import UsageError
from hashzoo.evaluation.uncertainty import bootstrap_interval, paired_test


def test_interval_is_near_the_normal_one_and_repeatable():
    values = np.random.default_rng(0).normal(0.5, 0.2, 900)
    low, high = bootstrap_interval(values.tolist())
    half = 1.96 * values.std() / 30
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    assert bootstrap_interval(values.tolist()) == (low, high)
    narrower = bootstrap_interval(values.tolist(), level=0.5)
    assert low < narrower[0] < narrower[1] < high


def test_queries_left_out_do_not_count():
    values = [0.1, None, 0.4, 0.9, None]
    assert bootstrap_interval(values) == bootstrap_interval([0.1, 0.4, 0.9])
    assert bootstrap_interval([0.3, 0.3, 0.3]) == pytest.approx((0.3, 0.3))
    with pytest.raises(UsageError, match="at least 2"):
        bootstrap_interval([0.3, None])


def test_paired_test_is_the_exact_sign_flip_test_for_few_queries():
    first, second = [0.1, 0.5, 0.3, 0.8, 0.2], [0.2, 0.7, 0.25, 0.95, 0.5]
    difference = np.subtract(second, first)
    flips = [abs(np.mean(difference * signs)) for signs in itertools.product((-1, 1), repeat=5)]
    exact = np.mean([f >= abs(difference.mean()) - 1e-12 for f in flips])
    found = paired_test(first, second)
    assert found["p_value"] == pytest.approx(exact)
    assert found["difference"] == pytest.approx(difference.mean())
    assert (found["queries"], found["mean_first"]) == (5, pytest.approx(0.38))
    assert found["low"] <= found["difference"] <= found["high"]


def test_paired_test_sees_what_unpaired_means_hide():
    rng = np.random.default_rng(1)
    first = rng.random(300)
    better = first + 0.01 + 0.02 * rng.normal(size=300)
    assert paired_test(first.tolist(), better.tolist())["p_value"] < 0.01
    assert paired_test(first.tolist(), rng.permutation(first).tolist())["p_value"] > 0.05
    same = paired_test(first.tolist(), first.tolist())
    assert (same["p_value"], same["difference"]) == (1.0, 0.0)


def test_only_queries_with_both_values_are_compared():
    found = paired_test([0.1, None, 0.3, 0.4], [0.2, 0.9, None, 0.5])
    assert found["queries"] == 2
    assert found["difference"] == pytest.approx(0.1)
    with pytest.raises(UsageError, match="3 and 2 queries"):
        paired_test([0.1, 0.2, 0.3], [0.1, 0.2])
    with pytest.raises(UsageError, match="at least 2"):
        paired_test([None, 0.2], [0.1, 0.2])
