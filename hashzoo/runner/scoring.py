"""From stored codes to metrics: the evaluators that a configuration names, applied to every pair. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hashzoo.evaluation.codes import Codes
from hashzoo.plugins import Registry
from hashzoo.results.config import RunConfig
from hashzoo.specs import Protocol, Retrieval


def run_evaluators(
    registry: Registry, config: RunConfig, protocol: Protocol, codes: Mapping[str, Codes], *, coded: bool
) -> tuple[dict[str, float], dict[str, list[Any]], list[str]]:
    """Return (metrics, curves, notes) of all pairs; with several pairs names are prefixed "image-to-text/"."""
    settings = config.evaluation
    metrics: dict[str, float] = {}
    curves: dict[str, list[Any]] = {}
    notes: list[str] = []
    asked = settings.metrics
    for query, database in protocol.pairs:
        prefix = f"{query}-to-{database}/" if len(protocol.pairs) > 1 else ""
        retrieval = Retrieval(
            query=codes[f"query.{query}"],
            database=codes[f"database.{database}"],
            ranking=config.ranking,
            metrics=asked,
            ties=settings.ties,
            convention=settings.convention,
        )
        for name in settings.evaluators:
            if name == "code_quality" and not coded:
                continue
            evaluator = registry.build("evaluators", name, protocol)
            for key, value in evaluator(retrieval).items():
                if value is None:
                    continue
                if isinstance(value, str):
                    notes.append(prefix + value)
                elif isinstance(value, (int, float)):
                    metrics[prefix + key] = float(value)
                else:
                    curves[prefix + key] = value
    return metrics, curves, notes
