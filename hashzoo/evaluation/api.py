"""`evaluate`: every metric of two sets of codes, exact under ties or as a named tool would print it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from hashzoo.errors import UsageError, unknown_name
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.conventions import Convention, convention_named
from hashzoo.evaluation.counting.counts import Counts, Progress, count
from hashzoo.evaluation.counting.words import check_pair
from hashzoo.evaluation.metrics import DIVISORS, TIES
from hashzoo.evaluation.names import ALL, DEFAULT, MetricName, longer_than, name_list, parse
from hashzoo.evaluation.ranking import RANKINGS
from hashzoo.evaluation.report import Job, report


def evaluate(
    query: Codes,
    database: Codes,
    metrics: str | Sequence[str] | None = None,
    ties: str = "expected",
    convention: str | None = None,
    divisor: str = "retrieved",
    ranking: str = "hamming",
    per_query: bool = False,
    *,
    leave_out: ArrayLike | None = None,
    progress: Progress | None = None,
    kernel: str = "auto",
) -> dict[str, Any]:
    """Return {metric: value} of ranking the database for each query; curves are lists of points.

    metrics: a name such as "map", several with commas between them, or a list such as ["map@5000", "precision@h2"]
    (docs/metrics.md lists the forms); "default" in it, or None, stands for a full set, without the cut-offs beyond the
    database's size. ties: "expected" (exact mean over tie orders), "best", "worst" or "stable" (database order).
    convention: name of another tool's way, which then decides ties and divisor. divisor of average
    precision at a cut-off: "retrieved", "min" or "all". ranking: "hamming", or "inner_product" or "cosine"
    of the real-valued outputs; metrics within a radius are always by Hamming distance. per_query adds
    "<metric>:per_query", lists with one value a query, None where the convention leaves the query out.
    leave_out, progress and kernel: as in `counts.count`. "queries_without_relevant" is always reported;
    such queries count 0 unless the convention leaves them out; a value is None where the convention makes it
    undefined. Raises UsageError for unknown names and for sets that do not fit.

    >>> query = Codes.from_signs([[1, 1]], [0], num_classes=2)
    >>> database = Codes.from_signs([[1, 1], [1, 1], [1, -1], [-1, -1]], [0, 1, 0, 1])
    >>> evaluate(query, database, "map, map:best")
    {'map': 0.7083333333333333, 'map:best': 0.8333333333333334, 'queries_without_relevant': 0}
    """
    for codes in (query, database):
        if not isinstance(codes, Codes):
            raise UsageError(
                f"evaluate takes two sets of Codes, as Codes.from_signs and Codes.from_packed make them; got a "
                f"{type(codes).__name__}."
            )
    check_pair(query, database)
    if ranking not in RANKINGS:
        raise unknown_name("ranking", ranking, RANKINGS)
    rule = _rule(ties, convention, divisor)
    wanted = _wanted(metrics, ranking, rule, len(database))
    counts = None
    if ranking == "hamming" or any(metric.needs_counts for metric in wanted):
        counts = count(query, database, leave_out=leave_out, progress=progress, kernel=kernel)
    return report(Job(rule, counts, query, database, ranking, leave_out), wanted, per_query)


def evaluate_counts(
    counts: Counts,
    metrics: str | Sequence[str] | None = None,
    ties: str = "expected",
    divisor: str = "retrieved",
    per_query: bool = False,
) -> dict[str, Any]:
    """Return {metric: value} from counts alone, such as the sum of the counts of a database's parts.

    As `evaluate`, for every metric that needs no single item: no stable ties, no re-ranking.
    """
    rule = _rule(ties, None, divisor)
    if ties == "stable":
        raise UsageError("Counts do not hold the database order; choose ties expected, best or worst.")
    items = int(counts.n.sum(axis=1).max(initial=0))
    return report(Job(rule, counts), _wanted(metrics, "hamming", rule, items), per_query)


def default_metrics(ranking: str, rule: Convention, items: int) -> list[MetricName]:
    """Return what is computed when no metrics are named, for lists of so many items."""
    chosen = [parse(name) for name in DEFAULT]
    if ranking != "hamming":  # nothing by hash lookup: features without codes are ranked so too
        chosen = [metric for metric in chosen if not metric.needs_counts]
    longer = longer_than(chosen, items)
    return [m for m in chosen if m.name not in longer and (m.ties is None or rule.name == "hashzoo")]


def _rule(ties: str, convention: str | None, divisor: str) -> Convention:
    if ties not in (*TIES, "stable"):
        raise unknown_name("tie order", ties, (*TIES, "stable"))
    if divisor not in DIVISORS:
        raise unknown_name("divisor", divisor, DIVISORS)
    named = convention_named(convention or "hashzoo")
    return replace(named, ties=ties, divisor=divisor) if named.name == "hashzoo" else named


def _wanted(names: str | Sequence[str] | None, ranking: str, rule: Convention, items: int) -> list[MetricName]:
    chosen: dict[str, MetricName] = {}
    for name in [ALL] if names is None else name_list(names):
        if name == ALL:
            chosen |= {metric.name: metric for metric in default_metrics(ranking, rule, items)}
            continue
        metric = parse(name)
        if metric.ties and (rule.interpolated or rule.divisor == "first_relevant"):
            raise UsageError(f"Convention {rule.name!r} knows one order of ties; ask for {metric.base!r} without ties.")
        chosen[name] = metric
    return list(chosen.values())
