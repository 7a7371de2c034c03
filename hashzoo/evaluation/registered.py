"""The evaluators and metrics that come with hashzoo, registered through the same hooks as anybody else's."""

from __future__ import annotations

from hashzoo.hookspecs import hookimpl
from hashzoo.specs import Component, Metric

_COUNT = (0.0, None)

RANKING = (
    Metric("map", on_board=True, needs="either", summary="mean average precision"),
    Metric("precision", on_board=True, needs="either", summary="share of relevant items in the first N or a ball"),
    Metric("recall", on_board=True, needs="either", summary="share of the relevant items that is found"),
    Metric("ndcg", on_board=True, needs="either", summary="normalised discounted cumulative gain of the first N"),
    Metric("empty", higher_is_better=False, on_board=True, summary="share of queries with nothing within a radius"),
    Metric("precision_curve", higher_is_better=None, range=(None, None), needs="either", summary="[N, precision]"),
    Metric("pr_curve", higher_is_better=None, needs="either", summary="[recall, precision] by ranking"),
    Metric("pr_curve_lookup", higher_is_better=None, range=(None, None), summary="[radius, recall, precision]"),
    Metric("queries_without_relevant", None, _COUNT, needs="either", summary="queries that share no label"),
)

STATISTICS = (
    Metric("items", None, _COUNT, summary="items in the database"),
    Metric("bits", None, _COUNT, summary="bit length"),
    Metric("constant_bits", False, _COUNT, summary="bits equal in all items"),
    Metric("balance", None, summary="share of +1 of each bit"),
    Metric("bit_correlation", False, summary="mean absolute correlation of pairs of bits that vary"),
    Metric("distinct_codes", None, _COUNT, summary="different codes"),
    Metric("largest_collision", None, _COUNT, summary="items that share the commonest code"),
    Metric("entropy", None, _COUNT, summary="entropy of the distribution of codes, in bits"),
)


@hookimpl
def hashzoo_register_metrics() -> tuple[Metric, ...]:
    """Return the bases of the ranking metrics and the statistics of the codes."""
    return (*RANKING, *STATISTICS)


hashzoo_api = 2


@hookimpl
def hashzoo_register_evaluators() -> tuple[Component, ...]:
    """Return the ranking metrics and the statistics of the codes."""
    return (
        Component(
            "retrieval",
            "hashzoo.evaluation.evaluators:RankingMetrics",
            "every ranking metric, exact under ties",
            metrics=tuple(metric.name for metric in RANKING),
        ),
        Component(
            "code_quality",
            "hashzoo.evaluation.evaluators:CodeQuality",
            "constant bits, balance, correlation, collisions, entropy",
            metrics=tuple(metric.name for metric in STATISTICS),
        ),
    )
