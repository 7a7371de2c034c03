"""What the pages say in words: facts of rows, sections and notes of boards."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hashzoo.evaluation.code_quality import is_collapse
from hashzoo.evaluation.uncertainty import Standing as Comparison
from hashzoo.results.evidence import Evidence
from hashzoo.results.published import is_dataset
from hashzoo.results.table import COLLAPSED
from hashzoo.results.text import number_text
from hashzoo.site.board import Row, View
from hashzoo.specs import PaperTable


def facts(row: Row) -> str:
    """Return what kind of row it is, in words; what its settings say beside it is not said twice."""
    words = [] if row.floor or row.kind == "none" else [row.supervision, row.kind]
    if row.tuned == "tuned" and not row.settings.startswith("tuned"):
        words.append("tuned")
    if row.year and not row.floor:
        words.append(str(row.year))
    words += [row.share] if row.share else []
    return " \N{MIDDLE DOT} ".join(words)


def sections(view: View) -> list[tuple[str, list[Row], bool]]:
    """Return the rows of a board in sections: contenders, those that saw the database, floors."""
    open_rows = [row for row in view.rows if not row.floor and row.database == "hidden"]
    apart = [row for row in view.rows if not row.floor and row.database != "hidden"]
    floors = [row for row in view.rows if row.floor]
    named = [("", open_rows, False), ("Saw the database in training; not compared", apart, False)]
    return [part for part in [*named, ("Floors", floors, True)] if part[1]]


def board_notes(views: Sequence[View]) -> list[str]:
    """Return what a reader of a board has to know, one sentence each."""
    notes = []
    published = {f.published.table.id for v in views for f in v.figures.values() if f.published}
    other = {f.other.table.id for v in views for f in v.figures.values() if f.other}
    if published:
        notes.append(f"Published values of the same protocol: {', '.join(sorted(published))}.")
    if other:
        notes.append(
            "Published values in italics are of another set-up and no measure of reproduction: "
            f"{', '.join(sorted(other))}."
        )
    few = sorted(
        {row.label for v in views for row in v.rows if not row.floor for f in v.of(row).values() if f.seeds < 3}
    )
    if few:
        notes.append(f"Fewer than three seeds: {', '.join(few)}.")
    collapsed = {
        (row.label, record.bits)
        for view in views
        for row in view.rows
        for record in row.records
        if any(map(is_collapse, record.notes))
    }
    if collapsed:
        named = ", ".join(f"{label} at {bits} bits" for label, bits in sorted(collapsed))
        notes.append(
            f"{COLLAPSED} Codes of at least one seed collapsed (half of the bits or more never change, or most items "
            f"share one code), so that these figures are of shorter codes, and none is marked as tied: {named}."
        )
    return notes


def no_group(evidence: Evidence, view: View) -> str:
    """Return in a sentence why no group tied with the best is known."""
    contending = [row for row in view.rows if not row.floor and row.database == "hidden"]
    if view.higher is None:
        return "this metric has no better direction."
    if len(contending) < 2:
        return "there is one method."
    there = [any(view.metric in evidence.of(record).values for record in row.records) for row in contending]
    if not any(there):
        return "the records of this board keep no values by query of this metric."
    lacking = [row.name for row, has in zip(contending, there, strict=True) if not has]
    few = ", ".join(lacking[:3]) + (" and others" if len(lacking) > 3 else "")
    return f"values by query of this metric are not there for every row (not for {few})." if few else (
        "values by query of this metric are not there for every record."
    )  # fmt: skip


def is_on(table: PaperTable, dataset: str) -> bool:
    """Return whether a published table has rows on a data set."""
    return any(is_dataset(row.dataset, dataset) for row in table.rows)


def behind(compared: Comparison) -> str:
    """Return how far a row is behind the best and its interval, in short: a page's script writes them out.

    There are thousands, which the script alone shows, for one bit length at a time.
    """
    if not compared.difference:
        return "best mean"
    values = (compared.difference, -compared.high, -compared.low)
    return " ".join(re.sub(r"^(-?)0\.", r"\1.", number_text(value)) for value in values)
