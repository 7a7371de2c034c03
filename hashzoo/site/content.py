"""What stands on the site, from the board folder and the installed plugins, as plain values for the templates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from hashzoo.errors import HashzooError, UsageError
from hashzoo.files import json_sha256
from hashzoo.plugins import registry
from hashzoo.plugins.describe import describe
from hashzoo.results.boards import BOARD_METRICS, REGISTERED
from hashzoo.results.claims import Judged, judge
from hashzoo.results.collect import collect
from hashzoo.results.commands import known_tables
from hashzoo.results.evidence import RECORDS, Evidence
from hashzoo.results.known import Known, installed, read_known
from hashzoo.results.measure import ROW_LEVELS, Selection, measure, select, tidy
from hashzoo.results.published import match
from hashzoo.results.record import Record
from hashzoo.results.standings import standings
from hashzoo.results.table import by_setting, ranked_rows
from hashzoo.results.text import plain
from hashzoo.site.board import Board, Figure, Key, Row, Setup, View, slug
from hashzoo.specs import Method, Paper, PaperTable

__all__ = ["Board", "Content", "Figure", "Key", "MethodPage", "Row", "Setup", "View", "newest", "slug"]


@dataclass(frozen=True)
class MethodPage:
    """A method, from its plugin where that is installed."""

    name: str
    method: Method | None
    distribution: str
    version: str
    options: Mapping[str, Mapping[str, Any]]
    rows: tuple[Row, ...]

    @property
    def page(self) -> str:
        """File from the site's root."""
        return f"methods/{slug(self.name)}.html"

    @property
    def paper(self) -> Paper | None:
        """Its paper."""
        return self.method.paper if self.method else None

    @property
    def facts(self) -> str:
        """What kind of method it is, in words: of all its rows, not of how one of them was set."""
        kinds = dict.fromkeys((row.supervision, row.kind) for row in self.rows if not row.floor and row.kind != "none")
        return ", ".join(" \N{MIDDLE DOT} ".join(words) for words in kinds)

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
                bool(cell["collapsed"]),
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
            name, digest = plain(records[0].method), json_sha256([label, *key])
            taken = {row.anchor for row in self._rows.values() if row.method == name}
            anchor = next(short for n in range(3, 65) if (short := f"r{digest[:n]}") not in taken)
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
