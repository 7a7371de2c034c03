"""What measured rows say of a paper's claim, one by one: differences, intervals, and on whose rows they rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import UsageError
from hashzoo.evaluation.uncertainty import holm, paired_difference
from hashzoo.results.known import Known
from hashzoo.results.measure import protocol_labels
from hashzoo.results.record import Record, protocol_key
from hashzoo.results.settings import TUNED, Study, database_of, row_names, study_of
from hashzoo.specs import Claim

LEVEL = 0.05
"""A difference whose corrected p value is above this is undecided."""

COLLAPSED = "not judged: collapsed"
"""The verdict of a finding where a record of either method notes that its codes collapsed."""

RECIPES = "plugins' recipes"
"""What a finding rests on where no study tuned both methods."""

Values = Callable[[Record], Mapping[str, NDArray[Any]]]
"""Gives a record's values by query, {metric: (Q,)}; without a metric where they were not kept."""


@dataclass(frozen=True)
class Finding:
    """One claim on one protocol, set-up and bit length: by how much `better` is ahead of `worse`, and what that says.

    `difference` is positive where the claim's better method is ahead, whichever way the metric points. `low` and
    `high` are its 95 % interval and `p_value` is corrected for all comparisons of the claim, on tuned rows and on the
    plugins' recipes; None where a record kept no values by query, and nothing can then be decided. Nothing is decided
    by a single seed of either method, whose interval is that over queries alone. `collapsed`: a record of either method
    notes that its codes collapsed, so the difference says nothing of the methods. `tuned` says by how many trials the
    settings of both were chosen ("20 trials"; "": both are the plugins' recipes).
    """

    protocol: str
    backbone: str
    regime: str
    metric: str
    bits: int
    seeds: tuple[int, int]
    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    records: tuple[str, ...]
    collapsed: bool = False
    tuned: str = ""

    @property
    def verdict(self) -> str:
        """What this finding says of the claim."""
        if self.collapsed:
            return COLLAPSED
        if self.p_value is None or self.p_value > LEVEL or min(self.seeds) < 2:
            return "undecided"
        return "holds" if self.difference > 0 else "does not hold"

    @property
    def rows(self) -> str:
        """Which rows are compared: "tuned, 20 trials" or "plugins' recipes"."""
        return f"{TUNED}, {self.tuned}" if self.tuned else RECIPES


@dataclass(frozen=True)
class Place:
    """Where rows can be compared: one board, and settings that were found alike.

    `id` is the protocol's, `protocol` its label on boards, `sight` what was seen of the database, `study` how the
    settings were tuned (None: the plugins' recipes).
    """

    id: str
    protocol: str
    backbone: str
    regime: str
    sight: str
    study: Study | None = None

    @property
    def order(self) -> tuple[Any, ...]:
        """What places are sorted by."""
        return (*self.board, self.sight, self.study is not None, self.study or ())

    @property
    def board(self) -> tuple[str, str, str, str]:
        """The place without what was seen of the database and how settings were chosen."""
        return self.id, self.protocol, self.backbone, self.regime

    @property
    def trials(self) -> int:
        """By how many trials settings were chosen; 0 for the plugins' recipes."""
        return self.study.trials if self.study else 0


Rows = Mapping[Place, Mapping[tuple[str, int], Sequence[Record]]]
"""Records by place, then by (method, bits)."""


def rows_of(records: Sequence[Record], known: Known) -> Rows:
    """Return the records of methods as their plugins set them up, and as a study tuned them with nothing else changed.

    Rows that name any other departure are left out.
    """
    found: dict[Place, dict[tuple[str, int], list[Record]]] = defaultdict(lambda: defaultdict(list))
    labels = protocol_labels(records)
    for record, name in zip(records, row_names(records, known.own), strict=True):
        study = study_of(record)
        if name.method == record.method and name.settings == (f"{TUNED}, {study.label}" if study else ""):
            label = labels[protocol_key(record)]
            sight = database_of(record)
            place = Place(record.protocol, label, record.backbone_name, record.regime, sight, study)
            found[place][record.method, record.bits].append(record)
    return found


def findings_of(
    claim: Claim, rows: Rows, values: Values, known: Known
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return what the verdict on a claim rests on, and what was compared beside it.

    Where a study tuned both methods, its rows are what counts there (of several studies that with the most trials),
    and the plugins' recipes stand beside it. The p values of all of them are corrected together (Holm, 1979), since
    all are compared.
    """
    compared = list(_compared(claim, rows, values, known))
    findings = _corrected([finding for _, finding in compared])
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, (place, finding) in enumerate(compared):
        alike[place.board, place.sight, finding.bits, finding.metric].append(number)
    counting = [max(numbers, key=lambda number: compared[number][0].trials) for _, numbers in sorted(alike.items())]
    beside = [number for _, numbers in sorted(alike.items()) for number in numbers if number not in counting]
    return tuple(findings[number] for number in counting), tuple(findings[number] for number in beside)


def saw_database(claim: Claim, rows: Rows) -> tuple[str, ...]:
    """Return which of a claim's methods saw the database, where the two were measured alike but for that."""
    sights: dict[tuple[Any, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for place, here in rows.items():
        for method in {method for method, _ in here} & {claim.better, claim.worse}:
            if not claim.protocols or place.id in claim.protocols:
                sights[place.board, place.study][method].add(place.sight)
    alike = [found for found in sights.values() if len(found) == 2]
    return tuple(
        method
        for method in (claim.better, claim.worse)
        if any(found[method] != {"hidden"} and not found[claim.better] & found[claim.worse] for found in alike)
    )


def metrics_of(claim: Claim) -> tuple[str, ...]:
    """Return the metrics that judge a claim, in the order in which they are looked for."""
    return (claim.metric, claim.instead) if claim.instead else (claim.metric,)


def _compared(claim: Claim, rows: Rows, values: Values, known: Known) -> Iterator[tuple[Place, Finding]]:
    for place, here in sorted(rows.items(), key=lambda item: item[0].order):
        if claim.protocols and place.id not in claim.protocols:
            continue
        lengths = claim.bits or sorted(
            {bits for method, bits in here if method in (claim.better, claim.worse) and bits}
        )
        for bits in lengths:
            better, worse = (here.get((m, bits)) or here.get((m, 0)) or () for m in (claim.better, claim.worse))
            if not better or not worse:
                continue
            shared = set.intersection(*(set(record.metrics) for record in (*better, *worse)))
            measured = [{m for m in shared if name in (m, m.rpartition("/")[2])} for name in metrics_of(claim)]
            for metric in sorted(next(filter(None, measured), ())):
                sign = 1.0 if known.direction(metric) is not False else -1.0
                yield place, _finding(place, metric, bits, better, worse, values, sign)


def _finding(
    place: Place, metric: str, bits: int, better: Sequence[Record], worse: Sequence[Record], values: Values, sign: float
) -> Finding:
    means = [float(np.mean([record.metrics[metric] for record in row])) for row in (better, worse)]
    finding = Finding(
        place.protocol, place.backbone, place.regime, metric, bits, (len(better), len(worse)),
        sign * (means[0] - means[1]), None, None, None, tuple(str(record.path) for record in (*better, *worse)),
        any(record.collapsed for record in (*better, *worse)), place.study.label if place.study else "",
    )  # fmt: skip
    if finding.collapsed:
        return finding
    by_query = [[values(record).get(metric) for record in row] for row in (better, worse)]
    kept = [[value for value in row if value is not None] for row in by_query]
    if [len(row) for row in kept] != [len(row) for row in by_query]:
        return finding
    try:
        found = paired_difference(np.stack(kept[1]), np.stack(kept[0]))
    except (UsageError, ValueError):
        return finding  # other queries, or fewer than two that have a value in both
    low, high = sorted((sign * float(found["low"]), sign * float(found["high"])))
    difference = sign * float(found["difference"])
    return replace(finding, difference=difference, low=low, high=high, p_value=float(found["p_value"]))


def _corrected(findings: Sequence[Finding]) -> list[Finding]:
    given = [finding.p_value for finding in findings if finding.p_value is not None]
    corrected = iter(holm(given)) if given else iter(())
    return [f if f.p_value is None else replace(f, p_value=float(next(corrected))) for f in findings]
