"""A board as its page shows it: protocol, set-ups, a view per metric, rows and figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hashzoo.evaluation.uncertainty import Standing as Comparison
from hashzoo.files import json_sha256
from hashzoo.results.evidence import LEVELS, Standing
from hashzoo.results.published import Published
from hashzoo.results.record import Record
from hashzoo.results.text import plain
from hashzoo.specs import Dataset, Protocol

Key = tuple[str, str, str, str]
"""Method, backbone, regime and settings: a row of a board."""


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def slug(text: str) -> str:
    """Return a name as part of a file name and link: letters, digits, '.', '-' and '_'; others by a checksum.

    >>> slug("dch"), slug("map@h2")[:7], slug("..")[:2]
    ('dch', 'map-h2-', 'x-')
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-").lstrip(".-")[:80] or "x"
    return name if name == text else f"{name}-{json_sha256(text)[:6]}"


@dataclass(frozen=True)
class Row:
    """A row of a board with what the filters ask of it."""

    key: Key
    protocol: str
    method: str
    floor: bool
    database: str
    records: tuple[Record, ...]
    standings: tuple[Standing, ...]
    year: int | None
    installed: bool
    anchor: str

    @property
    def name(self) -> str:
        """The method, or the method with other parts."""
        return self.key[0]

    @property
    def settings(self) -> str:
        """What departs from the method's own setting."""
        return self.key[3]

    @property
    def label(self) -> str:
        """Its name with the settings, which tells it from every other row."""
        return f"{self.name} ({self.settings})" if self.settings else self.name

    @property
    def kind(self) -> str:
        """How it is trained: "deep", "shallow" (a closed form), or "none"."""
        return {"gradient": "deep", "fit": "shallow"}.get(self.records[0].config.training, "none")

    @property
    def supervision(self) -> str:
        """Whether it sees labels."""
        return self.records[0].config.supervision

    @property
    def tuned(self) -> str:
        """Whether its setting is from a study or the plugin's recipe."""
        return "tuned" if self.records[0].config.tuned else "recipe"

    @property
    def page(self) -> str:
        """File that shows its records, from the site's root; `anchor` and the bit length are the place in it."""
        return f"methods/{slug(self.method)}.html"

    @property
    def metrics(self) -> set[str]:
        """Names of what was measured of any of its records."""
        return {name for record in self.records for name in record.metrics}

    @property
    def levels(self) -> list[int]:
        """What stands behind each of its records, as places in `LEVELS`."""
        return [LEVELS.index(standing.level) for standing in self.standings]

    @property
    def level(self) -> int:
        """What stands behind every one of its records: a row is as well founded as its weakest record."""
        return min(self.levels)

    @property
    def level_text(self) -> str:
        """How many of its records follow from codes or were made again."""
        said = [
            f"{count} of {len(self.levels)} {words}"
            for place, words in ((2, "made again"), (1, "follow from codes"))
            if (count := self.levels.count(place))
        ]
        return "; ".join(said) or "Reported only"

    @property
    def share(self) -> str:
        """What stands behind some of its records only, in words beside its name; "" where all are alike."""
        total, made, codes = len(self.levels), self.levels.count(2), self.levels.count(1)
        if total in (made, codes) or not made + codes:
            return ""
        said = [f"codes for {codes} of {total}"] if codes else []
        return ", ".join([*said, *([f"{made} of {total} made again"] if made else [])])


@dataclass(frozen=True)
class Figure:
    """One cell of a board."""

    value: float
    sd: float | None
    seeds: int
    compared: Comparison | None
    published: Published | None
    other: Published | None
    backbone: str = ""
    collapsed: bool = False

    @property
    def tied(self) -> bool:
        """Whether it is marked as tied with the best."""
        return bool(self.compared and self.compared.tied)

    @property
    def beside(self) -> Published | None:
        """The published value that stands beside it: one of the same protocol, else one of another."""
        return self.published or self.other

    @property
    def other_setup(self) -> str:
        """How the set-up of `beside` differs, in a few words; "" where it is the same, so that a gap says something."""
        if self.published is None:
            return self.other.mark.strip(" ()") if self.other else ""
        theirs = self.published.row.backbone
        if _letters(self.backbone) in _letters(theirs):
            return ""
        return plain(f"same lists, {theirs}" if theirs else "same lists, backbone not stated")

    @property
    def gap(self) -> float | None:
        """Measured minus published, where the set-up is the same."""
        there = self.published is not None and not self.other_setup
        return self.value - self.published.row.value if there and self.published else None


@dataclass(frozen=True)
class View:
    """The board of one protocol, set-up and metric: rows in their order, `figures` by row and bit length."""

    metric: str
    higher: bool | None
    bits: tuple[int, ...]
    rows: tuple[Row, ...]
    figures: Mapping[tuple[Key, int], Figure]

    @property
    def grouped(self) -> bool:
        """Whether a group tied with the best is known in any column."""
        return any(figure.compared for figure in self.figures.values())

    @property
    def partly(self) -> bool:
        """Whether it is known in some columns and not in others."""
        known = {bits for (_, bits), figure in self.figures.items() if figure.compared}
        return bool(known) and known != set(self.bits)

    def best(self) -> list[Row]:
        """Return rows tied with the best at the most bit lengths; the first row where that is not known."""
        contending = [row for row in self.rows if not row.floor and row.database == "hidden"]
        most = max(map(self.wins, contending), default=0)
        return [row for row in contending if self.wins(row) == most] if most else contending[:1]

    def wins(self, row: Row) -> int:
        """Return at how many bit lengths a row is tied with the best."""
        return sum(figure.tied for figure in self.of(row).values())

    @property
    def leading(self) -> str:
        """What the rows of `best` are, in words: "tied with the best at 3 of 4 bit lengths"."""
        most = max(map(self.wins, self.best()), default=0)
        if not most:
            return "highest mean"
        if len(self.bits) == 1:
            return "tied with the best"
        lengths = "every bit length" if most == len(self.bits) else f"{most} of {len(self.bits)} bit lengths"
        return f"tied with the best at {lengths}"

    def of(self, row: Row) -> dict[int, Figure]:
        """Return the figures of a row by bit length."""
        return {bits: self.figures[row.key, bits] for bits in self.bits if (row.key, bits) in self.figures}


@dataclass(frozen=True)
class Setup:
    """Backbone and regime of a protocol, with a view per metric."""

    protocol: str
    backbone: str
    regime: str
    views: tuple[View, ...]

    @property
    def id(self) -> str:
        """Name in links."""
        return slug(f"{self.backbone}-{self.regime}")

    @property
    def label(self) -> str:
        """Name on the page."""
        words = {"frozen": "frozen features", "finetune": "fine-tuned", "scratch": "trained from scratch"}
        return f"{self.backbone}, {words.get(self.regime, self.regime)}"

    @property
    def headline(self) -> View:
        """The view that stands first."""
        return self.views[0]

    def view(self, metric: str) -> View | None:
        """Return the view of a metric."""
        return next((view for view in self.views if view.metric == metric), None)


@dataclass(frozen=True)
class Board:
    """A protocol's page."""

    label: str
    protocol_id: str
    dataset: Dataset | None
    protocol: Protocol | None
    setups: tuple[Setup, ...]
    records: tuple[Record, ...]

    @property
    def page(self) -> str:
        """File from the site's root."""
        return f"boards/{slug(self.label)}.html"

    @property
    def summary(self) -> str:
        """What it is, from its plugin."""
        if self.protocol is None or self.dataset is None:
            return "The plugin of this protocol is not installed where the site was made."
        said = plain(self.protocol.summary or self.dataset.summary)
        return said[:1].upper() + said[1:]

    @property
    def methods(self) -> int:
        """Number of methods measured, floors left out."""
        return len({record.method for record in self.records if not record.floor})

    @property
    def seeds(self) -> int:
        """The most seeds of a cell."""
        return len({record.seed for record in self.records})
