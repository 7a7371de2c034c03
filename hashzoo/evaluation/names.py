"""The names of metrics: `map`, `map@5000`, `precision@h2-micro`, `map:best`, and what each asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hashzoo.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from hashzoo.plugins import Registry
    from hashzoo.specs import Metric

AT_RANK = ("map", "precision", "recall", "ndcg")
AT_RADIUS = ("map", "precision", "recall", "empty")
CURVES = ("precision_curve", "pr_curve", "pr_curve_lookup")
VARIANTS = {"map": ("reranked",), "precision": ("micro",), "recall": ("micro",)}

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
"""What is computed when no metrics are named, less those that look at more items than the list has."""

ALL = "default"
"""Name that stands for DEFAULT in a list of metrics."""

_DIGITS = 12
"""A cut-off or radius of more digits is a slip: no list has so many items."""

_EXAMPLES = (*DEFAULT, "precision@h2-micro", "recall@h2-micro", "map@h2-reranked")
_FORM = re.compile(
    r"(?P<base>[a-z_]+)(?:@(?P<ball>h?)(?P<size>[0-9]+))?(?:-(?P<variant>[a-z]+))?"
    r"(?::(?P<ties>expected|best|worst))?"
)


@dataclass(frozen=True)
class MetricName:
    """What a name asks for: `base`, `cut` (first N items) or `radius` (Hamming ball), `variant`, `ties` if it says."""

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
    def is_pooled(self) -> bool:
        """Whether the name asks for all pairs of all queries at once, so that a single query has no value."""
        return self.variant == "micro"

    @property
    def needs_counts(self) -> bool:
        """Whether Hamming distances decide it even where items are ranked by real-valued outputs."""
        return self.radius is not None or self.base == "pr_curve_lookup"


def parse(name: str) -> MetricName:
    """Return what a metric's name asks for; any N and R may stand in it. Unknown names raise UsageError.

    >>> parse("map@h2-reranked")
    MetricName(name='map@h2-reranked', base='map', cut=None, radius=2, variant='reranked', ties=None)
    """
    if not isinstance(name, str):
        raise UsageError(f"A metric is named by a text such as 'map@5000', not by {name!r}.")
    found = _FORM.fullmatch(name)
    if found is None:
        raise unknown_name("metric", name[:80], _EXAMPLES)
    base, ball, size = found["base"], found["ball"], found["size"]
    if size is not None and len(size) > _DIGITS:
        raise UsageError(
            f"Metric {name[:80]!r} names a number of {len(size)} digits; no list is so long: write {base!r} for the "
            "whole one."
        )
    number = None if size is None else int(size)
    metric = MetricName(
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


def name_list(names: str | Iterable[str]) -> list[str]:
    """Return metric names from a list of them, or from a text of one name or several with commas; each once.

    >>> name_list("map, map@5000,map")
    ['map', 'map@5000']
    """
    if not isinstance(names, str):
        return list(dict.fromkeys(names))
    listed = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not listed:
        raise UsageError("No metric is named; write one such as 'map', several with commas between them.")
    return listed


def base_of(name: str) -> str:
    """Return the registered metric that a figure's name belongs to: without pair, cut-off, variant and tie order.

    >>> [base_of(name) for name in ("map@h2-reranked", "image-to-text/map:best", "precision@100", "first_hit")]
    ['map', 'map', 'precision', 'first_hit']
    """
    return name.rpartition("/")[2].partition("@")[0].partition(":")[0]


def metric_of(registry: Registry, name: str) -> Metric | None:
    """Return the registered metric behind a figure's name; None where no installed plugin, or more than one, has it."""
    try:
        found: Metric = registry.get("metrics", base_of(name))
    except UsageError:
        return None
    return found


def longer_than(names: Iterable[MetricName], items: int) -> list[str]:
    """Return the names that ask for the first N items of a list that has fewer."""
    return [metric.name for metric in names if metric.cut is not None and metric.cut > items]


def _sensible(metric: MetricName) -> bool:
    if metric.is_curve:
        return metric.cut is None and metric.radius is None and not metric.variant and metric.ties is None
    if metric.variant and (metric.radius is None or metric.variant not in VARIANTS.get(metric.base, ())):
        return False
    if metric.radius is not None:
        return metric.base in AT_RADIUS
    return metric.base in AT_RANK if metric.cut is not None else metric.base == "map"
