"""Ranking metrics against all orders of small lists, the worked values, random tie orders, and scikit-learn."""

from __future__ import annotations

from fractions import Fraction
from statistics import fmean

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from sklearn.metrics import average_precision_score, ndcg_score, precision_recall_curve

from hashzoo.errors import UsageError
from hashzoo.evaluation.average_precision import (
    average_precision,
    eleven_point,
    first_relevant,
    harmonic_difference,
)
from hashzoo.evaluation.counting.counts import Counts
from hashzoo.evaluation.metrics import ndcg_at, pr_lookup, precision_at, recall_at, relevant_at_ranks
from hashzoo.evaluation.ranking import Buckets

DIVISORS = ("retrieved", "min", "all")

WORKED = [
    # buckets (items, relevant), expected, best, worst
    ([(2, 1)], Fraction(3, 4), 1, 0.5),
    ([(3, 1)], Fraction(11, 18), 1, 1 / 3),
    ([(4, 2)], Fraction(49, 72), 1, 0.416667),
    ([(1, 1), (3, 2)], Fraction(49, 54), 1, 0.805556),
    ([(2, 1), (3, 2), (2, 0)], Fraction(181, 270), 0.805556, 0.533333),
    ([(1, 0), (4, 3), (2, 1)], Fraction(1287, 2240), 0.645833, 0.501190),
    ([(10, 5)], Fraction(27541, 45360), 1, 0.354365),
    ([(5, 5), (5, 0)], Fraction(1), 1, 1),
]

WORKED_CUT = [
    ([(4, 2)], 2, Fraction(2, 3), Fraction(5, 12), Fraction(5, 12)),
    ([(4, 1)], 2, Fraction(3, 8), Fraction(3, 8), Fraction(3, 8)),
    ([(2, 1), (3, 2), (2, 0)], 3, Fraction(13, 18), Fraction(43, 108), Fraction(43, 108)),
    ([(1, 0), (4, 3), (2, 1)], 3, Fraction(1, 2), Fraction(19, 72), Fraction(19, 96)),
]


def small_lists():
    bucket = st.integers(0, 4).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
    return st.lists(bucket, min_size=1, max_size=3).filter(lambda sizes: sum(n for n, _ in sizes) > 0)


@pytest.mark.parametrize(("sizes", "expected", "best", "worst"), WORKED)
def test_worked_values(slow, sizes, expected, best, worst):
    buckets = slow.buckets_of(sizes)
    assert average_precision(buckets)[0] == pytest.approx(float(expected), abs=1e-12)
    assert average_precision(buckets, ties="best")[0] == pytest.approx(best, abs=1e-6)
    assert average_precision(buckets, ties="worst")[0] == pytest.approx(worst, abs=1e-6)


@pytest.mark.parametrize(("sizes", "cut", "retrieved", "smaller", "everything"), WORKED_CUT)
def test_worked_values_with_a_cut(slow, sizes, cut, retrieved, smaller, everything):
    buckets = slow.buckets_of(sizes)
    for divisor, value in zip(DIVISORS, (retrieved, smaller, everything), strict=True):
        assert average_precision(buckets, cut, divisor=divisor)[0] == pytest.approx(float(value), abs=1e-12)


def test_worked_values_of_one_large_bucket(slow):
    assert average_precision(slow.buckets_of([(59000, 5900)]))[0] == pytest.approx(0.100161, abs=5e-7)
    buckets = slow.buckets_of([(54000, 5400)])
    values = [average_precision(buckets, 5000, divisor=divisor)[0] for divisor in DIVISORS]
    assert values == pytest.approx([0.101457, 0.0101620, 0.0094093], abs=6e-7)


@settings(max_examples=60, deadline=None)
@given(sizes=small_lists(), divisor=st.sampled_from(DIVISORS))
def test_average_precision_equals_the_mean_over_all_orders(slow, sizes, divisor):
    lists = list(slow.arrangements(sizes))
    total = sum(n for n, _ in sizes)
    buckets = slow.buckets_of(sizes)
    for cut in range(1, total + 2):
        values = [slow.ap_of_list(g, cut, divisor) for g in lists]
        for ties, exact in (("expected", sum(values) / len(values)), ("best", max(values)), ("worst", min(values))):
            ours = average_precision(buckets, cut, divisor=divisor, ties=ties)[0]
            assert ours == pytest.approx(float(exact), abs=1e-12), (cut, ties)


@settings(max_examples=60, deadline=None)
@given(sizes=small_lists())
def test_precision_recall_ndcg_equal_the_mean_over_all_orders(slow, sizes):
    lists = np.array(list(slow.arrangements(sizes)))
    total, relevant = lists.shape[1], int(lists[0].sum())
    discount = 1 / np.log2(np.arange(2, total + 2))
    buckets = slow.buckets_of(sizes)
    for cut in range(1, total + 1):
        found = lists[:, :cut].sum(axis=1)
        gain = lists[:, :cut] @ discount[:cut]
        ideal = discount[: min(relevant, cut)].sum()
        for ties, of in (("expected", np.mean), ("best", np.max), ("worst", np.min)):
            assert precision_at(buckets, cut, ties=ties)[0] == pytest.approx(of(found) / cut, abs=1e-12)
            assert recall_at(buckets, cut, ties=ties)[0] == pytest.approx(of(found) / max(relevant, 1), abs=1e-12)
            assert ndcg_at(buckets, cut, ties=ties)[0] == pytest.approx(of(gain) / ideal if relevant else 0, abs=1e-12)
    ranks = np.arange(1, total + 1)
    curve = relevant_at_ranks(buckets, ranks)[0]
    assert curve == pytest.approx(lists.cumsum(axis=1).mean(axis=0), abs=1e-12)


@pytest.mark.parametrize("cut", [None, 1000, 47])
def test_larger_lists_against_random_tie_orders(slow, cut):
    sizes = [(40, 30), (300, 120), (2000, 300), (5000, 150)]
    rng = np.random.default_rng(7)
    values = []
    for _ in range(400):
        parts = [rng.permutation(np.arange(n) < r) for n, r in sizes]
        places = np.flatnonzero(np.concatenate(parts)[:cut])
        values.append(np.mean(np.arange(1, len(places) + 1) / (places + 1)))
    error = np.std(values) / np.sqrt(len(values))
    assert average_precision(slow.buckets_of(sizes), cut)[0] == pytest.approx(fmean(values), abs=5 * error)
    assert error < 0.01


def test_quotient_of_expectations_is_not_taken(slow):
    assert average_precision(slow.buckets_of([(4, 2)]), 2)[0] == pytest.approx(2 / 3)  # that would give 5/6


@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, 10**8), count=st.integers(0, 400))
@example(start=512, count=1)
@example(start=500, count=30)
def test_harmonic_difference_to_nearly_full_precision(start, count):
    exact = sum((Fraction(1, start + i) for i in range(1, count + 1)), Fraction(0))
    ours = float(harmonic_difference(np.array(start), np.array(count)))
    # Below 512 two harmonic numbers of up to 7 are subtracted; above, nothing cancels.
    assert ours == pytest.approx(float(exact), rel=5e-15, abs=4e-15 if start < 512 else 0)


def test_harmonic_difference_across_the_table(slow):
    exact = sum(Fraction(1, i) for i in range(501, 3001))
    assert float(harmonic_difference(np.array(500), np.array(2500))) == pytest.approx(float(exact), rel=1e-14, abs=0)


def test_the_sum_over_relevant_retrieved_against_exact_rationals(slow):
    """A cut in a bucket of 5,000: the windowed sum in floats against the whole sum in rationals."""
    from math import comb

    n, r, m, before, found = 5000, 700, 1234, 3, 2
    spread = sum((Fraction(1, before + t) for t in range(1, m + 1)), Fraction(0))
    ahead = Fraction(1, 1) + Fraction(2, 2)  # relevant at ranks 1 and 2, then one that is not
    exact = Fraction(0)
    for k in range(r + 1):
        q = Fraction(k - 1, m - 1)
        inside = Fraction(k, m) * (q * m + (found + 1 - q * (before + 1)) * spread)
        exact += Fraction(comb(r, k) * comb(n - r, m - k), comb(n, m)) * (ahead + inside) / (found + k)
    buckets = slow.buckets_of([(1, 1), (1, 1), (1, 0), (n, r)])
    assert average_precision(buckets, before + m)[0] == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize(
    ("n", "r", "m"), [(200_000, 90_000, 30_000), (10**6, 3, 999_000), (50_000, 49_990, 20), (7, 4, 6)]
)
def test_the_sum_over_relevant_retrieved_against_scipy(slow, n, r, m):
    k = np.arange(max(0, m - (n - r)), min(r, m) + 1)
    harmonic = np.sum(1 / np.arange(1, m + 1))
    inside = k / m * ((k - 1) / (m - 1) * m + (1 - (k - 1) / (m - 1)) * harmonic)
    value = np.where(k > 0, inside / np.maximum(k, 1), 0)
    exact = np.sum(hypergeom.pmf(k, n, r, m) * value)
    assert average_precision(slow.buckets_of([(n, r)]), m)[0] == pytest.approx(exact, rel=1e-8)


def test_ndcg_with_ties_equals_scikit_learn():
    rng = np.random.default_rng(3)
    distances, relevant = rng.integers(0, 9, 200), rng.random(200) < 0.3
    n, r = (np.bincount(d, minlength=9)[None] for d in (distances, distances[relevant]))
    buckets = Counts(n, r).buckets()
    for cut in (1, 10, 57, 200):
        theirs = ndcg_score(relevant[None].astype(float), -distances[None].astype(float), k=cut)
        assert ndcg_at(buckets, cut)[0] == pytest.approx(theirs, abs=1e-12)


def test_without_ties_average_precision_equals_scikit_learn():
    rng = np.random.default_rng(4)
    relevant = rng.random(300) < 0.2
    ones = np.ones((1, 300), dtype=np.int64)
    buckets = Buckets(np.arange(300)[None], ones, relevant[None].astype(np.int64), np.array([300]))
    assert average_precision(buckets)[0] == pytest.approx(average_precision_score(relevant, -np.arange(300)))


def test_lookup_curve_of_one_query_equals_scikit_learn():
    rng = np.random.default_rng(5)
    distances, relevant = rng.integers(0, 17, 400), rng.random(400) < 0.3
    n, r = (np.bincount(d, minlength=17)[None] for d in (distances, distances[relevant]))
    precision, recall, thresholds = precision_recall_curve(relevant, -distances)
    theirs = {int(-t): (x, p) for p, x, t in zip(precision, recall, thresholds, strict=False)}
    ours = pr_lookup(Counts(n, r))
    assert len(theirs.keys() & {int(radius) for radius, _, _ in ours}) >= 10
    for radius, x, p in ours:
        if int(radius) in theirs:
            assert (x, p) == pytest.approx(theirs[int(radius)])


def test_other_tools_forms_on_the_reference_list():
    g = np.array([0, 1, 0, 1, 0, 0, 1, 0, 0, 1])
    places = np.flatnonzero(g)[None]
    ones = np.ones_like(places)
    buckets = Buckets(places, ones, ones, np.array([10]))
    for cut, retrieved, smaller, everything, first in (
        (10, 0.457143, 0.457143, 0.457143, 0.457143),
        (5, 0.5, 0.25, 0.25, 0.457143),
        (3, 0.5, 0.166667, 0.125, 0.476190),
        (1, 0, 0, 0, 0.5),
    ):
        ours = [average_precision(buckets, cut, divisor=divisor)[0] for divisor in DIVISORS]
        assert [*ours, first_relevant(buckets, cut)[0]] == pytest.approx(
            [retrieved, smaller, everything, first], abs=1e-6
        )
    assert eleven_point(buckets)[0] == pytest.approx(0.377922, abs=1e-6)


def test_unknown_divisor_and_ties_are_sentences(slow):
    with pytest.raises(UsageError, match="did you mean 'retrieved'"):
        average_precision(slow.buckets_of([(2, 1)]), 1, divisor="retreived")
    with pytest.raises(UsageError, match="tie order"):
        average_precision(slow.buckets_of([(2, 1)]), ties="lucky")


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(
        st.tuples(st.integers(1, 400), st.just(0)).map(lambda pair: (pair[0], pair[0])), min_size=1, max_size=6
    ),
    cut=st.integers(1, 2500),
)
@example(sizes=[(48, 48)], cut=25)
@example(sizes=[(58, 58)], cut=56)
def test_no_value_exceeds_one_by_rounding(slow, sizes, cut):
    """Everything relevant: the value is 1, and by rounding it was 1.0000000000000002."""
    buckets = slow.buckets_of(sizes)
    for ties in ("expected", "best", "worst"):
        for divisor in DIVISORS:
            value = average_precision(buckets, cut, divisor=divisor, ties=ties)[0]
            assert value <= 1.0
            assert divisor == "all" or value == pytest.approx(1)
        for of in (precision_at, recall_at, ndcg_at):
            assert of(buckets, cut, ties=ties)[0] <= 1.0
