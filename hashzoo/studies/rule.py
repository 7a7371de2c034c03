"""By what tuning chooses: metrics that mean the same in a small database, the way they point, and the rule in words."""

from __future__ import annotations

from hashzoo.errors import UsageError, unknown_name
from hashzoo.plugins import Registry
from hashzoo.runner.plan import Plan
from hashzoo.runner.scoring import RANKING_NAMES
from hashzoo.specs import Metric

WHOLE_LIST = "map"
"""The one ranking metric of the core that looks at the whole list, whatever its length."""


def rule_text(higher: bool) -> str:
    """Return the rule as the file of a study has it."""
    return (
        f"the trial with the {'highest' if higher else 'lowest'} mean of the metric over bits, seeds and directions on "
        "the held-out part of the train split; of several the first"
    )


def check_whole(metric: str) -> None:
    """Raise UsageError for a metric whose order of methods changes with the size of the database."""
    plain = metric.rsplit("/", 1)[-1]
    if "@h" in plain:
        raise UsageError(
            f"{metric} looks at a fixed Hamming radius: in the small database of a validation split such a ball holds "
            "few items, and its order of settings is not the one that the protocol's database shows; tune by map."
        )
    if "@" in plain:
        raise UsageError(
            f"{metric} looks at a fixed number of items, which is another share of the small database of a validation "
            "split than of the protocol's; tune by map."
        )


def higher_is_better(metric: str, plan: Plan, registry: Registry) -> bool:
    """Return which way a metric points; UsageError for one that a plan's trials cannot be ordered by.

    It is to be one that may head a board, given by the plan's evaluators for the whole list: `map`, or a plugin's. It
    may name one direction of a cross-modal protocol ("image-to-text/map").
    """
    pairs = plan.protocol.pairs
    prefixes = ["", *(f"{query}-to-{database}/" for query, database in pairs if len(pairs) > 1)]
    known: dict[str, bool] = {}
    for evaluator in plan.config.evaluation.evaluators:
        for base in registry.get("evaluators", evaluator).metrics:
            found: Metric = registry.get("metrics", base)
            if found.on_board and found.higher_is_better is not None and _is_whole(base):
                known |= {f"{prefix}{base}": found.higher_is_better for prefix in prefixes}
    if metric not in known:
        raise unknown_name("metric to tune by", metric, known)
    return known[metric]


def _is_whole(base: str) -> bool:
    """Whether a metric needs no cut-off and no radius: of the core's, one does not."""
    return base == WHOLE_LIST or base not in RANKING_NAMES
