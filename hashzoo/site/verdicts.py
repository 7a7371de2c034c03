"""What the boards say of a paper's claim: holds, does not hold, undecided, or not measured; from values by query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hashzoo.errors import UsageError
from hashzoo.evaluation.uncertainty import holm, paired_difference
from hashzoo.plugins import registry
from hashzoo.results.known import base_name
from hashzoo.site.content import Board, Content, Row, Setup
from hashzoo.specs import Claim

LEVEL = 0.05


@dataclass(frozen=True)
class Finding:
    """A claim at one protocol, set-up and bit length: by how much `better` is ahead, and what that says."""

    board: Board
    setup: Setup
    metric: str
    bits: int
    difference: float
    low: float
    high: float
    p_value: float
    verdict: str


@dataclass(frozen=True)
class Judged:
    """A claim with its findings."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """The verdict over all findings: one where they agree."""
        said = {finding.verdict for finding in self.findings}
        if not said:
            return "not measured"
        if said == {"undecided"} or len(said - {"undecided"}) > 1:
            return "undecided" if said == {"undecided"} else "differs"
        return (said - {"undecided"}).pop()


def judge(content: Content, method: str) -> list[Judged]:
    """Return the claims about a method, judged with the records that brought their values by query.

    The difference is paired over queries and allows for another draw of seeds (`paired_difference`); the findings of one
    claim are corrected for their number (Holm).
    """
    found = registry()
    claims = [found.get("claims", name) for name in found.names("claims")]
    return [
        Judged(claim, tuple(_findings(content, claim))) for claim in claims if method in (claim.better, claim.worse)
    ]


def _findings(content: Content, claim: Claim) -> list[Finding]:
    drawn: list[Finding] = []
    for board in content.boards:
        if claim.protocols and board.protocol_id not in claim.protocols:
            continue
        for setup in board.setups:
            for view in setup.views:
                if view.metric != claim.metric and view.metric.rpartition("/")[2] != claim.metric:
                    continue
                sides = [
                    next((r for r in view.rows if r.name == n and not r.settings), None)
                    for n in (claim.better, claim.worse)
                ]
                for bits in claim.bits or view.bits:
                    finding = _finding(content, board, setup, view.metric, bits, sides)
                    drawn += [finding] if finding else []
    corrected = holm([finding.p_value for finding in drawn]) if drawn else []
    return [
        Finding(**{**vars(f), "p_value": float(p), "verdict": _verdict(f.difference, float(p))})
        for f, p in zip(drawn, corrected, strict=True)
    ]


def _finding(
    content: Content, board: Board, setup: Setup, metric: str, bits: int, sides: Sequence[Row | None]
) -> Finding | None:
    values = []
    for row in sides:
        if row is None:
            return None
        here = [r for r in row.records if r.bits in (0, bits)]
        by_query = [content.evidence.of(record).values.get(metric) for record in here]
        if not by_query or any(value is None for value in by_query):
            return None
        values.append(np.stack([value for value in by_query if value is not None]))
    try:
        found = paired_difference(values[1], values[0])
    except UsageError:
        return None
    sign = 1.0 if content.known.higher.get(base_name(metric), True) else -1.0
    low, high = sorted((sign * float(found["low"]), sign * float(found["high"])))
    difference = sign * float(found["difference"])
    return Finding(board, setup, metric, bits, difference, low, high, float(found["p_value"]), "")


def _verdict(difference: float, p_value: float) -> str:
    if p_value > LEVEL:
        return "undecided"
    return "holds" if difference > 0 else "does not hold"
