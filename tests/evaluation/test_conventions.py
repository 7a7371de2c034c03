"""Named conventions against small re-implementations of what each tool computes, and the table in the docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashzoo.errors import UsageError
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.conventions import CONVENTIONS, conventions_table

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture(scope="module")
def lists(make_codes):
    """Codes with unlabelled queries, queries that find nothing in the first places, and empty balls."""
    query, database = make_codes(60, 700, 14, multi=True, seed=3)
    rng = np.random.default_rng(5)
    labels = np.hstack([query.labels, np.zeros((60, 2), dtype=np.uint8)])
    theirs = np.hstack([database.labels, np.zeros((700, 2), dtype=np.uint8)])
    labels[rng.choice(60, 10, replace=False)] = 0
    lost = rng.choice(60, 12, replace=False)  # these share a label with a few far items only
    labels[lost], labels[lost, 6] = 0, 1
    labels[:2], labels[:2, 7] = 0, 1  # labelled, and nothing in the database has it
    far = np.argsort(query.signs().astype(int)[lost].sum(axis=0) @ database.signs().astype(int).T)[:3]
    theirs[far, 6] = 1
    return (
        Codes(query.packed, 14, labels, query.ids, query.relaxed),
        Codes(database.packed, 14, theirs, database.ids, database.relaxed),
    )


def ranked(query: Codes, database: Codes) -> tuple[np.ndarray, np.ndarray]:
    """Relevance in stable order of the distance, and the sorted distances."""
    apart = (14 - query.signs().astype(int) @ database.signs().astype(int).T) // 2
    order = np.argsort(apart, axis=1, kind="stable")
    relevant = (query.labels.astype(int) @ database.labels.astype(int).T) > 0
    return np.take_along_axis(relevant, order, axis=1), np.take_along_axis(apart, order, axis=1)


def sums(g: np.ndarray) -> float:
    return sum(g[: t + 1].mean() for t in np.flatnonzero(g))


def counting_zero(g_all, cut):
    return [sums(g[:cut]) / g[:cut].sum() if g[:cut].any() else 0.0 for g in g_all]


def dropping(g_all, cut):
    return [sums(g[:cut]) / g[:cut].sum() for g in g_all if g[:cut].any()]


def first_relevant(g_all, cut):
    result = []
    for g in g_all:
        places = np.flatnonzero(g)[:cut]
        result.append(np.mean([(i + 1) / (p + 1) for i, p in enumerate(places)]) if len(places) else 0.0)
    return result


def eleven_points(g_all):
    result = []
    for g in g_all:
        if not g.any():
            result.append(0.0)
            continue
        precision, recall = g.cumsum() / np.arange(1, len(g) + 1), g.cumsum() / g.sum()
        result.append(np.mean([precision[np.abs(recall - level).argmin()] for level in np.arange(11) / 10]))
    return result


@pytest.mark.parametrize("cut", [None, 20, 300])
@pytest.mark.parametrize(
    "name", ["greedyhash", "orthohash", "torchmetrics", "dcmh", "djsrh", "deephash-pytorch", "treezzz"]
)
def test_tools_that_count_zero(lists, name, cut):
    g, _ = ranked(*lists)
    drops_last = name in ("deephash-pytorch", "treezzz") and cut is None
    expected = np.mean(counting_zero(g, -1 if drops_last else cut))
    metric = "map" if cut is None else f"map@{cut}"
    assert evaluate(*lists, [metric], convention=name)[metric] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cut", [None, 20, 300])
@pytest.mark.parametrize("name", ["hashnet", "hash-caffe", "thulab", "thulab-all", "dsdh", "ucch"])
def test_tools_that_drop_queries_which_find_nothing(lists, name, cut):
    g, _ = ranked(*lists)
    kept = dropping(g, cut)
    metric = "map" if cut is None else f"map@{cut}"
    values = evaluate(*lists, [metric], convention=name, per_query=True)
    assert values[metric] == pytest.approx(np.mean(kept), abs=1e-12)
    assert sum(v is not None for v in values[f"{metric}:per_query"]) == len(kept) < len(g)


@pytest.mark.parametrize("cut", [None, 20])
def test_hashnet_caffe_drops_only_queries_without_relevant_items(lists, cut):
    g, _ = ranked(*lists)
    some = g[g.any(axis=1)]
    metric = "map" if cut is None else f"map@{cut}"
    value = evaluate(*lists, [metric], convention="hashnet-caffe")[metric]
    assert value == pytest.approx(np.mean(counting_zero(some, cut)), abs=1e-12)
    if cut:
        assert value < evaluate(*lists, [metric], convention="hashnet")[metric]


@pytest.mark.parametrize("cut", [None, 20])
def test_csq_drops_unlabelled_queries(lists, cut):
    g, _ = ranked(*lists)
    labelled = g[lists[0].labels.any(axis=1)]
    assert len(labelled) > g.any(axis=1).sum()  # a labelled query without relevant items counts 0
    metric = "map" if cut is None else f"map@{cut}"
    value = evaluate(*lists, [metric], convention="csq")[metric]
    assert value == pytest.approx(np.mean(counting_zero(labelled, cut)), abs=1e-12)


@pytest.mark.parametrize("cut", [None, 3, 20])
def test_torchcmh_counts_relevant_items(lists, cut):
    g, _ = ranked(*lists)
    metric = "map" if cut is None else f"map@{cut}"
    value = evaluate(*lists, [metric], convention="torchcmh")[metric]
    assert value == pytest.approx(np.mean(first_relevant(g, cut)), abs=1e-12)


def test_pml_divides_by_all_relevant_items(lists):
    g, _ = ranked(*lists)
    expected = np.mean([sums(row[:20]) / row.sum() for row in g if row.any()])
    assert evaluate(*lists, ["map@20"], convention="pml")["map@20"] == pytest.approx(expected, abs=1e-12)


def test_qsmih_averages_eleven_points(lists):
    g, _ = ranked(*lists)
    assert evaluate(*lists, ["map"], convention="qsmih")["map"] == pytest.approx(np.mean(eleven_points(g)), abs=1e-12)


@pytest.mark.parametrize("radius", [0, 2, 4])
def test_thulab_reports_the_reranked_ball(lists, radius):
    query, database = lists
    apart = (14 - query.signs().astype(int) @ database.signs().astype(int).T) // 2
    relevant = (query.labels.astype(int) @ database.labels.astype(int).T) > 0
    scores = query.relaxed.astype(np.float64) @ database.relaxed.astype(np.float64).T
    kept, empty, skipped = [], 0, 0
    for i in range(len(query)):
        ball = np.flatnonzero(apart[i] <= radius)
        g = relevant[i, ball[np.argsort(-scores[i, ball], kind="stable")]]
        if len(ball) == 0:
            kept.append(0.0)
            empty += 1
        elif g.any():
            kept.append(sums(g) / g.sum())
        else:
            skipped += 1
    assert skipped > 0
    assert empty > 0 or radius > 0
    metric = f"map@h{radius}"
    assert evaluate(*lists, [metric], convention="thulab")[metric] == pytest.approx(np.mean(kept), abs=1e-12)


def test_thulab_takes_precision_from_radius_ten_on(lists):
    g, apart = ranked(*lists)
    expected = np.mean([row[d <= 10].mean() for row, d in zip(g, apart, strict=True)])
    assert evaluate(*lists, ["map@h10"], convention="thulab")["map@h10"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["thulab-all", "greedyhash"])
def test_balls_in_code_order_count_zero(lists, name):
    g, apart = ranked(*lists)
    expected = []
    for row, d in zip(g, apart, strict=True):
        inside = row[: (d <= 2).sum()]
        expected.append(sums(inside) / inside.sum() if inside.any() else 0.0)
    assert evaluate(*lists, ["map@h2"], convention=name)["map@h2"] == pytest.approx(np.mean(expected), abs=1e-12)


def test_dcmh_pools_the_pairs_within_a_radius(lists):
    g, apart = ranked(*lists)
    inside = apart <= 2
    expected = g[inside].mean()
    value = evaluate(*lists, ["precision@h2"], convention="dcmh")["precision@h2"]
    assert value == pytest.approx(expected, abs=1e-12)
    assert value != pytest.approx(evaluate(*lists, ["precision@h2"])["precision@h2"], abs=1e-3)
    assert evaluate(*lists, ["precision@h2-micro"])["precision@h2-micro"] == value


def test_dcmh_pools_recall_too(lists):
    """calcPreRecRadiusLabel: relevant pairs within the radius over all relevant pairs."""
    g, apart = ranked(*lists)
    value = evaluate(*lists, ["recall@h2"], convention="dcmh")["recall@h2"]
    assert value == pytest.approx((g & (apart <= 2)).sum() / g.sum(), abs=1e-12)
    assert value != pytest.approx(evaluate(*lists, ["recall@h2"])["recall@h2"], abs=1e-3)
    assert evaluate(*lists, ["recall@h2-micro"])["recall@h2-micro"] == value


def worked() -> tuple[Codes, Codes]:
    """Two queries over items at distances 0 to 4: relevant at ranks 2, 4, 5 for one, at rank 3 for the other."""
    query = Codes.from_signs(np.ones((2, 4)), [[1, 0], [0, 1]])
    signs = np.where(np.arange(4)[None, :] < np.arange(5)[:, None], -1, 1)
    return query, Codes.from_signs(signs, [[0, 0], [1, 0], [0, 1], [1, 0], [1, 0]])


@pytest.mark.parametrize(
    ("name", "metric", "expected"),
    [
        ("dcmh", "map", (1 / 2 + 2 / 4 + 3 / 5) / 3 / 2 + 1 / 3 / 2),
        ("dcmh", "precision@h1", 1 / 4),
        ("dcmh", "recall@h1", 1 / 4),
        ("dcmh", "recall@h3", 3 / 4),
        ("djsrh", "map@2", (1 / 2 + 0) / 2),
        ("ucch", "map@2", 1 / 2),
        ("hash-caffe", "map@2", 1 / 2),
        ("dchmt", "map", (1 / 2 + 2 / 4 + 3 / 5) / 3 / 2 + 1 / 3 / 2),
        ("dchmt", "map@2", (1 / 2 + 2 / 4) / 2 / 2 + 1 / 3 / 2),
    ],
)
def test_worked_values_by_hand(name, metric, expected):
    assert evaluate(*worked(), [metric], convention=name)[metric] == pytest.approx(expected, abs=1e-12)


def test_dchmt_has_no_figure_where_a_query_has_nothing_relevant(lists):
    values = evaluate(*lists, ["map", "map@20", "precision@10"], convention="dchmt", per_query=True)
    assert (values["map"], values["map@20"]) == (None, None)
    assert values["map:per_query"].count(None) == values["queries_without_relevant"] > 0
    assert values["precision@10"] > 0
    some = ranked(*lists)[0].any(axis=1)
    query = lists[0].take(np.flatnonzero(some))
    expected = first_relevant(ranked(query, lists[1])[0], 20)
    assert evaluate(query, lists[1], ["map@20"], convention="dchmt")["map@20"] == pytest.approx(np.mean(expected))


def test_dropping_the_last_item_on_the_reference_list():
    """The list (1, 0, 1): average precision 0.8333 as a whole, 1.0 without the last item."""
    query = Codes.from_signs([[1, 1, 1]], [0], num_classes=2)
    database = Codes.from_signs([[1, 1, 1], [1, 1, -1], [1, -1, -1]], [0, 1, 0], num_classes=2)
    assert evaluate(query, database, ["map"])["map"] == pytest.approx(5 / 6)
    assert evaluate(query, database, ["map"], convention="deephash-pytorch")["map"] == 1.0


def test_a_convention_that_leaves_out_every_query_is_a_sentence():
    query = Codes.from_signs([[1, 1]], [0], num_classes=2)
    database = Codes.from_signs([[1, 1]], [1], num_classes=2)
    assert evaluate(query, database, ["map"])["map"] == 0.0
    with pytest.raises(UsageError, match="leaves out queries"):
        evaluate(query, database, ["map"], convention="hashnet")


@pytest.mark.parametrize("ranking", ["inner_product", "cosine"])
@pytest.mark.parametrize("name", CONVENTIONS)
def test_outputs_that_rank_as_codes_do_give_the_same_figures_ties_and_all(lists, name, ranking):
    """Outputs of +-1/2 have the inner products of their codes up to a factor, so distances and scores tie alike."""
    halves = [Codes(c.packed, 14, c.labels, c.ids, c.signs() * np.float32(0.5)) for c in lists]
    by_codes, by_scores = evaluate(*halves, convention=name), evaluate(*halves, convention=name, ranking=ranking)
    assert by_scores.keys() <= by_codes.keys()
    assert {"map", "precision@100"} <= by_scores.keys()
    for key, value in by_scores.items():
        assert by_codes[key] == (pytest.approx(value, abs=1e-12) if isinstance(value, float) else value), key


def test_every_convention_gives_every_metric(lists):
    for name in CONVENTIONS:
        values = evaluate(*lists, convention=name)
        assert all(0 <= v <= 1 for key, v in values.items() if isinstance(v, float)), name


def test_the_table_in_the_docs_is_generated():
    assert conventions_table() in DOCS.read_text(encoding="utf-8")
    for convention in CONVENTIONS.values():
        assert convention.effect.endswith(".")
