"""What stands on the site, from the board folder and the installed plugins, as plain values for the templates."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from hashzoo.errors import HashzooError, UsageError
from hashzoo.evaluation.uncertainty import Standing as Comparison
from hashzoo.files import json_sha256
from hashzoo.plugins import registry
from hashzoo.plugins.describe import describe
from hashzoo.results.boards import BOARD_METRICS, REGISTERED
from hashzoo.results.claims import Judged, judge
from hashzoo.results.collect import collect
from hashzoo.results.commands import known_tables
from hashzoo.results.evidence import LEVELS, RECORDS, Evidence, Standing
from hashzoo.results.known import Known, installed, read_known
from hashzoo.results.measure import ROW_LEVELS, Selection, measure, select, tidy
from hashzoo.results.published import Published, match
from hashzoo.results.record import Record
from hashzoo.results.standings import standings
from hashzoo.results.table import by_setting, ranked_rows
from hashzoo.results.text import plain
from hashzoo.specs import Dataset, Method, Paper, PaperTable, Protocol

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
    def seconds(self) -> list[str]:
        """How long each record took."""
        return [f"{sum(record.timings.values()):.1f}" for record in self.records]

    @property
    def checksums(self) -> list[str]:
        """The beginning of each record's sha256."""
        return [record.record_sha256[:8] for record in self.records]

    @property
    def level(self) -> int:
        """The most that stands behind one of its records, as a place in `LEVELS`."""
        return max(LEVELS.index(standing.level) for standing in self.standings)

    @property
    def level_text(self) -> str:
        """How many of its records follow from codes or were made again."""
        count = [sum(standing.level == level for standing in self.standings) for level in LEVELS]
        total = len(self.standings)
        said = [f"{n} of {total} {w}" for n, w in ((count[2], "made again"), (count[1], "follow from codes")) if n]
        return "; ".join(said) or "reported only"


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
        wins = {row.key: sum(bool(f.compared and f.compared.tied) for f in self.of(row).values()) for row in contending}
        most = max(wins.values(), default=0)
        return [row for row in contending if wins[row.key] == most] if most else contending[:1]

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


@dataclass(frozen=True)
class MethodPage:
    """A method, from its plugin where that is installed."""

    name: str
    method: Method | None
    distribution: str
    version: str
    options: Mapping[str, Mapping[str, Any]]
    rows: tuple[Row, ...]
    released: bool = True

    @property
    def page(self) -> str:
        """File from the site's root."""
        return f"methods/{slug(self.name)}.html"

    @property
    def paper(self) -> Paper | None:
        """Its paper."""
        return self.method.paper if self.method else None

    @property
    def sentences(self) -> str:
        """What it is, in two sentences: what its plugin says, and how it is trained."""
        if self.method is None:
            return "The plugin of this method is not installed where the site was made."
        said = plain(self.method.summary).rstrip(".")
        how = {
            "gradient": "Trained by gradients", "fit": "Fitted in closed form", "none": "Not trained",
        }[self.method.training]  # fmt: skip
        sees = "from labels" if self.method.supervision == "supervised" else "without labels"
        seen = {"hidden": "", "inputs": ", with the database's inputs", "labels": ", with the database's labels"}
        ranked = {"hamming": "by Hamming distance", "cosine": "by cosine", "inner_product": "by inner product"}
        trained = f"{how} {sees}{seen[self.method.database]}" if self.method.training != "none" else how
        return f"{said[:1].upper()}{said[1:]}. {trained}; ranked {ranked[self.method.ranking]}."


@dataclass
class Content:
    """Everything on the site. Names from records are text that prints; the templates escape it."""

    board_dir: Path
    records: list[Record]
    known: Known
    evidence: Evidence
    tables: list[PaperTable]
    _rows: dict[tuple[str, Key], Row] = field(default_factory=dict)

    @classmethod
    def read(cls, board_dir: Path) -> Content:
        """Read a board folder; UsageError where it holds no records."""
        folder = board_dir / RECORDS
        records = [item.record for item in collect([folder])] if folder.is_dir() else []
        if not records:
            raise UsageError(f"{board_dir} holds no records; give a board folder such as leaderboards.")
        known = installed(records).over(read_known(board_dir / REGISTERED))
        tables = sorted(known_tables(board_dir), key=lambda table: (-table.paper.year, table.id))
        return cls(board_dir, records, known, Evidence(board_dir), tables)

    @cached_property
    def values(self) -> pd.DataFrame:
        """All values, tidy."""
        return tidy(self.records, self.known)

    @cached_property
    def boards(self) -> list[Board]:
        """A board per protocol, those with the most methods first."""
        found = []
        for protocol_id in sorted({record.protocol for record in self.records}):
            chosen = [record for record in self.records if record.protocol == protocol_id]
            names = {name for record in chosen for name in record.metrics}
            metrics = [m for m in BOARD_METRICS if any(name.rpartition("/")[2] == m for name in names)]
            headline = chosen[0].headline
            wanted = tuple(dict.fromkeys([headline, *metrics]))
            selection = Selection(metrics=wanted)
            values = tidy(select(chosen, selection), self.known)
            cells = measure(chosen, selection, self.known)
            found += [
                self._board(label, protocol_id, chosen, cells[cells["protocol"] == label], values)
                for label in dict.fromkeys(cells["protocol"])
            ]
        return sorted(found, key=lambda board: (-board.methods, board.label))

    def _board(
        self, label: str, protocol_id: str, chosen: list[Record], cells: pd.DataFrame, values: pd.DataFrame
    ) -> Board:
        values = values[values["protocol"] == label]
        views: dict[tuple[str, str], list[View]] = defaultdict(list)
        for part, backbone, regime in by_setting(cells):
            views[backbone, regime].append(self._view(label, part, values, chosen))
        for found in views.values():  # first what most rows have: nobody's own metric heads a page
            most = max(len(view.rows) for view in found)
            found.sort(key=lambda view, most=most: len(view.rows) < most)  # type: ignore[misc] # mypy cannot infer a lambda's default argument
        setups = tuple(Setup(label, backbone, regime, tuple(found)) for (backbone, regime), found in views.items())
        shas = set(values["record"])
        try:
            dataset, protocol = registry().protocol(chosen[0].config.protocol)
        except HashzooError:
            dataset, protocol = None, None
        return Board(label, protocol_id, dataset, protocol, setups, tuple(r for r in chosen if r.record_sha256 in shas))

    def _view(self, label: str, cells: pd.DataFrame, values: pd.DataFrame, chosen: list[Record]) -> View:
        metric = str(cells["metric"].iloc[0])
        compared = standings(cells, values, chosen, self.evidence)
        found = match(cells, self.tables)
        figures: dict[tuple[Key, int], Figure] = {}
        for cell, beside in zip(cells.to_dict("records"), found, strict=True):
            key = (*(cell[name] for name in ROW_LEVELS), label, metric, cell["bits"])
            figures[key[:4], int(cell["bits"])] = Figure(
                float(cell["measured"]),
                None if pd.isna(cell["sd"]) else float(cell["sd"]),
                int(cell["seeds"]),
                compared.get(key),
                next((p for p in beside if not p.mark), None),
                next((p for p in beside if p.mark), None),
                str(cell["backbone"]),
            )
        order = [tuple(key) for key in ranked_rows(cells)[list(ROW_LEVELS)].itertuples(index=False, name=None)]
        rows = tuple(self._row(label, key, values, chosen) for key in order)
        higher = cells["higher"].iloc[0]
        bits = tuple(sorted({int(n) for n in cells["bits"]}))
        return View(metric, None if pd.isna(higher) else bool(higher), bits, rows, figures)

    def _row(self, label: str, key: Key, values: pd.DataFrame, chosen: list[Record]) -> Row:
        if (label, key) not in self._rows:
            here = values[(values[list(ROW_LEVELS)] == list(key)).all(axis=1)]
            shas = set(here["record"])
            records = tuple(sorted((r for r in chosen if r.record_sha256 in shas), key=lambda r: (r.bits, r.seed)))
            method = method_named(records[0].method)
            name, anchor = plain(records[0].method), slug(label)
            taken = {row.anchor for row in self._rows.values() if row.method == name}
            if key[0] != name or key[3] or anchor in taken:  # the method's own setting has the short one
                anchor = f"{anchor}-{json_sha256(list(key))[:6]}"
            self._rows[label, key] = Row(
                key, label, name, records[0].floor, str(here["database"].iloc[0]), records,
                tuple(self.evidence.of(record) for record in records), method.paper.year if method else None,
                method is not None, anchor,
            )  # fmt: skip
        return self._rows[label, key]

    @cached_property
    def rows(self) -> list[Row]:
        """Every row of every board, once."""
        assert self.boards
        return list(self._rows.values())

    @cached_property
    def methods(self) -> list[MethodPage]:
        """A page per method that was measured, sorted by name."""
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            rows[row.method].append(row)
        return [self._method(name, tuple(found)) for name, found in sorted(rows.items())]

    @cached_property
    def claims(self) -> list[Judged]:
        """Every claim of the installed methods with what the records say of it."""
        found = registry()
        claims = [found.get("claims", name) for name in found.names("claims")]
        return judge(claims, self.records, lambda record: self.evidence.of(record).values, self.known)

    def _method(self, name: str, rows: tuple[Row, ...]) -> MethodPage:
        method = method_named(rows[0].records[0].method)
        if method is None:
            maker = rows[0].records[0].plugins.get("method")
            return MethodPage(name, None, maker.distribution if maker else "", maker.version if maker else "", {}, rows)
        owner = registry().owner("methods", name)
        try:
            options = {
                part: dict(said) for part, said in describe("methods", name)["component_options"].items() if said
            }
        except HashzooError:
            options = {}
        return MethodPage(name, method, owner.distribution, owner.version, options, rows)


def method_named(name: str) -> Method | None:
    """Return a method of an installed plugin, None without it."""
    try:
        found: Method = registry().get("methods", name)
    except HashzooError:
        return None
    return found


def newest(records: Sequence[Record], number: int = 6) -> list[tuple[str, str, str, int]]:
    """Return what changed last: (day, method, protocol, number of records), newest first."""
    groups: dict[tuple[str, str, str], int] = defaultdict(int)
    for record in records:
        groups[record.created[:10], plain(record.method), plain(record.protocol)] += 1
    latest = sorted(groups.items(), key=lambda item: (item[0][0], item[0][2], item[0][1]), reverse=True)[:number]
    return [(*key, count) for key, count in latest]
