"""The names of metrics: `map`, `map@5000`, `precision@h2-micro`, `map:best`, and what each asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hashzoo.errors import UsageError, unknown_name

AT_RANK = ("map", "precision", "recall", "ndcg")
AT_RADIUS = ("map", "precision", "recall", "empty")
CURVES = ("precision_curve", "pr_curve", "pr_curve_lookup")
VARIANTS = {"map": ("reranked",), "precision": ("micro",)}

DEFAULT = (
    "map",
    "map:best",
    "map:worst",
    "map@1000",
    "map@5000",
    "map@h2",
    "precision@h2",
    "recall@h2",
    "empty@h2",
    "precision@100",
    "precision@1000",
    "recall@1000",
    "ndcg@100",
    "precision_curve",
    "pr_curve",
    "pr_curve_lookup",
)
"""What is computed when no metrics are named."""

_EXAMPLES = (*DEFAULT, "precision@h2-micro", "map@h2-reranked")
_FORM = re.compile(
    r"(?P<base>[a-z_]+)(?:@(?P<ball>h?)(?P<size>\d+))?(?:-(?P<variant>[a-z]+))?(?::(?P<ties>expected|best|worst))?"
)


@dataclass(frozen=True)
class Metric:
    """One metric: `base`, `cut` (first N items) or `radius` (Hamming ball), `variant`, `ties` where the name says."""

    name: str
    base: str
    cut: int | None = None
    radius: int | None = None
    variant: str = ""
    ties: str | None = None

    @property
    def is_curve(self) -> bool:
        """Whether the value is a list of points."""
        return self.base in CURVES

    @property
    def needs_counts(self) -> bool:
        """Whether Hamming distances decide it even where items are ranked by real-valued outputs."""
        return self.radius is not None or self.base == "pr_curve_lookup"


def parse(name: str) -> Metric:
    """Return what a metric's name asks for; any N and R may stand in it. Unknown names raise UsageError.

    >>> parse("map@h2-reranked")
    Metric(name='map@h2-reranked', base='map', cut=None, radius=2, variant='reranked', ties=None)
    """
    found = _FORM.fullmatch(name)
    if found is None:
        raise unknown_name("metric", name, _EXAMPLES)
    base, ball, size = found["base"], found["ball"], found["size"]
    number = None if size is None else int(size)
    metric = Metric(
        name,
        base,
        cut=number if not ball else None,
        radius=number if ball else None,
        variant=found["variant"] or "",
        ties=found["ties"],
    )
    if not _sensible(metric):
        raise unknown_name("metric", name, _EXAMPLES)
    if metric.cut == 0:
        raise UsageError(f"Metric {name!r} cuts the list after 0 items; the cut-off must be at least 1.")
    return metric


def _sensible(metric: Metric) -> bool:
    if metric.is_curve:
        return metric.cut is None and metric.radius is None and not metric.variant and metric.ties is None
    if metric.variant and (metric.radius is None or metric.variant not in VARIANTS.get(metric.base, ())):
        return False
    if metric.radius is not None:
        return metric.base in AT_RADIUS
    return metric.base in AT_RANK if metric.cut is not None else metric.base == "map"
