"""What the pages say in words: facts of rows, sections and notes of boards, how a record was made."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from hashzoo.evaluation.code_quality import is_collapse
from hashzoo.evaluation.uncertainty import Standing as Comparison
from hashzoo.files import json_sha256
from hashzoo.results.boards import BOARD_METRICS
from hashzoo.results.evidence import Evidence
from hashzoo.results.published import is_dataset
from hashzoo.results.record import Record
from hashzoo.results.table import COLLAPSED
from hashzoo.results.text import plain
from hashzoo.site.board import Row, View
from hashzoo.specs import PaperTable

SHORT_LEVELS = {"reported only": "reported", "follows from codes": "codes", "made again": "made again"}
"""What stands behind a record, in a word that fits a column."""


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


def main_first(names: set[str]) -> list[str]:
    """Return metrics with those of the boards first."""
    bare = {name: name.rpartition("/")[2] for name in names}
    place = {metric: number for number, metric in enumerate(BOARD_METRICS)}
    return sorted(names - {"bits"}, key=lambda name: (place.get(bare[name], len(place)), name))


def interval(compared: Comparison) -> str:
    """Return an interval of how far a row is behind the best."""
    return f"{-compared.high:.4f}, {-compared.low:.4f}".replace("-", "\N{MINUS SIGN}")


def exact(value: float) -> str:
    """Return a value as a record page shows it."""
    return f"{value:.0f}" if value == int(value) else f"{value:.6f}"


def values(records: Sequence[Record], name: str) -> list[str]:
    """Return a metric of records as their table shows it."""
    return [exact(record.metrics[name]) if name in record.metrics else "" for record in records]


def other_measures(row: Row) -> list[str]:
    """Return the metrics of a row that have no board of their own and are not of the data alone."""
    elsewhere = (*BOARD_METRICS, "items", "queries_without_relevant")
    return [name for name in main_first(row.metrics) if name.rpartition("/")[2] not in elsewhere]


def means(groups: Sequence[tuple[int, Sequence[Record]]], name: str) -> list[str]:
    """Return the mean of a metric over the seeds of each bit length."""
    found = [[record.metrics[name] for record in records if name in record.metrics] for _, records in groups]
    return [f"{fmean(values):.4g}" if values else "" for values in found]


def seconds(groups: Sequence[tuple[int, Sequence[Record]]]) -> list[str]:
    """Return how long training, encoding and evaluation took at each bit length, mean over the seeds."""
    return [f"{fmean(sum(record.timings.values()) for record in records):.1f}" for _, records in groups]


def made(record: Record) -> list[tuple[str, str]]:
    """Return how a record was made, in words."""
    config = record.config
    found: list[tuple[str, str]] = [("precision", config.precision)]
    for name in ("hash_layer", "loss", "trainer", "fitter"):
        part = getattr(config, name)
        if part is not None:
            options = ", ".join(f"{key} {value}" for key, value in part.options.items())
            found.append((name.replace("_", " "), f"{part.name}{f' ({options})' if options else ''}"))
    if config.recipe is not None:
        recipe = config.recipe
        found.append(
            (
                "recipe",
                f"{recipe.epochs} epochs of {recipe.batch_size}, {recipe.optimizer}, learning rate {recipe.lr:g}, "
                f"weight decay {recipe.weight_decay:g}, {recipe.schedule.name}",
            )
        )
    if config.settings_source:
        found.append(("settings", config.settings_source))
    plugins = {f"{p.distribution} {p.version}" for p in record.plugins.values()}
    found.append(("plugins", ", ".join(sorted(plugins))))
    found.append(("made", record.created))
    return [(name, plain(str(value))) for name, value in found]


def versions(record: Record) -> str:
    """Return the versions of everything but the plugins that a record names by itself."""
    own = {part.distribution for part in record.plugins.values()} - {"hashzoo"}
    return plain(", ".join(f"{name} {version}" for name, version in record.versions.items() if name not in own))


def machine_id(record: Record) -> str:
    """Return the place on the page of machines where a record's machine and versions stand, once for all records."""
    return f"m{json_sha256([versions(record), record.environment])[:6]}"


def made_on(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Return the machines of records: the place on the page of machines, and a name."""
    found = {machine_id(record): record.environment for record in records}
    return [(place, plain(str(of.get("processor") or of.get("system") or "machine"))) for place, of in found.items()]
