"""Write the site: a folder of HTML that opens from disk, the same bytes for the same records on the same machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import hashzoo
from hashzoo import __version__
from hashzoo.errors import HashzooError, UsageError
from hashzoo.plugins import registry
from hashzoo.plugins.sources import is_editable, plugin_folders
from hashzoo.results.bibtex import bibtex
from hashzoo.results.evidence import pairs_of
from hashzoo.results.layout import NOTHING, paper_boards, published_board
from hashzoo.results.record import Record
from hashzoo.results.text import number_text, plain
from hashzoo.site import charts, drawing, pictures, records, vega, wording
from hashzoo.site.content import Board, Content, MethodPage, Row, newest, slug
from hashzoo.site.figures import Entry, Figure, Place, board_charts, figure, method_charts
from hashzoo.site.markup import code_marks, compact
from hashzoo.site.tables import part
from hashzoo.specs import Paper, PaperTable
from hashzoo.training.references import NO_PAPER

MARK = "hashzoo-site.txt"
"""A folder that holds it was made by this command and may be made again."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Pictures:
    """What a method's published codes look like."""

    label: str
    bits: int
    seed: int
    distances: Figure
    plane: str
    classes: Sequence[Entry]
    items: int
    balance: Sequence[float]
    bars: str
    nearest: Sequence[tuple[pictures.Nearest, str]]
    named: bool


def build(board_dir: Path, out: Path, say: Say = lambda _: None, *, codes: bool = True) -> str:
    """Write the site of a board folder to `out` and say what it holds; `codes` False leaves the pictures of codes out.

    Raises UsageError for a folder that holds something else, WorkError without the packages that draw charts.
    """
    charts.need("altair"), charts.need("vl_convert")
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise UsageError(f"{out} holds something that is no site of hashzoo; give a new folder.")
    content = Content.read(board_dir)
    if out.exists():
        shutil.rmtree(out)
    for name in ("static", "pictures"):
        (out / name).mkdir(parents=True)
    (out / MARK).write_text("A static site made by hashzoo; it is replaced when it is made again.\n", encoding="utf-8")
    site = _Site(content, out, say, codes)
    site.write()
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    pages = len(list(out.rglob("*.html")))
    return f"Wrote {pages} pages ({size / 1e6:.1f} MB) to {out}; open {out / 'index.html'}."


class _Site:
    """One run of the command."""

    def __init__(self, content: Content, out: Path, say: Say, codes: bool) -> None:
        self.content, self.out, self.say, self.codes = content, out, say, codes
        self.pages = {page.name: page.page for page in content.methods}
        environment = Environment(
            loader=PackageLoader("hashzoo.site", "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        environment.globals |= {
            "content": content, "version": __version__, "record_count": len(content.records), "number": number_text,
            "signed": lambda value: f"{value:+.4f}".replace("-", "\N{MINUS SIGN}"), "facts": wording.facts,
            "behind": wording.behind, "bibtex": bibtex, "sections": wording.sections,
            "method_page": lambda name: self.pages[name], "pages": self.pages,
            "board_pages": {board.protocol_id: board.page for board in content.boards}, "table_page": table_page,
            "claim_ids": {judged.claim: f"c{n}" for n, judged in enumerate(content.claims)},
            "columns_of": records.columns_of, "by_seed": records.by_seed, "others": records.others,
            "how_made": partial(records.how_made, folders=self.folders),
        }  # fmt: skip
        environment.filters["groupby_two"] = _by_place
        self.environment = environment

    def write(self) -> None:
        static = files("hashzoo.site").joinpath("static")
        for name in ("site.css", "site.js", "icon.svg"):
            self.file(f"static/{name}", static.joinpath(name).read_text(encoding="utf-8"))
        self.file("static/vega.js", vega.script())
        self.file("static/charts.js", vega.templates())
        self.page("index.html.j2", "index.html", "hashzoo", "Boards", latest=newest(self.content.records))
        for board in self.content.boards:
            self.say(f"board {board.label}")
            self.board(board)
        papers = {paper.key: paper for page in self.content.methods if (paper := paper_of(page))}
        self.page(
            "methods.html.j2", "methods/index.html", "Methods", "Methods",
            all_bibtex="\n".join(bibtex(papers[key]) for key in sorted(papers)),
        )  # fmt: skip
        for page in self.content.methods:
            self.say(f"method {page.name}")
            self.method(page)
        self.tables()
        judged = sorted(self.content.claims, key=lambda item: (item.verdict == "not measured", item.claim.better))
        self.page("claims.html.j2", "claims/index.html", "Claims", "Claims", claims=judged)
        machines = {records.machine_id(record): record for record in self.content.records}
        self.page(
            "machines.html.j2", "machines.html", "Machines and versions", machines=sorted(machines.items()),
            versions=records.versions, machine_name=records.machine_name,
        )  # fmt: skip

    def file(self, name: str, content: str | bytes) -> None:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def page(self, template: str, name: str, title: str, current: str = "", **values: Any) -> None:
        root = "../" * name.count("/")
        shown = title if title == "hashzoo" else f"{title} - hashzoo"
        text = self.environment.get_template(template).render(root=root, title=shown, current=current, **values)
        self.file(name, compact(code_marks(text)))

    def code_pictures(self, page: MethodPage) -> list[Pictures]:
        """Return the pictures of a method's codes on one board: the first whose data are here, else its first."""
        found: dict[str, tuple[Row, Record]] = {}
        for row in page.rows if self.codes else ():
            for record in row.records if row.protocol not in found else ():
                standing = self.content.evidence.of(record)
                if standing.level != "reported only" and standing.has_codes:
                    found[row.protocol] = (row, record)
                    break
        here = [(row, record) for row, record in found.values() if self.gallery(record).rows]
        return [
            self.pictured(page, row, record, self.content.evidence.codes(record))
            for row, record in (here or list(found.values()))[:1]
        ]

    def pictured(self, page: MethodPage, row: Row, record: Record, codes: Mapping[str, Any]) -> Pictures:
        pairs = pairs_of(record, codes)
        direction, (query, database) = next(iter(pairs.items()))
        gallery = self.gallery(record)
        stem = f"{slug(page.name)}-{slug(row.protocol)}-{record.bits}"
        note = "between queries and database" + (f", {direction}" if direction else "")
        order = {"relevant": 2, "other": 3}
        histogram = drawing.distances(pictures.distances(query, database), order)
        shares = figure("Distances of relevant and other items", note, histogram)
        plane, classes, items = "", {}, 0
        with suppress(UsageError):  # fewer than ten items have a label
            points, named = pictures.plane(query, gallery)
            classes = {n: -1 if n == pictures.OTHERS else place for place, n in enumerate(named)}
            plane, items = f"{stem}-plane.svg", len(points)
            self.file(f"pictures/{plane}", drawing.plane(points, classes))
        nearest = []
        for direction, (query, database) in pairs.items():
            asks, answers = pictures.modalities(record, direction)
            found = pictures.neighbours(query, database, gallery, direction, asks, answers)
            sheet = pictures.sheet(found, gallery)
            name = f"{stem}-{slug(direction)}.webp" if direction else f"{stem}.webp"
            if sheet is not None:
                self.file(f"pictures/{name}", sheet)
            nearest.append((found, name if sheet is not None else ""))
        legend = [Entry(name, drawing.style_of(place)) for name, place in classes.items()]
        balance = pictures.balance(database)
        where = ", ".join(said for said in (row.protocol, row.settings) if said)
        return Pictures(
            where, record.bits, record.seed, shares, plane, legend, items, balance, drawing.bars(balance),
            nearest, bool(gallery.names),
        )  # fmt: skip

    def gallery(self, record: Record) -> pictures.Gallery:
        if not hasattr(self, "_galleries"):
            self._galleries: dict[str, pictures.Gallery] = {}
        if record.protocol not in self._galleries:
            self._galleries[record.protocol] = pictures.Gallery.of(record)
        return self._galleries[record.protocol]

    # Pages

    def board(self, board: Board) -> None:
        views = [view for setup in board.setups for view in setup.views]
        rows = [row for view in views for row in view.rows if not row.floor]
        firsts: dict[Any, tuple[str, str]] = {}  # where a row stands first, which is where the page says what it is
        for setup in board.setups:
            for view in setup.views:
                for row in view.rows:
                    firsts.setdefault(row.key, (setup.id, view.metric))
        self.page(
            "board.html.j2", board.page, board.label, "Boards", board=board,
            metrics=list(dict.fromkeys(view.metric for view in views)),
            lengths=sorted({bits for view in views for bits in view.bits if bits}),
            filters=[
                ("supervision", "Labels", sorted({row.supervision for row in rows})),
                ("kind", "Training", sorted({row.kind for row in rows})),
                ("tuned", "Settings", sorted({row.tuned for row in rows})),
            ],
            years=sorted({row.year for row in rows if row.year}, reverse=True),
            has_published=any(f.beside and f.gap is None for view in views for f in view.figures.values()),
            grouped=any(view.grouped for view in views),
            has_collapsed=any(f.collapsed for view in views for f in view.figures.values()),
            has_gap=any(f.gap is not None for view in views for f in view.figures.values()),
            charts={setup.id: board_charts(setup) for setup in board.setups},
            place={key: place for place, key in enumerate(firsts)}, first_of=firsts,
            no_group=partial(wording.no_group, self.content.evidence),
            tables=[t for t in self.content.tables if board.dataset and wording.is_on(t, board.dataset.name)],
            notes=wording.board_notes(views),
        )  # fmt: skip

    def folders(self, row: Row) -> list[str]:
        """Return the folders that a row's records lie in, from the board folder."""
        folder = self.content.board_dir.resolve()
        paths = [record.path.resolve() for record in row.records if record.path is not None]
        found = dict.fromkeys(path.parent.relative_to(folder).as_posix() for path in paths)
        return [plain(f"{folder.name}/{name}") for name in found]

    def method(self, page: MethodPage) -> None:
        firsts: dict[tuple[str, Any], Place] = {}
        for board in self.content.boards:
            for setup in board.setups:
                for view in setup.views:
                    for row in view.rows:
                        if row.method == page.name:
                            firsts.setdefault((board.label, row.key), Place(board, setup, view, row))
        places = list(firsts.values())
        content, row = self.content, page.rows[0]
        words = [row.supervision, {"deep": "deep", "shallow": "closed form", "none": "not trained"}[row.kind]]
        words += ["floor"] if row.floor else []
        paper = paper_of(page)
        words += [str(paper.year)] if paper else []
        self.page(
            "method.html.j2", page.page, page.name, "Methods", page=page, places=places, standing=_together(places),
            words=list(dict.fromkeys(words)), charts=method_charts(places), paper=paper, install=install_command(page),
            pictures=self.code_pictures(page),
            claims=[j for j in content.claims if page.name in (j.claim.better, j.claim.worse)],
            tables=[t for t in self.content.tables if any(r.method == page.name for r in t.rows)],
        )  # fmt: skip

    def tables(self) -> None:
        listed = []
        for table in self.content.tables:
            try:
                made = paper_boards(self.content.records, table, known=self.content.known)
            except HashzooError:
                made = [published_board(table, NOTHING, self.content.known)]
            parts = [part(board, table, self.content.rows, self.pages) for board in made]
            notes = list(dict.fromkeys(note for board in made for note in board.notes))
            self.page("table.html.j2", table_page(table), table.id, "Tables", table=table, parts=parts, notes=notes)
            there = sum(found["measured"] for found in parts)
            listed.append((table, f"{there} measured" if there else ""))
        self.page("tables.html.j2", "tables/index.html", "Published tables", "Tables", tables=listed)


def table_page(table: PaperTable) -> str:
    """Return the file of a published table."""
    return f"tables/{slug(table.id)}.html"


def paper_of(page: MethodPage) -> Paper | None:
    """Return the paper of a method; None of a reference point that has none of its own."""
    return None if page.paper == NO_PAPER else page.paper


def install_command(page: MethodPage) -> str:
    """Return the command that installs a method: the clone's where its plugin is part of one; "" where there is none.

    >>> install_command(MethodPage("chance", None, "hashzoo", "0.2.0", {}, ()))
    ''
    """
    if page.distribution in ("", "hashzoo"):
        return ""
    if not is_editable(page.distribution):
        return f"pip install {page.distribution}=={page.version}"
    clone = Path(hashzoo.__file__).resolve().parents[1]
    for folder in plugin_folders(registry().owner("methods", page.name)):
        if folder.resolve().is_relative_to(clone):
            return f"pip install -e . -e {folder.resolve().parent.relative_to(clone).as_posix()}"
    return ""


def _together(places: Sequence[Place]) -> list[tuple[Place, list[Row], list[int]]]:
    """Return for each set-up of each board its first place, all rows on it, and the bit lengths that these have."""
    found: dict[tuple[str, str], list[Place]] = {}
    for place in places:
        found.setdefault((place.board.label, place.setup.id), []).append(place)
    return [
        (
            group[0],
            [place.row for place in group],
            sorted({bits for place in group for bits in place.view.of(place.row)}),
        )
        for group in found.values()
    ]


def _by_place(findings: Sequence[Any]) -> list[tuple[tuple[str, str], list[Any]]]:
    """Return findings of a claim by protocol and metric."""
    found: dict[tuple[str, str], list[Any]] = {}
    for finding in findings:
        found.setdefault((finding.protocol, finding.metric), []).append(finding)
    return list(found.items())
