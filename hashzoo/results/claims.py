"""What measured values say of a paper's claim: holds, does not hold, undecided, not measured, and where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import UsageError
from hashzoo.evaluation.uncertainty import holm, paired_difference
from hashzoo.results.known import Known
from hashzoo.results.measure import protocol_key, protocol_labels
from hashzoo.results.record import Record
from hashzoo.results.settings import database_of, row_names
from hashzoo.specs import Claim

LEVEL = 0.05
"""A difference whose corrected p value is above this is undecided."""

COLLAPSED = "not judged: collapsed"
"""The verdict of a finding where a record of either method notes that its codes collapsed."""

Values = Callable[[Record], Mapping[str, NDArray[Any]]]
"""Gives a record's values by query, {metric: (Q,)}; without a metric where they were not kept."""


@dataclass(frozen=True)
class Finding:
    """One claim on one protocol, set-up and bit length: by how much `better` is ahead of `worse`, and what that says.

    `difference` is positive where the claim's better method is ahead, whichever way the metric points. `low` and
    `high` are its 95 % interval and `p_value` is corrected for the number of findings of the claim; None where a
    record kept no values by query, and nothing can then be decided. `collapsed`: a record of either method notes that
    its codes collapsed, so the difference says nothing of the methods.
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

    @property
    def verdict(self) -> str:
        """What this finding says of the claim."""
        if self.collapsed:
            return COLLAPSED
        if self.p_value is None or self.p_value > LEVEL:
            return "undecided"
        return "holds" if self.difference > 0 else "does not hold"


@dataclass(frozen=True)
class Judged:
    """A claim with its findings; `saw_database` names which of its methods did, where that alone keeps them apart."""

    claim: Claim
    findings: tuple[Finding, ...]
    saw_database: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The verdict over all findings, in two or three words.

        "holds" or "does not hold": at least one finding is decided so, and no difference points the other way.
        "partly decided": at least one is decided, and an undecided difference points the other way. "differs": some are
        decided for the claim, some against. Else "undecided", "not judged" (codes collapsed wherever both were
        measured), "not comparable" (one method saw the database) or "not measured".
        """
        if not self.findings:
            return "not comparable" if self.saw_database else "not measured"
        judged = [finding for finding in self.findings if not finding.collapsed]
        if not judged:
            return "not judged"
        decided = {finding.verdict for finding in judged} - {"undecided"}
        if len(decided) != 1:
            return "differs" if decided else "undecided"
        verdict = decided.pop()
        sign = 1 if verdict == "holds" else -1
        return "partly decided" if any(sign * finding.difference < 0 for finding in judged) else verdict

    @property
    def said(self) -> str:
        """The verdict with what it needs to be understood: "holds at 16 bits on digits-1k, undecided elsewhere"."""
        if self.verdict == "not comparable":
            return f"{self.verdict} ({self.details})"
        return self.details or (COLLAPSED if self.verdict == "not judged" else self.verdict)

    @property
    def details(self) -> str:
        """Where a claim is decided how, or which method saw the database; "" where the verdict says it all."""
        if self.saw_database:
            return f"{' and '.join(self.saw_database)} saw the database"
        if self.verdict not in ("partly decided", "differs"):
            return ""
        parts = {name: [f for f in self.findings if f.verdict == name] for name in ("holds", "does not hold")}
        words = [f"{name} {self._where(found)}" for name, found in parts.items() if found]
        return ", ".join([*words, *(["undecided elsewhere"] if self._has("undecided") else [])])

    @property
    def counted(self) -> str:
        """How many findings say what: "7 hold, 1 does not hold, 4 undecided"."""
        said = [finding.verdict for finding in self.findings]
        several = {"holds": "hold", "does not hold": "do not hold", "undecided": "undecided", COLLAPSED: COLLAPSED}
        counts = {verdict: said.count(verdict) for verdict in several if verdict in said}
        return ", ".join(f"{n} {verdict if n == 1 else several[verdict]}" for verdict, n in counts.items())

    def _has(self, verdict: str) -> bool:
        return any(finding.verdict == verdict for finding in self.findings)

    def _where(self, chosen: Sequence[Finding]) -> str:
        """Return "at 16 and 32 bits on digits-1k"; set-up and metric are named where the findings have several."""
        setups = {(f.protocol, f.backbone, f.regime) for f in self.findings}
        several = len({protocol for protocol, _, _ in setups}) < len(setups)
        metrics = len({f.metric for f in self.findings}) > 1
        places: dict[str, list[int]] = {}
        for f in chosen:
            setup = f" ({f.backbone}, {f.regime})" if several else ""
            places.setdefault(f"on {f.protocol}{setup}{f' in {f.metric}' if metrics else ''}", []).append(f.bits)
        return ", ".join(f"at {_listed(map(str, bits))} bits {place}" for place, bits in places.items())


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def judge(claims: Iterable[Claim], records: Sequence[Record], values: Values, known: Known) -> list[Judged]:
    """Return each claim with what the records say of it.

    Compared are rows of the methods' own settings that stand on one board: same protocol with its split, convention
    and tie rule, same backbone, regime and sight of the database. The difference is paired over queries and its
    interval allows for another draw of seeds (`paired_difference`); the p values of one claim's findings are corrected
    for their number (Holm, 1979).
    """
    rows = _rows(records, known)
    return [_judged(claim, rows, values, known) for claim in claims]


def _judged(claim: Claim, rows: _Rows, values: Values, known: Known) -> Judged:
    findings = tuple(_corrected(list(_findings(claim, rows, values, known))))
    return Judged(claim, findings, () if findings else _saw_database(claim, rows))


_Place = tuple[str, str, str, str, str]
"""Id of the protocol, its label on boards, backbone, regime, what was seen of the database."""
_Rows = Mapping[_Place, Mapping[tuple[str, int], Sequence[Record]]]


def _rows(records: Sequence[Record], known: Known) -> _Rows:
    """Return the records of methods as their plugins set them up, by board, then by (method, bits)."""
    found: dict[_Place, dict[tuple[str, int], list[Record]]] = defaultdict(lambda: defaultdict(list))
    labels = protocol_labels(records)
    for record, name in zip(records, row_names(records, known.own), strict=True):
        if name.method == record.method and not name.settings:
            label = labels[protocol_key(record)]
            place = (record.protocol, label, record.backbone_name, record.regime, database_of(record))
            found[place][record.method, record.bits].append(record)
    return found


def _saw_database(claim: Claim, rows: _Rows) -> tuple[str, ...]:
    """Return which of a claim's methods saw the database, where the two were measured alike but for that."""
    sights: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for (id_, *place, sight), here in rows.items():
        for method in {method for method, _ in here} & {claim.better, claim.worse}:
            if not claim.protocols or id_ in claim.protocols:
                sights[id_, *place][method].add(sight)
    alike = [found for found in sights.values() if len(found) == 2]
    return tuple(
        method
        for method in (claim.better, claim.worse)
        if any(found[method] != {"hidden"} and not found[claim.better] & found[claim.worse] for found in alike)
    )


def _findings(claim: Claim, rows: _Rows, values: Values, known: Known) -> Iterator[Finding]:
    for (id_, protocol, backbone, regime, _), here in sorted(rows.items()):
        if claim.protocols and id_ not in claim.protocols:
            continue
        lengths = claim.bits or sorted(
            {bits for method, bits in here if method in (claim.better, claim.worse) and bits}
        )
        for bits in lengths:
            better, worse = (here.get((m, bits)) or here.get((m, 0)) or () for m in (claim.better, claim.worse))
            if not better or not worse:
                continue
            shared = set.intersection(*(set(record.metrics) for record in (*better, *worse)))
            measured = [{m for m in shared if name in (m, m.rpartition("/")[2])} for name in _metrics(claim)]
            for metric in sorted(next(filter(None, measured), ())):
                sign = 1.0 if known.direction(metric) is not False else -1.0
                yield _finding((protocol, backbone, regime, metric, bits), better, worse, values, sign)


def _metrics(claim: Claim) -> tuple[str, ...]:
    """Return the metrics that judge a claim, in the order in which they are looked for."""
    return (claim.metric, claim.instead) if claim.instead else (claim.metric,)


def _finding(
    place: tuple[str, str, str, str, int],
    better: Sequence[Record],
    worse: Sequence[Record],
    values: Values,
    sign: float,
) -> Finding:
    protocol, backbone, regime, metric, bits = place
    means = [float(np.mean([record.metrics[metric] for record in row])) for row in (better, worse)]
    finding = Finding(
        protocol, backbone, regime, metric, bits, (len(better), len(worse)), sign * (means[0] - means[1]),
        None, None, None, tuple(str(record.path) for record in (*better, *worse)),
        any(record.collapsed for record in (*better, *worse)),
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


# As text


def as_json(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return claims, verdicts and findings as plain JSON."""
    return [
        {
            **vars(item.claim),
            "verdict": item.verdict,
            "said": item.said,
            "findings": [{**vars(finding), "verdict": finding.verdict} for finding in item.findings],
        }
        for item in judged
    ]


def claims_text(judged: Sequence[Judged], findings: bool = False) -> str:
    """Return a line per claim with its verdict, and with `findings` one per finding below it."""
    lines: list[str] = []
    for item in judged:
        claim = item.claim
        lines.append(f"{item.verdict:<14} {claim.better} over {claim.worse} in {_metric_text(claim)}: {claim.text}")
        if details := "; ".join(filter(None, (item.details, item.counted))):
            lines[-1] += f" ({details})"
        for f in item.findings if findings else ():
            where = f"{f.protocol}, {f.backbone} {f.regime}, {f.metric}, {f.bits} bits"
            lines.append(f"    {f.verdict:<13} {where}: {difference_text(f)}, seeds {f.seeds[0]} and {f.seeds[1]}")
    return "\n".join(lines or ["No installed method states a claim."]) + "\n"


def markdown(judged: Sequence[Judged], command: str) -> str:
    """Return a page: a table of the claims, then each claim's findings."""
    lines = [
        "# What the papers claim, and what was measured",
        "",
        f"Written by `{command}`. Differences are in points (hundredths), positive where the claim's better",
        "method is ahead; in brackets their 95 % interval, paired over queries and allowing for another draw of seeds.",
        "A finding is decided where its p value, corrected for the number of findings of its claim (Holm), is at most",
        f"{LEVEL:g}. Every method stands with its plugin's own setting; where that was not tuned like the other's, a",
        "verdict is one on the settings, not on the methods.",
        "",
        "A claim holds where at least one finding is decided for it and no difference points the other way; most rest",
        "on one small board. Where an undecided difference points the other way, the verdict says at which bit lengths",
        "and on which protocol it is decided. `no values by query`: the records have means only, so nothing can be",
        "decided there, however large the difference. Collapsed codes (a record notes that half of the bits or more",
        "never change, or that most items share one code) are not judged, and a method that saw the database in",
        "training is not compared with one that did not. `recalled` in the column source: not read in the paper for",
        "this page, but known from memory or from notes on it.",
        "",
        "| claim | source | verdict | findings |",
        "|---|---|---|---|",
    ]
    for item in judged:
        claim = item.claim
        what = f"{_cell(claim.text)} (`{claim.better}` over `{claim.worse}`, {_metric_text(claim)})"
        lines.append(f"| {what} | {_cell(claim.source)} | {item.said} | {item.counted or 'none'} |")
    for item in (item for item in judged if item.findings):
        lines += ["", f"## {item.claim.text}: {item.said}", ""]
        lines += [
            "| protocol | set-up | metric | bits | seeds | difference | p | verdict |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {f.protocol} | {f.backbone}, {f.regime} | {f.metric} | {f.bits} | {f.seeds[0]}, {f.seeds[1]} "
            f"| {difference_text(f)} | {'' if f.p_value is None else f'{f.p_value:.4f}'} | {f.verdict} |"
            for f in item.findings
        ]
    return "\n".join(lines) + "\n"


def _metric_text(claim: Claim) -> str:
    return ", else ".join(_metrics(claim))


def difference_text(finding: Finding) -> str:
    """Return "+3.1 [+2.0, +4.2]" in points."""
    text = f"{100 * finding.difference:+.1f}"
    if finding.collapsed:
        return text
    if finding.low is None or finding.high is None:
        return f"{text} (no values by query)"
    return f"{text} [{100 * finding.low:+.1f}, {100 * finding.high:+.1f}]"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
