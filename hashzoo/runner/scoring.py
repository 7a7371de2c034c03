"""From stored codes to metrics: the evaluators that a configuration names, applied to every pair. No torch."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hashzoo.errors import HashzooError, UsageError, WorkError, unknown_name
from hashzoo.evaluation.codes import Codes, codes_sha256
from hashzoo.evaluation.names import ALL, base_of, metric_of, parse
from hashzoo.evaluation.registered import RANKING
from hashzoo.plugins import Plugin, Registry
from hashzoo.plugins.troubles import one_line
from hashzoo.results.config import RunConfig
from hashzoo.specs import Component, Metric, Protocol, Retrieval

Values = tuple[dict[str, float], dict[str, list[Any]], list[str]]
"""Metrics, curves and notes."""

RANKING_NAMES = frozenset(metric.name for metric in RANKING)

_ROUNDING = 1e-9
"""How far beyond its range a value may lie by rounding."""


def run_evaluators(
    registry: Registry, config: RunConfig, protocol: Protocol, codes: Mapping[str, Codes], *, coded: bool
) -> Values:
    """Return (metrics, curves, notes) of all pairs; with several pairs names are prefixed "image-to-text/".

    Evaluators that have nothing to say without codes are left out where `coded` is False. Raises WorkError, naming
    plugin and distribution, for an evaluator that fails, gives a name that is not its own, or a value that is none.
    """
    settings = config.evaluation
    asked = settings.metrics
    judges = [_Judge.named(registry, name) for name in settings.evaluators or protocol.evaluators]
    judges = [judge for judge in judges if coded or judge.judges_uncoded]
    metrics: dict[str, float] = {}
    curves: dict[str, list[Any]] = {}
    notes: list[str] = []
    for query, database in protocol.pairs:
        prefix = f"{query}-to-{database}/" if len(protocol.pairs) > 1 else ""
        task = Retrieval(
            query=_set(codes, f"query.{query}"),
            database=_set(codes, f"database.{database}"),
            ranking=config.ranking,
            ties=settings.ties,
            convention=settings.convention,
            coded=coded,
        )
        for judge in judges:
            values, said = judge.judge(registry, protocol, task, asked)
            for key, value in values.items():
                name = prefix + key
                if name in metrics or name in curves:
                    raise WorkError(f"{judge.what} gives {key!r}, which another evaluator has given; leave one out.")
                if isinstance(value, list):
                    curves[name] = value
                elif coded or judge.needs(key) != "codes":
                    metrics[name] = float(value)
            notes += [prefix + note for note in said]
    return metrics, curves, notes


def check_metrics(registry: Registry, evaluators: Iterable[str], asked: Iterable[str]) -> None:
    """Raise UsageError for an evaluator that does not exist, and for a metric that none of them gives."""
    judges = [_Judge.named(registry, name) for name in evaluators]
    known = {base: judge for judge in judges for base in judge.metrics}
    for name in asked:
        if name == ALL:
            continue
        judge = known.get(base_of(name))
        if judge is None:
            raise unknown_name("metric", name, known)
        if base_of(name) in RANKING_NAMES:
            parse(name)


@dataclass(frozen=True)
class _Judge:
    """An evaluator with its owner and the metrics that it declares, by base name."""

    name: str
    component: Component
    owner: Plugin
    metrics: Mapping[str, Metric]

    @classmethod
    def named(cls, registry: Registry, name: str) -> _Judge:
        """Return the evaluator; WorkError where it declares a metric that is not registered, or another's."""
        component, owner = registry.get("evaluators", name), registry.owner("evaluators", name)
        what = _described(name, owner)
        metrics: dict[str, Metric] = {}
        for base in component.metrics:
            try:
                owners = registry.owner("metrics", base)
            except UsageError as error:
                raise WorkError(
                    f"{what} declares the metric {base!r}, which no plugin alone registers ({error}); "
                    "return it from hashzoo_register_metrics."
                ) from error
            if owners.distribution != owner.distribution:
                raise WorkError(
                    f"{what} declares the metric {base!r}, which belongs to {owners.distribution}; give it a name of "
                    "its own."
                )
            metrics[base] = registry.get("metrics", base)
        return cls(name, component, owner, metrics)

    @property
    def what(self) -> str:
        """The evaluator with its distribution, for messages."""
        return _described(self.name, self.owner)

    @property
    def judges_uncoded(self) -> bool:
        """Whether any of its metrics is there where the features themselves are ranked."""
        return any(metric.needs != "codes" for metric in self.metrics.values())

    def needs(self, key: str) -> str:
        """Return what a metric is computed from: "codes", "relaxed" or "either"."""
        metric = self.metrics.get(base_of(key))
        return metric.needs if metric is not None else "codes"

    def judge(
        self, registry: Registry, protocol: Protocol, task: Retrieval, asked: tuple[str, ...] | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Return what the evaluator says of one pair: {name: number or curve}, checked, and notes."""
        own = None if asked is None else tuple(n for n in asked if n == ALL or base_of(n) in self.metrics)
        given = replace(task, metrics=own)
        kept = "" if self.owner.builtin else codes_sha256({"query": task.query, "database": task.database})
        found = self._called(registry, protocol, given)
        if kept and kept != codes_sha256({"query": task.query, "database": task.database}):
            raise WorkError(f"{self.what} has changed the codes that it was given; it may only read them.")
        if not isinstance(found, Mapping):
            raise WorkError(f"{self.what} returned {type(found).__name__} and not a mapping of names to values.")
        notes = [value for value in found.values() if isinstance(value, str)]
        values = {key: value for key, value in found.items() if value is not None and not isinstance(value, str)}
        return {key: self._checked(registry, key, value) for key, value in values.items()}, notes

    def _called(self, registry: Registry, protocol: Protocol, task: Retrieval) -> Any:
        try:
            return registry.build("evaluators", self.name, protocol)(task)
        except (HashzooError, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self.owner.builtin:
                raise
            frames = traceback.extract_tb(error.__traceback__)
            at = f" at {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
            raise WorkError(
                f"{self.what} failed ({type(error).__name__}: {one_line(error)}{at}); report it to its authors, or "
                "leave it out of --evaluators."
            ) from error

    def _checked(self, registry: Registry, key: Any, value: Any) -> float | list[Any]:
        """Return a value as a number or a list of numbers; WorkError, naming it, for anything that is not its own."""
        if not isinstance(key, str) or not key:
            raise WorkError(f"{self.what} names a metric {key!r}; a name is a text.")
        metric = self.metrics.get(base_of(key))
        if metric is None:
            other = metric_of(registry, key)
            if other is None and self.owner.api < 2:  # interface 1 had no place to declare a metric
                return self._plain(key, value)
            whose = "" if other is None else f" and which is {registry.owner('metrics', other.name).distribution}'s"
            raise WorkError(
                f"{self.what} gives {key!r}, which it does not declare{whose}; name it in the evaluator's metrics=."
            )
        plain = self._plain(key, value)
        low, high = metric.range
        if not isinstance(plain, list) and (
            (low is not None and plain < low - _ROUNDING) or (high is not None and plain > high + _ROUNDING)
        ):
            raise WorkError(
                f"{self.what} gives {key!r} = {plain!r}, outside of the metric's range of {low} to {high}; correct the "
                "evaluator or the range."
            )
        return plain

    def _plain(self, key: str, value: Any) -> float | list[Any]:
        plain = _plain(value)
        if plain is None:
            raise WorkError(
                f"{self.what} gives {key!r} = {_shown(value)}, which is no finite number and no list of such; return "
                "None where it is undefined."
            )
        return plain


def _described(name: str, owner: Plugin) -> str:
    return f"The evaluator {name!r} of {owner.distribution} {owner.version}"


def _plain(value: Any) -> float | list[Any] | None:
    """Return a number, numpy's too, as a plain one, lists of them as lists; None for what is not finite or neither."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        parts = [_plain(part) for part in value]
        return None if any(part is None for part in parts) else parts
    if isinstance(value, (bool, int, float)):
        try:
            number = float(value)
        except OverflowError:
            return None
        if not math.isfinite(number):
            return None
        return value if type(value) is int else number
    return None


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.60}"
    except Exception:  # noqa: BLE001 -- a plugin's object may fail to describe itself
        return f"a {type(value).__name__}"


def _set(codes: Mapping[str, Codes], name: str) -> Codes:
    if name not in codes:
        held = ", ".join(sorted(codes)) or "nothing"
        raise WorkError(f"The codes hold {held} and not {name!r}, which the protocol needs; encode again.")
    return codes[name]
