"""`evaluate`: properties of every metric, real-valued rankings, balls, stable order, per-query values, sentences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.errors import UsageError
from hashzoo.evaluation.api import evaluate, evaluate_counts
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.counts import count
from hashzoo.evaluation.evaluators import CodeQuality, RankingMetrics
from hashzoo.evaluation.names import DEFAULT, parse
from hashzoo.specs import Protocol, Retrieval

NUMBERS = (
    *("map", "map@1", "map@37", "map@5000", "map@h0", "map@h2", "map@h2-reranked", "precision@10", "recall@10"),
    *("ndcg@10", "precision@h2", "precision@h2-micro", "recall@h2", "empty@h2"),
)
ORDERED = ("map", "map@1", "map@37", "precision@10", "recall@10", "ndcg@10")


def distances(query: Codes, database: Codes) -> np.ndarray:
    return (query.bits - query.signs().astype(int) @ database.signs().astype(int).T) // 2


def relevance(query: Codes, database: Codes) -> np.ndarray:
    return (query.labels.astype(int) @ database.labels.astype(int).T) > 0


def ap(g: np.ndarray) -> float:
    places = np.flatnonzero(g)
    return float(np.mean(np.arange(1, len(places) + 1) / (places + 1))) if len(places) else 0.0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 500), bits=st.integers(1, 40), multi=st.booleans())
def test_properties(make_codes, seed, bits, multi):
    query, database = make_codes(8, 150, bits, multi=multi, seed=seed)
    values = evaluate(query, database, NUMBERS)
    assert all(0 <= values[name] <= 1 + 1e-12 for name in NUMBERS)
    shuffled = database.take(np.random.default_rng(seed).permutation(len(database)))
    assert evaluate(query, shuffled, NUMBERS) == pytest.approx(values, abs=1e-12)
    for divisor in ("retrieved", "min", "all"):
        kinds = [evaluate(query, database, ORDERED, ties, divisor=divisor) for ties in ("best", "expected", "worst")]
        for name in ORDERED:
            best, expected, worst = (kind[name] for kind in kinds)
            assert best >= expected - 1e-12
            assert expected >= worst - 1e-12
        stable = evaluate(query, database, ORDERED, "stable", divisor=divisor)
        assert all(kinds[0][name] >= stable[name] - 1e-12 >= kinds[2][name] - 2e-12 for name in ORDERED)


def test_within_a_radius_against_plain_loops(make_codes):
    query, database = make_codes(bits=10)
    apart, relevant = distances(query, database), relevance(query, database)
    ball = apart <= 2
    values = evaluate(query, database, ["precision@h2", "recall@h2", "empty@h2", "precision@h2-micro", "map@h2"])
    found = (ball & relevant).sum(axis=1)
    assert values["precision@h2"] == pytest.approx(np.mean(found / np.maximum(ball.sum(axis=1), 1)))
    assert values["recall@h2"] == pytest.approx(np.mean(found / np.maximum(relevant.sum(axis=1), 1)))
    assert values["empty@h2"] == pytest.approx(np.mean(~ball.any(axis=1)))
    assert values["precision@h2-micro"] == pytest.approx(found.sum() / ball.sum())
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(60):
        order = rng.permutation(len(database))
        ranked = order[np.argsort(apart[:, order], axis=1, kind="stable")]
        draws.append(
            np.mean([ap(relevant[i, row[: ball[i].sum()]]) for i, row in enumerate(ranked)])  # the ball in order
        )
    assert values["map@h2"] == pytest.approx(np.mean(draws), abs=5 * np.std(draws) / np.sqrt(len(draws)))
    assert np.std(draws) > 0


def test_a_ball_that_is_empty_scores_zero():
    query = Codes.from_signs([[1] * 8, [-1] * 8], [0, 0])
    database = Codes.from_signs([[1] * 8] * 3, [0, 0, 0])
    values = evaluate(query, database, ["map@h2", "precision@h2", "recall@h2", "empty@h2"])
    assert values["map@h2"] == values["precision@h2"] == values["recall@h2"] == values["empty@h2"] == 0.5


def test_reranked_ball_against_plain_loops(make_codes):
    query, database = make_codes(bits=8)
    ball, relevant = distances(query, database) <= 2, relevance(query, database)
    scores = query.relaxed.astype(np.float64) @ database.relaxed.astype(np.float64).T
    expected = []
    for i in range(len(query)):
        inside = np.flatnonzero(ball[i])
        expected.append(ap(relevant[i, inside[np.argsort(-scores[i, inside])]]))
    assert evaluate(query, database, ["map@h2-reranked"])["map@h2-reranked"] == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("ranking", ["inner_product", "cosine"])
def test_real_valued_ranking_without_ties_against_a_sort(make_codes, ranking):
    query, database = make_codes(bits=24)
    ours, theirs = query.relaxed.astype(np.float64), database.relaxed.astype(np.float64)
    if ranking == "cosine":
        ours, theirs = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (ours, theirs))
    ranked = np.take_along_axis(relevance(query, database), np.argsort(-(ours @ theirs.T), axis=1), axis=1)
    values = evaluate(query, database, ["map", "map@50", "precision@20"], ranking=ranking)
    assert values["map"] == pytest.approx(np.mean([ap(g) for g in ranked]))
    assert values["map@50"] == pytest.approx(np.mean([ap(g[:50]) for g in ranked]))
    assert values["precision@20"] == pytest.approx(ranked[:, :20].mean())


@pytest.mark.parametrize("ranking", ["inner_product", "cosine"])
def test_equal_scores_are_ties(make_codes, ranking):
    """Ranked by the inner product of -1/+1 codes, everything is as by Hamming distance, ties included."""
    pair = [Codes.from_relaxed(c.signs(), c.labels, keep_relaxed=True) for c in make_codes(bits=12)]
    names = ["map", "map@100", "map:best", "map:worst", "ndcg@50", "precision@30", "recall@30"]
    by_scores = evaluate(*pair, names, ranking=ranking)
    assert by_scores == pytest.approx(evaluate(*pair, names), abs=1e-12)
    assert by_scores["map:best"] > by_scores["map"] + 0.01


def test_one_tie_among_distinct_scores():
    query = Codes.from_relaxed([[1.0]], [0], keep_relaxed=True, num_classes=2)
    database = Codes.from_relaxed([[5.0], [4.0], [3.0], [3.0], [2.0], [1.0]], [1, 1, 0, 1, 1, 1], keep_relaxed=True)
    values = evaluate(query, database, ["map", "map:best", "map:worst"], ranking="inner_product")
    assert [values[name] for name in ("map:best", "map", "map:worst")] == pytest.approx([1 / 3, 7 / 24, 1 / 4])


def test_parallel_outputs_tie_by_cosine():
    query = Codes.from_relaxed([[0.3, 0.7, 0.1]], [0], keep_relaxed=True, num_classes=2)
    direction = np.array([0.125, 0.875, 0.375], dtype=np.float32)
    items = np.array([direction * np.float32(f) for f in (1, 3, 7)])  # exact in float32
    database = Codes.from_relaxed(items, [0, 1, 1], keep_relaxed=True, num_classes=2)
    assert evaluate(query, database, ["map"], ranking="cosine")["map"] == pytest.approx(11 / 18, abs=1e-9)


def test_curves(make_codes):
    query, database = make_codes(bits=14)
    values = evaluate(query, database, ["precision_curve", "pr_curve", "pr_curve_lookup", "precision@100"])
    curve = dict(map(tuple, values["precision_curve"]))
    assert curve[100] == pytest.approx(values["precision@100"])
    assert curve[1] == pytest.approx(evaluate(query, database, ["precision@1"])["precision@1"])
    recall, precision = np.array(values["pr_curve"]).T
    assert (np.diff(recall) >= 0).all()
    assert recall[-1] == pytest.approx(1)
    some = relevance(query, database).any(axis=1)
    assert precision[-1] == pytest.approx(relevance(query, database)[some].mean())
    apart, relevant = distances(query, database), relevance(query, database)
    for radius, x, y in values["pr_curve_lookup"]:
        ball = apart <= radius
        assert (x, y) == pytest.approx(((ball & relevant).sum() / relevant.sum(), relevant[ball].mean()))


@pytest.mark.parametrize("ranking", ["hamming", "inner_product"])
def test_curves_of_lists_of_two_lengths(make_codes, monkeypatch, ranking):
    """Some queries leave an item out, others none, a few queries at a time: ranks and ends are those of all lists."""
    query, database = make_codes(7, 20, 14)
    own = np.array([3, 0, 5, 9, -1, -1, 2])
    whole = evaluate(query, database, ["precision_curve", "pr_curve"], ranking=ranking, leave_out=own)
    monkeypatch.setattr("hashzoo.evaluation.ranking._CELLS", 40)  # two queries
    assert evaluate(query, database, ["precision_curve", "pr_curve"], ranking=ranking, leave_out=own) == whole
    names = [f"precision@{rank}" for rank, _ in whole["precision_curve"]]
    cut = evaluate(query, database, names, ranking=ranking, leave_out=own)
    assert [p for _, p in whole["precision_curve"]] == pytest.approx([cut[name] for name in names])
    assert whole["precision_curve"][-1][0] == 20
    assert whole["pr_curve"][-1][0] == pytest.approx(1.0)


def test_a_list_of_nothing_has_no_curve(make_codes):
    query, database = make_codes(1, 1, 14)
    for ranking in ("hamming", "inner_product"):
        values = evaluate(query, database, ["precision_curve", "pr_curve"], ranking=ranking, leave_out=[0])
        assert (values["precision_curve"], values["pr_curve"]) == ([], [])


def test_left_out_queries_agree_over_all_rankings(make_codes):
    _, database = make_codes(bits=10)
    own = np.arange(6)
    query = database.take(own)
    names = ["map", "map@50", "map@h2", "map@h2-reranked", "precision@10"]
    for options in ({}, {"ties": "stable"}, {"ranking": "inner_product"}):
        values = evaluate(query, database, names, per_query=True, leave_out=own, **options)
        for i in own:
            rest = database.take(np.delete(np.arange(len(database)), i))
            alone = evaluate(query.take(slice(i, i + 1)), rest, names, **options)
            for name in names:
                assert values[f"{name}:per_query"][i] == pytest.approx(alone[name], abs=1e-12)


def test_per_query_values_average_to_the_figure(make_codes):
    query, database = make_codes()
    values = evaluate(query, database, ["map", "precision@10"], per_query=True)
    assert len(values["map:per_query"]) == len(query)
    assert np.mean(values["map:per_query"]) == pytest.approx(values["map"])
    relevant = relevance(query, database)
    assert values["queries_without_relevant"] == int((~relevant.any(axis=1)).sum()) == 1
    assert values["map:per_query"][0] == 0.0  # no label: counts 0


def test_without_metrics_a_full_set_is_computed(make_codes):
    query, database = make_codes(items=5000)
    assert set(evaluate(query, database)) == {*DEFAULT, "queries_without_relevant"}
    by_score = evaluate(query, database, ranking="cosine")
    assert not any("@h" in name or "lookup" in name for name in by_score)
    assert {"map", "pr_curve"} <= set(by_score)


@pytest.mark.parametrize(
    ("name", "near"),
    [("mpa", "'map'"), ("map@h2-rerank", "'map@h2-reranked'"), ("recall", "metric"), ("ndcg@h2", "metric")]
    + [(name, "metric") for name in ("map@", "precision@10-micro", "pr_curve:best", "empty@5", "map@5 ")],
)
def test_unknown_metrics_are_a_sentence_with_near_names(make_codes, name, near):
    with pytest.raises(UsageError, match=near):
        evaluate(*make_codes(), [name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ties": "random"}, "tie order"),
        ({"divisor": "total"}, "divisor"),
        ({"ranking": "hammming"}, "did you mean 'hamming'"),
        ({"convention": "hashnets"}, "did you mean 'hashnet"),
        ({"metrics": ","}, "No metric is named"),
        ({"metrics": [5]}, "named by a text"),
        ({"metrics": ["map@99999999999999999999"]}, "20 digits"),
        ({"metrics": ["map@h" + "9" * 5000]}, "5000 digits"),
        ({"metrics": ["map@0"]}, "at least 1"),
    ],
)
def test_unknown_options_are_a_sentence(make_codes, options, message):
    with pytest.raises(UsageError, match=message):
        evaluate(*make_codes(), **options)


def test_missing_real_values_are_a_sentence(make_codes):
    plain = [Codes.from_signs(c.signs(), c.labels) for c in make_codes()]
    for options in ({"ranking": "cosine"}, {"metrics": ["map@h2-reranked"]}):
        with pytest.raises(UsageError, match="have no real-valued outputs"):
            evaluate(*plain, **options)


def test_an_order_of_ties_does_not_fit_tools_with_a_form_of_their_own(make_codes):
    with pytest.raises(UsageError, match="'torchcmh' knows one order"):
        evaluate(*make_codes(), ["map:best"], convention="torchcmh")


def test_any_number_may_stand_in_a_name():
    assert parse("map@123456").cut == 123456
    assert parse("recall@h17").radius == 17
    assert parse("map@50:worst").ties == "worst"


def test_the_built_in_evaluators(make_codes):
    query, database = make_codes()
    protocol = Protocol("p", "d", (0, 0, 0), headline="map@77")
    task = Retrieval(query, database, metrics=("precision@5",), convention="hashnet")
    values = RankingMetrics(protocol)(task)
    assert values == evaluate(query, database, ["map@77", "precision@5"], convention="hashnet")
    quality = CodeQuality(protocol)(task)
    assert quality["warning"] is None
    assert quality["items"] == len(database)


@pytest.mark.parametrize("metrics", ["map", " map ,precision@10,", ["map", "precision@10"]])
def test_one_name_and_names_with_commas_are_a_list(make_codes, metrics):
    values = evaluate(*make_codes(), metrics)
    assert {"map"} <= set(values) <= {"map", "precision@10", "queries_without_relevant"}


def test_the_default_set_has_no_cut_off_beyond_the_list(make_codes):
    query, database = make_codes(items=997)
    values = evaluate(query, database)
    assert "precision@1000" not in values
    assert "map@1000" not in values
    assert "precision@100" in values
    assert set(evaluate(query, database, ["default", "precision@1000"])) == {*values, "precision@1000"}


def test_scores_beyond_single_precision_keep_their_order():
    """The worst of these once collapsed into ties, and the figure was that of a random order."""
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(size=(60, 6)), rng.integers(0, 3, 60)
    for scale in (1.0, 1e30, 1e200, 1e308, 1e-200, 1e-320):
        codes = Codes.from_relaxed(outputs / 10 * scale, labels, keep_relaxed=True)
        for ranking in ("inner_product", "cosine"):
            plain = Codes.from_relaxed(outputs, labels, keep_relaxed=True)
            expected = evaluate(plain.take(slice(0, 9)), plain, "map", ranking=ranking)["map"]
            if scale > 1e-320:  # below, the outputs themselves are rounded
                found = evaluate(codes.take(slice(0, 9)), codes, "map", ranking=ranking)["map"]
                assert found == pytest.approx(expected, abs=1e-12), (scale, ranking)
    near = Codes.from_relaxed(1e9 + np.arange(4.0)[:, None], [0, 0, 0, 1], keep_relaxed=True)
    query = Codes.from_relaxed([[1.0]], [1], keep_relaxed=True)
    assert evaluate(query, near, "map", ranking="inner_product")["map"] == 1.0


def test_outputs_of_scales_too_far_apart_are_refused_by_inner_product():
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(50, 4))
    outputs[25:] *= 1e-15
    codes = Codes.from_relaxed(outputs, rng.integers(0, 2, 50), keep_relaxed=True)
    with pytest.raises(UsageError, match="25 database items are less than a billionth"):
        evaluate(codes, codes, "map", ranking="inner_product")
    assert evaluate(codes, codes, "map", ranking="cosine")["map"] > 0


def test_merged_counts_take_a_text_and_know_the_length(make_codes):
    query, database = make_codes(items=300)
    assert evaluate_counts(count(query, database)) == evaluate(query, database)
    assert evaluate_counts(count(query, database), "map,recall@h2") == evaluate(query, database, "map,recall@h2")
