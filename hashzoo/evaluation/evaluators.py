"""The evaluators that hashzoo registers with its own hook: ranking metrics, and statistics of the codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.code_quality import code_quality, collapse_warning
from hashzoo.evaluation.names import DEFAULT
from hashzoo.specs import Protocol, Retrieval

Evaluator = Callable[[Retrieval], dict[str, Any]]


def build_retrieval(protocol: Protocol | None = None) -> Evaluator:
    """Return the evaluator of all ranking metrics; the protocol's headline metric is always among them."""

    def retrieval(task: Retrieval) -> dict[str, Any]:
        names = task.metrics
        if names is not None and "default" in names:
            names = tuple(dict.fromkeys(n for name in names for n in (DEFAULT if name == "default" else (name,))))
        if names is not None and protocol is not None and protocol.headline not in names:
            names = (protocol.headline, *names)
        return evaluate(task.query, task.database, names, task.ties, task.convention, ranking=task.ranking)

    return retrieval


def build_code_quality(protocol: Protocol | None = None) -> Evaluator:
    """Return the evaluator of the database codes: balance, correlation, collisions, and `warning` on collapse."""
    del protocol  # the same for every protocol

    def quality(task: Retrieval) -> dict[str, Any]:
        stats = code_quality(task.database)
        return {**stats, "warning": collapse_warning(stats)}

    return quality
