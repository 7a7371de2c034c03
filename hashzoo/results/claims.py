"""What measured values say of a paper's claim: holds, does not hold, undecided, not measured; where, on what rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hashzoo.results.findings import (
    COLLAPSED,
    LEVEL,
    RECIPES,
    Finding,
    Rows,
    Values,
    findings_of,
    metrics_of,
    rows_of,
    saw_database,
)
from hashzoo.results.known import Known
from hashzoo.results.record import Record
from hashzoo.specs import Claim


@dataclass(frozen=True)
class Judged:
    """A claim with the findings that its verdict rests on.

    `saw_database` names which of its methods did, where that alone keeps them apart. `beside` was compared too and does
    not count: rows of the plugins' recipes where a study tuned both methods.
    """

    claim: Claim
    findings: tuple[Finding, ...]
    saw_database: tuple[str, ...] = ()
    beside: tuple[Finding, ...] = ()

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
        """How many findings say what: "7 hold, 1 does not hold, 4 undecided, 2 of these for want of a second seed"."""
        said = [finding.verdict for finding in self.findings]
        words = {"holds": "hold", "does not hold": "do not hold", "undecided": "undecided", COLLAPSED: COLLAPSED}
        counts = {verdict: said.count(verdict) for verdict in words if verdict in said}
        text = ", ".join(f"{number} {words[v] if number > 1 else v}" for v, number in counts.items())
        single = sum(finding.p_value is not None and min(finding.seeds) < 2 for finding in self.findings)
        return f"{text}, {single} of these for want of a second seed" if single else text

    @property
    def rests_on(self) -> str:
        """The rows that the verdict rests on: "tuned, 20 trials on digits-1k; plugins' recipes on wiki-2173"."""
        parts: dict[str, list[Finding]] = {}
        for finding in self.findings:
            parts.setdefault(finding.rows, []).append(finding)
        if len(parts) < 2:
            return "".join(parts)
        protocols = {rows: sorted({finding.protocol for finding in found}) for rows, found in parts.items()}
        apart = sum(map(len, protocols.values())) == len({f.protocol for f in self.findings})
        return "; ".join(
            f"{rows} " + (f"on {_listed(protocols[rows])}" if apart else self._where(found))
            for rows, found in parts.items()
        )

    @property
    def differing(self) -> str:
        """What the rows beside say otherwise, and where: "plugins' recipes: undecided at 16 bits on digits-1k"."""
        verdicts = {_spot(finding): finding.verdict for finding in self.findings}
        parts: dict[str, dict[str, list[Finding]]] = {}
        for finding in self.beside:
            if finding.verdict != verdicts[_spot(finding)]:
                parts.setdefault(finding.rows, {}).setdefault(finding.verdict, []).append(finding)
        return "; ".join(
            f"{rows}: " + ", ".join(f"{verdict} {self._where(found)}" for verdict, found in said.items())
            for rows, said in parts.items()
        )

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


def _spot(finding: Finding) -> tuple[str, str, str, str, int]:
    return finding.protocol, finding.backbone, finding.regime, finding.metric, finding.bits


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def judge(claims: Iterable[Claim], records: Sequence[Record], values: Values, known: Known) -> list[Judged]:
    """Return each claim with what the records say of it.

    Compared are rows that stand on one board: same protocol with its split, convention and tie rule, same backbone,
    regime and sight of the database. They are the rows of the plugins' recipes and, where one study tuned both methods
    (same protocol, same number of trials), those that it chose; there the verdict rests on these. The difference is
    paired over queries and its interval allows for another draw of seeds (`paired_difference`); the p values of one
    claim are corrected for the number of all its comparisons (Holm, 1979).
    """
    rows = rows_of(records, known)
    return [_judged(claim, rows, values, known) for claim in claims]


def _judged(claim: Claim, rows: Rows, values: Values, known: Known) -> Judged:
    findings, beside = findings_of(claim, rows, values, known)
    return Judged(claim, findings, () if findings else saw_database(claim, rows), beside)


# As text


def as_json(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return claims, verdicts and findings as plain JSON."""
    return [
        {
            **vars(item.claim),
            "verdict": item.verdict,
            "said": item.said,
            "rests_on": item.rests_on,
            "differing": item.differing,
            "findings": [_finding_json(finding) for finding in item.findings],
            "beside": [_finding_json(finding) for finding in item.beside],
        }
        for item in judged
    ]


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {**vars(finding), "rows": finding.rows, "verdict": finding.verdict}


def claims_text(judged: Sequence[Judged], findings: bool = False) -> str:
    """Return a line per claim with its verdict, and with `findings` one per finding below it."""
    lines: list[str] = []
    for item in judged:
        claim = item.claim
        lines.append(f"{item.verdict:<14} {claim.better} over {claim.worse} in {_metric_text(claim)}: {claim.text}")
        if details := "; ".join(filter(None, (item.details, item.counted, item.rests_on, item.differing))):
            lines[-1] += f" ({details})"
        for f in (*item.findings, *item.beside) if findings else ():
            where = f"{f.protocol}, {f.backbone} {f.regime}, {f.metric}, {f.bits} bits, {f.rows}"
            lines.append(f"    {f.verdict:<13} {where}: {difference_text(f)}, seeds {f.seeds[0]} and {f.seeds[1]}")
    return "\n".join(lines or ["No installed method states a claim."]) + "\n"


def markdown(judged: Sequence[Judged], command: str) -> str:
    """Return a page: a table of the claims, then each claim's findings."""
    lines = [
        "# What the papers claim, and what was measured",
        "",
        f"Written by `{command}`. Differences are in points (hundredths), positive where the claim's better",
        "method is ahead; in brackets their 95 % interval, paired over queries and allowing for another draw of seeds;",
        "of a method with a single seed the interval allows for no other seed, and nothing is decided.",
        "A finding is decided where its p value, corrected for the number of comparisons of its claim (Holm), is at",
        f"most {LEVEL:g}. Where one study tuned both methods with the same number of trials, the verdict rests on",
        f"those rows; the rows of the {RECIPES} are compared beside them, and where they say otherwise, it is named.",
        "Elsewhere each method stands with its plugin's own setting, and a verdict is one on the settings, not on the",
        "methods.",
        "",
        "A claim holds where at least one finding is decided for it and no difference points the other way; most rest",
        "on one small board. Where an undecided difference points the other way, the verdict says at which bit lengths",
        "and on which protocol it is decided. `no values by query`: the records have means only, so nothing can be",
        "decided there, however large the difference. Collapsed codes (a record notes that half of the bits or more",
        "never change, or that most items share one code) are not judged, and a method that saw the database in",
        "training is not compared with one that did not. `recalled` in the column source: not read in the paper for",
        "this page, but known from memory or from notes on it.",
        "",
        "| claim | source | verdict | findings | rests on | otherwise on |",
        "|---|---|---|---|---|---|",
    ]
    for item in judged:
        claim = item.claim
        what = f"{_cell(claim.text)} (`{claim.better}` over `{claim.worse}`, {_metric_text(claim)})"
        lines.append(
            f"| {what} | {_cell(claim.source)} | {item.said} | {item.counted or 'none'} | "
            f"{item.rests_on} | {item.differing} |"
        )
    for item in (item for item in judged if item.findings):
        lines += ["", f"## {item.claim.text}: {item.said}", ""]
        lines += [
            "| protocol | set-up | rows | metric | bits | seeds | difference | p | verdict |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [_finding_row(finding) for finding in (*item.findings, *item.beside)]
    return "\n".join(lines) + "\n"


def _finding_row(f: Finding) -> str:
    p_value = "" if f.p_value is None else f"{f.p_value:.4f}"
    setup = f"{f.protocol} | {f.backbone}, {f.regime} | {f.rows} | {f.metric} | {f.bits} | {f.seeds[0]}, {f.seeds[1]}"
    return f"| {setup} | {difference_text(f)} | {p_value} | {f.verdict} |"


def _metric_text(claim: Claim) -> str:
    return ", else ".join(metrics_of(claim))


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
