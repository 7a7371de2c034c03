"""From rankings to the reported dictionary: which ranking each metric reads, which queries count, the means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hashzoo.errors import UsageError
from hashzoo.evaluation import curves, ranked
from hashzoo.evaluation import metrics as of
from hashzoo.evaluation.alternatives import eleven_point, first_relevant
from hashzoo.evaluation.buckets import Buckets, Floats
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.conventions import Convention
from hashzoo.evaluation.counts import Counts
from hashzoo.evaluation.names import Metric

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


def report(job: Job, wanted: Iterable[Metric], per_query: bool) -> dict[str, Any]:
    """Return {metric name: mean, or curve} in the order asked for, and the number of queries without relevant items."""
    wanted = list(wanted)
    values = _per_query(job, wanted)
    result: dict[str, Any] = {}
    for metric in wanted:
        if metric.base == "pr_curve_lookup":
            result[metric.name] = curves.pr_lookup(job.hamming())
        elif _is_pooled(job, metric):
            items, relevant = job.hamming().within(metric.radius or 0)
            result[metric.name] = float(relevant.sum() / max(int(items.sum()), 1))
        elif metric.is_curve:
            result[metric.name] = _curve(metric, values[metric.name], values["relevant"], values["total"])
        else:
            kept = values[metric.name]
            result[metric.name] = _mean(metric, kept, job.rule)
            if per_query:
                result[f"{metric.name}:per_query"] = [None if v != v else v for v in kept.tolist()]
    result["queries_without_relevant"] = int((values["relevant"] == 0).sum())
    return result


def _per_query(job: Job, wanted: list[Metric]) -> dict[str, Floats]:
    """Return the value of each query for each metric; NaN where the rule leaves the query out."""
    sources: dict[str, list[Metric]] = {"counts" if job.counts is not None else "score": []}
    for metric in wanted:
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


def _source(job: Job, metric: Metric) -> str:
    """Return which rankings a metric reads: counts, stable (order of items), score, or ball:R (re-ranked)."""
    by_codes = "stable" if (metric.ties or job.rule.ties) == "stable" else "counts"
    if metric.radius is not None or metric.base == "pr_curve_lookup":
        if _is_reranked(job, metric):
            return f"ball:{metric.radius}"
        return by_codes if metric.base == "map" else "counts"
    return by_codes if job.ranking == "hamming" else "score"


def _blocks(job: Job, source: str) -> Iterator[tuple[slice, Buckets]]:
    if source == "counts":
        counts = job.hamming()
        return iter([(slice(0, len(counts.n)), counts.buckets())])
    query, database = job.codes()
    if source == "stable":
        return ranked.stable_blocks(query, database, job.leave_out)
    if source == "score":
        return ranked.score_blocks(query, database, job.ranking, job.leave_out)
    return ranked.ball_blocks(query, database, int(source.partition(":")[2]), job.leave_out)


def _value(job: Job, metric: Metric, rows: slice, buckets: Buckets) -> Floats:
    if metric.radius is not None:
        return _value_in_ball(job, metric, rows, buckets)
    ties = _bucket_ties(job, metric)
    if metric.base == "map":
        return _whole_or_cut(job, metric, rows, buckets, ties)
    if metric.base == "precision_curve":
        return curves.relevant_at_ranks(buckets, curves.precision_ranks(int(buckets.total.max())))
    if metric.base == "pr_curve":
        return curves.relevant_at_ranks(buckets, curves.pr_ranks(int(buckets.total.max())))
    if metric.base == "pr_curve_lookup":
        return np.zeros(len(buckets.n))
    cut = metric.cut or 0
    if metric.base == "precision":
        return of.precision_at(buckets, cut, ties=ties)
    if metric.base == "recall":
        return of.recall_at(buckets, cut, ties=ties)
    return of.ndcg_at(buckets, cut, ties=ties)


def _whole_or_cut(job: Job, metric: Metric, rows: slice, buckets: Buckets, ties: str) -> Floats:
    rule = job.rule
    cut = buckets.total if metric.cut is None else np.minimum(buckets.total, metric.cut)
    if metric.cut is None and rule.drop_last:
        cut = buckets.total - 1
    if rule.interpolated and metric.cut is None:
        value = eleven_point(buckets)
    elif rule.divisor == "first_relevant":
        value = first_relevant(buckets, metric.cut)
    else:
        value = of.average_precision(buckets, cut, divisor=rule.divisor, ties=ties)
    if rule.left_out == "unretrieved":
        value[of.relevant_at(buckets, cut, ties=ties) == 0] = np.nan
    elif rule.left_out == "irrelevant":
        value[buckets.relevant == 0] = np.nan
    elif rule.left_out == "unlabelled":
        labels = job.codes()[0].labels[rows]
        value[~(labels != 0).any(axis=1)] = np.nan
    return value


def _value_in_ball(job: Job, metric: Metric, rows: slice, buckets: Buckets) -> Floats:
    items, relevant = (part[rows] for part in job.hamming().within(metric.radius or 0))
    if metric.base == "empty":
        nothing: Floats = (items == 0).astype(np.float64)
        return nothing
    if metric.base == "recall":
        return of.ratio(relevant, job.hamming().r[rows].sum(axis=1))
    if metric.base == "precision" or _is_plain_precision(job, metric):
        return of.ratio(relevant, items)
    if _is_reranked(job, metric):
        value = of.average_precision(buckets, ties=_bucket_ties(job, metric))
        if job.rule.ball == "reranked":
            value[(items > 0) & (relevant == 0)] = np.nan
        return value
    return of.average_precision(buckets, items, ties=_bucket_ties(job, metric))


def _bucket_ties(job: Job, metric: Metric) -> str:
    """Return how ties inside buckets are taken; in stable rankings none are left, in scores the mean is."""
    ties = metric.ties or job.rule.ties
    return "expected" if ties == "stable" else ties


def _is_plain_precision(job: Job, metric: Metric) -> bool:
    return job.rule.ball == "reranked" and (metric.radius or 0) >= _PLAIN_PRECISION_FROM


def _is_reranked(job: Job, metric: Metric) -> bool:
    if metric.base != "map" or metric.radius is None:
        return False
    return metric.variant == "reranked" or (job.rule.ball == "reranked" and not _is_plain_precision(job, metric))


def _is_pooled(job: Job, metric: Metric) -> bool:
    return metric.base == "precision" and metric.radius is not None and (metric.variant == "micro" or job.rule.micro)


def _mean(metric: Metric, values: Floats, rule: Convention) -> float:
    kept = values[~np.isnan(values)]
    if len(kept) == 0:
        raise UsageError(
            f"No query has a value of {metric.name}: convention {rule.name!r} leaves out queries without relevant "
            "items, and here that is every query; choose another convention."
        )
    return float(kept.mean())


def _curve(metric: Metric, found: Floats, relevant: Floats, total: Floats) -> list[list[float]]:
    """Return [rank, mean precision], or [mean recall, mean precision] over queries with relevant items."""
    size = int(total.max())
    if metric.base == "precision_curve":
        ranks = curves.precision_ranks(size)
        return [[int(n), float(p)] for n, p in zip(ranks, (found / ranks).mean(axis=0), strict=True)]
    ranks = curves.pr_ranks(size)
    some = relevant > 0
    if not some.any():
        return []
    precision = (found[some] / ranks).mean(axis=0)
    recall = (found[some] / relevant[some, None]).mean(axis=0)
    return [[float(x), float(y)] for x, y in zip(recall, precision, strict=True)]
