"""The evaluators that hashzoo registers with its own hook: ranking metrics, and statistics of the codes."""

from __future__ import annotations

from typing import Any

from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.code_quality import code_quality, collapse_warning
from hashzoo.evaluation.names import ALL, base_of, longer_than, parse
from hashzoo.evaluation.registered import RANKING
from hashzoo.specs import Protocol, Retrieval


class RankingMetrics:
    """Every ranking metric; the protocol's headline metric is always among them.

    Where the features themselves are ranked, what Hamming distances decide is left out, and said.
    """

    def __init__(self, protocol: Protocol | None = None) -> None:
        own = protocol is not None and base_of(protocol.headline) in {metric.name for metric in RANKING}
        self.headline = (protocol.headline,) if protocol is not None and own else ()

    def __call__(self, task: Retrieval) -> dict[str, Any]:
        """Return {metric: value or curve} and notes."""
        asked, notes = self._asked(task)
        values = evaluate(task.query, task.database, asked, task.ties, task.convention, ranking=task.ranking)
        return values | notes

    def _asked(self, task: Retrieval) -> tuple[list[str], dict[str, str]]:
        """Return the metrics to compute, and what a reader of their values must know."""
        given = (ALL,) if task.metrics is None else task.metrics
        if not {ALL, *self.headline} & {*given}:
            given = (*self.headline, *given)
        names = [parse(name) for name in given if name != ALL]
        by_codes = [] if task.coded else [metric.name for metric in names if metric.needs_counts]
        notes = {}
        if by_codes:
            notes["no codes"] = f"There are no codes here, so nothing by Hamming distance: no {', '.join(by_codes)}."
        if short := short_list(given, len(task.database)):
            notes["short list"] = short
        return [name for name in given if name not in by_codes], notes


class CodeQuality:
    """Statistics of the database codes: balance, correlation, collisions, and `warning` on collapse."""

    def __init__(self, protocol: Protocol | None = None) -> None:
        del protocol  # the same for every protocol

    def __call__(self, task: Retrieval) -> dict[str, Any]:
        """Return {statistic: value}."""
        stats = code_quality(task.database)
        return {**stats, "warning": collapse_warning(stats)}


def short_list(names: tuple[str, ...] | list[str], items: int) -> str:
    """Return a sentence on the metrics that ask for more items than the list has, "" where none does.

    >>> short_list(["map", "precision@1000"], 997)
    'The list has 997 items, so precision@1000 looks at all of them.'
    """
    longer = longer_than([parse(name) for name in names if name != ALL], items)
    verb = "looks" if len(longer) == 1 else "look"
    return f"The list has {items} items, so {', '.join(longer)} {verb} at all of them." if longer else ""
