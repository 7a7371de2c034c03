"""Intervals and paired tests against known cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hashzoo.errors import UsageError
from hashzoo.evaluation.uncertainty import (
    bootstrap_interval,
    holm,
    paired_difference,
    paired_test,
    tied_with_best,
)


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


def board(rng, means, seeds: int = 3, queries: int = 300, seed_noise: float = 0.0) -> dict[str, np.ndarray]:
    """Rows on the same queries: difficulty shared, noise of their own, and a deviation of each seed."""
    difficulty = rng.normal(0, 0.2, queries)
    return {
        name: mean
        + difficulty
        + rng.normal(0, seed_noise, (seeds, 1)) * (seed_noise > 0)
        + rng.normal(0, 0.05, (seeds, queries))
        for name, mean in means.items()
    }


def test_the_group_tied_with_the_best_is_found():
    rows = board(np.random.default_rng(0), {"a": 0.5, "b": 0.6, "c": 0.6005, "d": 0.55})
    standings = tied_with_best(rows)
    assert {s.row for s in standings if s.tied} == {"b", "c"}
    assert [s.row for s in standings[2:]] == ["d", "a"]
    best = max(rows, key=lambda row: rows[row].mean())
    assert (standings[0].row, standings[0].difference, standings[0].p_value) == (best, 0.0, 1.0)
    for standing in standings:
        assert standing.mean == pytest.approx(rows[standing.row].mean())
        assert standing.difference == pytest.approx(rows[best].mean() - rows[standing.row].mean())
        assert standing.low <= standing.difference <= standing.high
    assert tied_with_best(rows) == standings
    turned = tied_with_best({name: -value for name, value in rows.items()}, higher_is_better=False)
    assert [(s.row, s.tied) for s in turned] == [(s.row, s.tied) for s in standings]


def test_the_interval_covers_queries_and_seeds():
    """The spread against the standard error of a two-way layout; with so many seeds Student's t is nearly normal."""
    rng = np.random.default_rng(1)
    first, second = board(rng, {"a": 0.5, "b": 0.5}, seeds=30, queries=400, seed_noise=0.04).values()
    found = paired_difference(first, second, resamples=3000)
    by_query = (second - first).mean(axis=0).var(ddof=1) / 400
    by_seed = sum(row.mean(axis=1).var(ddof=1) / 30 for row in (first, second))
    half = 1.96 * np.sqrt(by_query + by_seed)
    assert (found["high"] - found["low"]) / 2 == pytest.approx(half, rel=0.1)
    queries_only = paired_difference(first.mean(axis=0), second.mean(axis=0), resamples=3000)
    assert queries_only["high"] - queries_only["low"] < 0.6 * (found["high"] - found["low"])


def test_equal_methods_with_noisy_seeds_are_rarely_told_apart():
    """40 boards of five equal methods, three seeds: told apart by queries alone nearly always, with seeds hardly."""
    rng = np.random.default_rng(2)
    wrong = {"seeds": 0, "queries": 0}
    for _ in range(40):
        rows = board(rng, dict.fromkeys("abcde", 0.5), seeds=3, queries=200, seed_noise=0.02)
        wrong["seeds"] += not all(s.tied for s in tied_with_best(rows, resamples=499))
        means = {name: row.mean(axis=0) for name, row in rows.items()}
        wrong["queries"] += not all(s.tied for s in tied_with_best(means, resamples=499))
    assert wrong["seeds"] <= 4
    assert wrong["queries"] >= 30


def test_a_board_of_many_rows_still_tells_far_rows_apart():
    """36 rows of three seeds: those 8 points behind are not tied, equal ones of uneven spread are."""
    rng = np.random.default_rng(3)
    spreads = np.exp(rng.uniform(np.log(0.003), np.log(0.02), 36))
    queries = rng.normal(0.7, 0.2, 100)
    wrong = 0
    for _ in range(20):
        noise = spreads[:, None] * rng.standard_normal((36, 3))
        equal = {f"m{place}": queries + noise[place][:, None] for place in range(36)}
        wrong += not all(standing.tied for standing in tied_with_best(equal, resamples=499))
    assert wrong <= 3
    behind = {name: row - (0.08 if name != "m0" else 0.0) for name, row in equal.items()}
    found = tied_with_best(behind, resamples=999)
    assert found[0].row == "m0"
    assert sum(standing.tied for standing in found) <= 12


def test_a_row_that_scatters_widely_does_not_hide_the_differences_of_the_others():
    rng = np.random.default_rng(6)
    queries = rng.normal(0.7, 0.2, 300)
    rows = {f"m{n}": queries - 0.06 * (n > 0) + 0.004 * rng.standard_normal((3, 1)) for n in range(12)}
    rows["wide"] = queries - 0.3 + np.array([[-0.15], [0.0], [0.15]])
    found = {standing.row: standing for standing in tied_with_best(rows)}
    assert found["m0"].difference == 0
    assert not any(found[f"m{n}"].tied for n in range(1, 12))


def test_rows_without_a_spread_leave_that_of_the_others():
    """Beside five rows whose seeds agree, three that scatter are as uncertain as they are alone."""
    rng = np.random.default_rng(7)
    queries = rng.normal(0.7, 0.2, 300)
    scatter = {f"m{n}": queries + 0.02 * rng.standard_normal((3, 1)) for n in range(3)}
    still = {f"s{n}": np.tile(queries - 0.001 * n, (3, 1)) for n in range(5)}
    alone, among = ({s.row: s for s in tied_with_best(rows)} for rows in (scatter, scatter | still))
    best = next(row for row, standing in alone.items() if standing.difference == 0)
    assert among[best].difference == 0
    for row in scatter.keys() - {best}:
        width = [found[row].high - found[row].low for found in (alone, among)]
        assert 0.5 * width[0] < width[1] < 1.1 * width[0]
    assert all(standing.tied for standing in among.values())


def test_rows_without_a_spread_do_not_take_it_from_rows_whose_seeds_agree_by_luck():
    """The two best agree over seeds ten times as well as three others: what is pooled makes them uncertain, still."""
    rng = np.random.default_rng(9)
    queries = rng.normal(0.7, 0.2, 300)
    noise = {"best": 0.002, "next": 0.002, "m0": 0.02, "m1": 0.02, "m2": 0.02}
    ahead = {"best": 0.1, "next": 0.09}
    rows = {name: queries + ahead.get(name, 0) + sd * rng.standard_normal((3, 1)) for name, sd in noise.items()}
    still = {f"s{n}": np.tile(queries - 0.001 * n, (3, 1)) for n in range(7)}
    alone, among = ({s.row: s for s in tied_with_best(given)} for given in (rows, rows | still))
    widths = [found["next"].high - found["next"].low for found in (alone, among)]
    assert alone["best"].difference == among["best"].difference == 0
    assert widths[1] == pytest.approx(widths[0], rel=0.1)  # other draws of the same spread


def test_a_row_of_one_seed_is_as_uncertain_as_a_seed_of_the_others():
    """Beside 40 seeds of standard deviation 0.02 a single one stands for a draw of them; queries alone say nothing."""
    rng = np.random.default_rng(8)
    queries = rng.normal(0.7, 0.2, 200)
    many = queries + 0.02 * rng.standard_normal((40, 1))
    found = paired_difference(many, queries[None, :] + 0.03)
    spread = many.mean(axis=1).std(ddof=1)
    half = 1.96 * spread * np.sqrt(1 + 1 / 40)
    assert (found["high"] - found["low"]) / 2 == pytest.approx(half, rel=0.1)


def test_one_seed_is_compared_over_queries_as_the_permutation_test_does():
    rng = np.random.default_rng(3)
    first = rng.random(250)
    second = first + 0.004 + 0.03 * rng.normal(size=250)
    assert paired_difference(first, second)["p_value"] == pytest.approx(
        paired_test(first.tolist(), second.tolist())["p_value"], abs=0.02
    )
    same = paired_difference(first, first)
    assert (same["p_value"], same["difference"]) == (1.0, 0.0)


def test_holm_corrects_for_the_number_of_comparisons():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]).tolist() == [1.0, 1.0]
    rows = board(np.random.default_rng(4), {"best": 0.6} | {f"m{i}": 0.59 for i in range(12)})
    alone = tied_with_best({name: rows[name] for name in ("best", "m0")})[1].p_value
    among = {s.row: s.p_value for s in tied_with_best(rows)}["m0"]
    assert among >= alone


def test_queries_without_a_value_count_in_no_row():
    rng = np.random.default_rng(5)
    rows = board(rng, {"a": 0.5, "b": 0.52})
    kept = tied_with_best({name: row[:, 10:] for name, row in rows.items()})
    rows["a"][:, :10] = np.nan
    assert tied_with_best(rows) == kept


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "no row"),
        ({"a": np.zeros((2, 5)), "b": np.zeros((2, 4))}, r"b has values of shape .2, 4. and a of .2, 5."),
        ({"a": np.full((1, 5), np.nan), "b": np.zeros((1, 5))}, "at least 2 queries"),
        ({"a": np.zeros((1, 2, 3))}, "seeds, queries"),
    ],
)
def test_rows_that_do_not_fit_are_a_sentence(rows, message):
    with pytest.raises(UsageError, match=message):
        tied_with_best(rows)
