"""From rankings to the reported dictionary: which ranking each metric reads, which queries count, the means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hashzoo.errors import UsageError
from hashzoo.evaluation.average_precision import average_precision, eleven_point, first_relevant
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.conventions import Convention
from hashzoo.evaluation.counting.counts import Counts
from hashzoo.evaluation.counting.words import Floats, rows_left_out
from hashzoo.evaluation.metrics import (
    ndcg_at,
    pr_lookup,
    pr_ranks,
    precision_at,
    precision_ranks,
    ratio,
    recall_at,
    relevant_at,
    relevant_at_ranks,
)
from hashzoo.evaluation.names import MetricName
from hashzoo.evaluation.ranking import Buckets, ball_blocks, in_order, score_blocks, stable_blocks, tied

_PLAIN_PRECISION_FROM = 10
"""Radius from which thulab/DeepHash reports the precision in the ball in place of average precision."""


@dataclass(frozen=True, eq=False)
class Job:
    """One evaluation: the rule, and what it reads; without codes only what counts can give."""

    rule: Convention
    counts: Counts | None = None
    query: Codes | None = None
    database: Codes | None = None
    ranking: str = "hamming"
    leave_out: ArrayLike | None = None

    def hamming(self) -> Counts:
        """Return the counts, which are there whenever a metric asks for them."""
        assert self.counts is not None
        return self.counts

    def codes(self) -> tuple[Codes, Codes]:
        """Return both sets of codes, or raise UsageError where only counts were given."""
        if self.query is None or self.database is None:
            raise UsageError("This metric needs the codes themselves; counts are not enough.")
        return self.query, self.database

    @cached_property
    def longest(self) -> int:
        """Return how many items the longest list has."""
        if self.counts is not None:
            return int(self.counts.n.sum(axis=1).max())
        query, database = self.codes()
        own = rows_left_out(self.leave_out, len(query), len(database))
        return len(database) - int((own >= 0).all())


class Source(NamedTuple):
    """Rankings that metrics read: by "counts" (Hamming distance), by "score", or by score within a "ball" (re-ranked).

    `in_order`: equal items keep the order of the database, each a group of its own, instead of forming one.
    """

    by: str
    in_order: bool = False
    radius: int = -1


def report(job: Job, wanted: Iterable[MetricName], per_query: bool) -> dict[str, Any]:
    """Return {metric name: mean, curve or None (undefined)} as asked for, and the queries without relevant items."""
    wanted = list(wanted)
    values = _per_query(job, wanted)
    result: dict[str, Any] = {}
    for metric in wanted:
        if metric.base == "pr_curve_lookup":
            result[metric.name] = pr_lookup(job.hamming())
        elif _is_pooled(job, metric):
            result[metric.name] = _pooled(job, metric)
        elif metric.is_curve:
            result[metric.name] = _curve(job, metric, values)
        else:
            kept = values[metric.name]
            result[metric.name] = _mean(metric, kept, job.rule)
            if per_query:
                result[f"{metric.name}:per_query"] = [None if v != v else v for v in kept.tolist()]
    result["queries_without_relevant"] = int((values["relevant"] == 0).sum())
    return result


def _per_query(job: Job, wanted: list[MetricName]) -> dict[str, Floats]:
    """Return the value of each query for each metric; NaN where the rule leaves the query out."""
    whole = Source("counts") if job.counts is not None else Source("score", job.rule.ties == "stable")
    sources: dict[Source, list[MetricName]] = {whole: []}
    for metric in wanted:
        if metric.base != "pr_curve_lookup" and not _is_pooled(job, metric):  # these two are read off the counts
            sources.setdefault(_source(job, metric), []).append(metric)
    columns: dict[str, list[Floats]] = {}
    for place, (source, group) in enumerate(sources.items()):
        for rows, buckets in _blocks(job, source):
            for metric in group:
                columns.setdefault(metric.name, []).append(_value(job, metric, rows, buckets))
            if place == 0:
                columns.setdefault("relevant", []).append(buckets.relevant.astype(np.float64))
                columns.setdefault("total", []).append(buckets.total.astype(np.float64))
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _source(job: Job, metric: MetricName) -> Source:
    """Return which rankings a metric reads."""
    in_order = (metric.ties or job.rule.ties) == "stable"
    if metric.radius is None:
        return Source("counts" if job.ranking == "hamming" else "score", in_order)
    if _is_reranked(job, metric):
        return Source("ball", in_order, metric.radius)
    return Source("counts", in_order and metric.base == "map")


def _blocks(job: Job, source: Source) -> Iterator[tuple[slice, Buckets]]:
    if source == Source("counts"):
        counts = job.hamming()
        return iter([(slice(0, len(counts.n)), counts.buckets())])
    query, database = job.codes()
    if source.by == "counts":
        return stable_blocks(query, database, job.leave_out)
    grouped = in_order if source.in_order else tied
    if source.by == "score":
        return score_blocks(query, database, job.ranking, grouped, job.leave_out)
    return ball_blocks(query, database, source.radius, grouped, job.leave_out)


def _value(job: Job, metric: MetricName, rows: slice, buckets: Buckets) -> Floats:
    if metric.radius is not None:
        return _value_in_ball(job, metric, rows, buckets)
    ties = _bucket_ties(job, metric)
    if metric.base == "map":
        return _whole_or_cut(job, metric, rows, buckets, ties)
    if metric.base == "precision_curve":
        return relevant_at_ranks(buckets, precision_ranks(job.longest))
    if metric.base == "pr_curve":
        return relevant_at_ranks(buckets, pr_ranks(job.longest))
    cut = metric.cut or 0
    if metric.base == "precision":
        return precision_at(buckets, cut, ties=ties)
    if metric.base == "recall":
        return recall_at(buckets, cut, ties=ties)
    return ndcg_at(buckets, cut, ties=ties)


def _whole_or_cut(job: Job, metric: MetricName, rows: slice, buckets: Buckets, ties: str) -> Floats:
    rule = job.rule
    cut = buckets.total if metric.cut is None else np.minimum(buckets.total, metric.cut)
    if metric.cut is None and rule.drop_last:
        cut = buckets.total - 1
    if rule.interpolated and metric.cut is None:
        value = eleven_point(buckets)
    elif rule.divisor == "first_relevant":
        value = first_relevant(buckets, metric.cut)
    else:
        value = average_precision(buckets, cut, divisor=rule.divisor, ties=ties)
    if rule.left_out == "unretrieved":
        value[relevant_at(buckets, cut, ties=ties) == 0] = np.nan
    elif rule.left_out == "irrelevant" or rule.undefined:
        value[buckets.relevant == 0] = np.nan
    elif rule.left_out == "unlabelled":
        labels = job.codes()[0].labels[rows]
        value[~(labels != 0).any(axis=1)] = np.nan
    return value


def _value_in_ball(job: Job, metric: MetricName, rows: slice, buckets: Buckets) -> Floats:
    items, relevant = (part[rows] for part in job.hamming().within(metric.radius or 0))
    if metric.base == "empty":
        nothing: Floats = (items == 0).astype(np.float64)
        return nothing
    if metric.base == "recall":
        return ratio(relevant, job.hamming().r[rows].sum(axis=1))
    if metric.base == "precision" or _is_plain_precision(job, metric):
        return ratio(relevant, items)
    if _is_reranked(job, metric):
        value = average_precision(buckets, ties=_bucket_ties(job, metric))
        if job.rule.ball == "reranked":
            value[(items > 0) & (relevant == 0)] = np.nan
        return value
    return average_precision(buckets, items, ties=_bucket_ties(job, metric))


def _bucket_ties(job: Job, metric: MetricName) -> str:
    """Return how ties inside buckets are taken; in stable rankings none are left."""
    ties = metric.ties or job.rule.ties
    return "expected" if ties == "stable" else ties


def _is_plain_precision(job: Job, metric: MetricName) -> bool:
    return job.rule.ball == "reranked" and (metric.radius or 0) >= _PLAIN_PRECISION_FROM


def _is_reranked(job: Job, metric: MetricName) -> bool:
    if metric.base != "map" or metric.radius is None:
        return False
    return metric.variant == "reranked" or (job.rule.ball == "reranked" and not _is_plain_precision(job, metric))


def _is_pooled(job: Job, metric: MetricName) -> bool:
    return metric.base in ("precision", "recall") and metric.radius is not None and (metric.is_pooled or job.rule.micro)


def _pooled(job: Job, metric: MetricName) -> float:
    """Return relevant pairs within the radius over all pairs there (precision) or all relevant pairs (recall)."""
    items, relevant = job.hamming().within(metric.radius or 0)
    below = items if metric.base == "precision" else job.hamming().r
    return float(relevant.sum() / max(int(below.sum()), 1))


def _mean(metric: MetricName, values: Floats, rule: Convention) -> float | None:
    kept = values[~np.isnan(values)]
    if rule.undefined and len(kept) < len(values):
        return None
    if len(kept) == 0:
        raise UsageError(
            f"No query has a value of {metric.name}: convention {rule.name!r} leaves out queries without relevant "
            "items, and here that is every query; choose another convention."
        )
    return float(kept.mean())


def _curve(job: Job, metric: MetricName, values: dict[str, Floats]) -> list[list[float]]:
    """Return [rank, mean precision], or [mean recall, mean precision] over queries with relevant items.

    The precision of a list at a rank beyond its end is that at its end.
    """
    found, relevant, total = values[metric.name], values["relevant"], values["total"]
    size = job.longest
    if size == 0:
        return []
    ranks = precision_ranks(size) if metric.base == "precision_curve" else pr_ranks(size)
    precision = ratio(found, np.minimum(ranks, total[:, None]))
    if metric.base == "precision_curve":
        return [[int(n), float(p)] for n, p in zip(ranks, precision.mean(axis=0), strict=True)]
    some = relevant > 0
    if not some.any():
        return []
    recall = (found[some] / relevant[some, None]).mean(axis=0)
    return [[float(x), float(y)] for x, y in zip(recall, precision[some].mean(axis=0), strict=True)]
