"""What measured values say of a paper's claim: holds, does not hold, undecided, or not measured."""

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

Values = Callable[[Record], Mapping[str, NDArray[Any]]]
"""Gives a record's values by query, {metric: (Q,)}; without a metric where they were not kept."""


@dataclass(frozen=True)
class Finding:
    """One claim on one protocol, set-up and bit length: by how much `better` is ahead of `worse`, and what that says.

    `difference` is positive where the claim's better method is ahead, whichever way the metric points. `low` and
    `high` are its 95 % interval and `p_value` is corrected for the number of findings of the claim; None where a
    record kept no values by query, and nothing can then be decided.
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

    @property
    def verdict(self) -> str:
        """What this finding says of the claim."""
        if self.p_value is None or self.p_value > LEVEL:
            return "undecided"
        return "holds" if self.difference > 0 else "does not hold"


@dataclass(frozen=True)
class Judged:
    """A claim with its findings."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """The verdict over all findings: that of those that are decided where they agree, else "differs"."""
        if not self.findings:
            return "not measured"
        decided = {finding.verdict for finding in self.findings} - {"undecided"}
        return "undecided" if not decided else decided.pop() if len(decided) == 1 else "differs"

    @property
    def counted(self) -> str:
        """How many findings say what: "7 hold, 1 does not, 4 undecided"."""
        said = [finding.verdict for finding in self.findings]
        words = (("holds", "hold"), ("does not hold", "do not hold"), ("undecided", "undecided"))
        return ", ".join(f"{said.count(verdict)} {word}" for verdict, word in words if verdict in said)


def judge(claims: Iterable[Claim], records: Sequence[Record], values: Values, known: Known) -> list[Judged]:
    """Return each claim with what the records say of it.

    Compared are rows of the methods' own settings that stand on one board: same protocol with its split, convention
    and tie rule, same backbone, regime and sight of the database. The difference is paired over queries and its
    interval allows for another draw of seeds (`paired_difference`); the p values of one claim's findings are corrected
    for their number (Holm, 1979).
    """
    rows = _rows(records, known)
    return [Judged(claim, tuple(_corrected(list(_findings(claim, rows, values, known))))) for claim in claims]


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
            for metric in sorted(m for m in shared if m == claim.metric or m.rpartition("/")[2] == claim.metric):
                sign = 1.0 if known.direction(metric) is not False else -1.0
                yield _finding((protocol, backbone, regime, metric, bits), better, worse, values, sign)


def _finding(
    place: tuple[str, str, str, str, int],
    better: Sequence[Record],
    worse: Sequence[Record],
    values: Values,
    sign: float,
) -> Finding:
    protocol, backbone, regime, metric, bits = place
    means = [float(np.mean([record.metrics[metric] for record in row])) for row in (better, worse)]
    by_query = [[values(record).get(metric) for record in row] for row in (better, worse)]
    finding = Finding(
        protocol, backbone, regime, metric, bits, (len(better), len(worse)), sign * (means[0] - means[1]),
        None, None, None, tuple(str(record.path) for record in (*better, *worse)),
    )  # fmt: skip
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
            "findings": [{**vars(finding), "verdict": finding.verdict} for finding in item.findings],
        }
        for item in judged
    ]


def claims_text(judged: Sequence[Judged], findings: bool = False) -> str:
    """Return a line per claim with its verdict, and with `findings` one per finding below it."""
    lines: list[str] = []
    for item in judged:
        claim = item.claim
        lines.append(f"{item.verdict:<14} {claim.better} over {claim.worse} in {claim.metric}: {claim.text}")
        if item.counted:
            lines[-1] += f" ({item.counted})"
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
        "| claim | source | verdict | findings |",
        "|---|---|---|---|",
    ]
    for item in judged:
        claim = item.claim
        what = f"{_cell(claim.text)} (`{claim.better}` over `{claim.worse}`, {claim.metric})"
        lines.append(f"| {what} | {_cell(claim.source)} | {item.verdict} | {item.counted or 'none'} |")
    for item in (item for item in judged if item.findings):
        lines += ["", f"## {item.claim.text}: {item.verdict}", ""]
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


def difference_text(finding: Finding) -> str:
    """Return "+3.1 [+2.0, +4.2]" in points."""
    text = f"{100 * finding.difference:+.1f}"
    if finding.low is None or finding.high is None:
        return f"{text} (no values by query)"
    return f"{text} [{100 * finding.low:+.1f}, {100 * finding.high:+.1f}]"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
