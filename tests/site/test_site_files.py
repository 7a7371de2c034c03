"""The written files, without a browser: links, bytes, size, escaping."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from hashzoo.errors import UsageError
from hashzoo.results.collect import collect
from hashzoo.site.content import Content, slug
from hashzoo.site.records import exact

pytest.importorskip("altair", reason="the extra `site` is not installed")


class Page(HTMLParser):
    """Links, ids and tags of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.links += [value for name in ("href", "src") if (value := found.get(name))]
        if found.get("id"):
            self.ids.append(str(found["id"]))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def test_every_link_resolves_inside_the_folder(site, pages):
    assert len(pages) > 15
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("https", "http", "data"):
                followed = [found.get("href") for tag, found in page.tags if tag == "a"]
                assert parts.scheme == "data" or link in followed, f"{path.name} loads {link}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_relative_to(site.resolve())
            assert target.is_file(), f"{path.name} links to {link}"
            fragment = unquote(parts.fragment)
            if fragment and target in pages and "=" not in fragment:
                assert fragment in pages[target].ids, f"{path.name} links to {link}"


def test_every_number_of_a_board_links_to_its_records(site, pages, boards):
    page = pages[(site / "boards" / "cifar10-5k-disjoint.html").resolve()]
    wanted = re.compile(r"\.\./methods/[^#]+\.html#r[0-9a-f]{3,}-\d+$")
    numbers = [href for tag, found in page.tags if tag == "a" and wanted.search(href := str(found.get("href")))]
    text = (site / "boards" / "cifar10-5k-disjoint.html").read_text(encoding="utf-8")
    first = text[text.index("<table") : text.index("</table>")]  # the script gives the other tables its links
    linked = len(re.findall(r"<td><a href=[^>]*>[0-9.]+</a>", first))
    assert len(numbers) >= linked == len(re.findall(r"<td>", first)) > 8
    shown = {found for path in pages for found in re.findall(r"<td[^>]*>([0-9.]+)", path.read_text(encoding="utf-8"))}
    records = [item.record for item in collect([boards / "records"])]
    assert {exact(value) for record in records for value in record.headlines.values()} <= shown


def test_made_again_it_is_the_same_byte_for_byte(site, boards, tmp_path):
    from hashzoo.site.build import build

    build(boards, tmp_path / "again")
    first = {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    again = {path.relative_to(tmp_path / "again"): path.read_bytes() for path in (tmp_path / "again").rglob("*.*")}
    assert first.keys() == again.keys()
    assert [str(name) for name in first if first[name] != again[name]] == []


def test_a_row_costs_few_bytes(site):
    # what every page shares is large and there once; what comes with each row decides how a site grows
    shared = sum(path.stat().st_size for path in (site / "static").iterdir())
    assert shared < 520_000
    page = (site / "methods" / "alpha.html").read_text(encoding="utf-8")
    assert len(page[page.index("<h2>Records") :].encode()) < 4_000
    text = (site / "boards" / "cifar10-5k-disjoint.html").read_text(encoding="utf-8")
    stills = re.findall(r"<svg class=still.*?</svg>", text)
    assert len(stills) > 3
    assert sum(map(len, stills)) / len(stills) < 3_500
    cells = re.findall(r"<td.*?(?=<td|<tr|<tbody|</table>)", text)
    assert len(cells) > 40
    assert sum(map(len, cells)) / len(cells) < 130


def stills(path: Path) -> dict[str, ET.Element]:
    """The charts of a page by their title."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"<figure data-chart=\w+><figcaption><b>([^<]*)</b>.*?(<svg class=still.*?</svg>)", text)
    attribute = re.compile(r'([\w-]+)=(?:"([^"]*)"|([^\s">]+))')
    return {
        title: ET.fromstring(re.sub(r"<[^>]+>", lambda tag: attribute.sub(r'\1="\2\3"', tag[0]), still))
        for title, still in found
    }


def test_stills_hold_every_line_and_their_values(site):
    found = stills(site / "boards" / "cifar10-5k-disjoint.html")
    assert list(found)[1:] == [
        "Precision-recall",
        "Precision at N",
        "Precision within a radius",
        "Recall within a radius",
    ]
    still = found["Precision-recall"]
    names = [title.text for title in still.iter("title")]
    assert len(names) == 5  # four methods and the floor
    assert names[-1] == "lsh"
    assert [line.get("class") for line in still.iter("g") if line.find("title") is not None][-1] == "f0"
    numbers = [text.text for text in still.iter("text")]
    assert {"recall", "precision", "0.2", "1.0"} <= set(numbers)
    bits = next(iter(found.values()))
    line = next(line for line in bits.iter("g") if getattr(line.find("title"), "text", "") == "alpha")
    path = [one.get("d") for one in line.iter("path") if one.get("class") is None]
    assert re.fullmatch(r"M16 (\d+)l16 ?-?\d+", str(path[0]))


def test_markup_in_names_is_text_in_every_page(site, pages):
    shown = [path.name for path, page in pages.items() if "<img src=x onerror=alert(1)>" in page.text]
    assert len(shown) >= 3  # the board, the method, the list of methods
    for page in pages.values():
        assert not [found for tag, found in page.tags if "onerror" in found or found.get("src") == "x"]


def tied(site: Path, metric: str) -> dict[str, list[str]]:
    """Columns of a board's table in which each row is marked as tied with the best."""
    text = (site / "boards" / "cifar10-5k-disjoint.html").read_text()
    (table,) = re.findall(rf'data-metric="?{re.escape(metric)}"?[ >].*?</table>', text, re.DOTALL)
    heads = re.findall(r"<th data-bits=\d+>([^<]*)", table)
    found = {}
    for row in table.split("<tr ")[1:]:
        name = re.search(r'data-name="?([^\s">]+)', row)
        cells = row.split("<td")[1:]
        if name and cells:
            assert len(cells) == len(heads)
            found[name[1]] = [head for head, cell in zip(heads, cells, strict=True) if "<em> tied</em>" in cell]
    return found


def test_the_group_tied_with_the_best_is_marked(site):
    found = tied(site, "map")
    assert found["delta"] == []
    # a record without values by query stands at 16 bits, so that nothing is said of that column
    assert {column for columns in found.values() for column in columns} == {"32 bits"}
    assert "In a column without green" in (site / "boards" / "cifar10-5k-disjoint.html").read_text()


def cells_of(page: Path, method: str) -> list[list[str]]:
    """Cells of each row of a method in a board's first table."""
    table = re.split(r"</table>", page.read_text(encoding="utf-8"))[0]
    return [row.split("<td")[1:] for row in table.split("<tr ")[1:] if f"/{method}.html>" in row]


def test_a_figure_of_a_collapsed_seed_is_marked_and_not_green(wide_site):
    page = wide_site / "boards" / "cifar10-5k-disjoint.html"
    own, tuned = sorted(cells_of(page, "wide-0"), key=lambda cells: "\u2021" in "".join(cells))
    assert "\u2021" not in "".join(own)
    assert ["\u2021" in cell for cell in tuned] == [True, False, False, False]
    assert ["<em> tied</em>" in cell for cell in tuned] == [False, True, True, True]
    text = page.read_text(encoding="utf-8")
    assert "none is marked as tied: wide-0 (tuned, 20 trials) at 16 bits." in text
    assert "\u2021" in (wide_site / "methods" / "wide-0.html").read_text(encoding="utf-8")


def test_what_pages_say_of_rows_is_true_of_all_of_them(wide_site):
    board = (wide_site / "boards" / "cifar10-5k-disjoint.html").read_text(encoding="utf-8")
    assert re.search(r'<span class="level l0"></span><small>[^<]*codes for 1 of 12', board)
    assert "of that pair alone" in board
    assert "<small>supervised \u00b7 deep \u00b7 tuned" not in board  # its settings say it
    titles = re.findall(r"<title>([^<]*)", board[board.index("<h2>Curves") :])
    assert "wide-0 (tuned, 20 trials)" in titles
    methods = (wide_site / "methods" / "index.html").read_text(encoding="utf-8")
    assert "supervised \u00b7 deep" in methods
    assert "tuned" not in methods
    front = (wide_site / "index.html").read_text(encoding="utf-8")
    (said, names), *_ = re.findall(r"<dt class=wide>([^<]*)<dd class=wide>([^<]*)", front)
    assert re.fullmatch(r"tied with the best at (every bit length|[123] of 4 bit lengths), map", said)
    listed = re.split(r", | and ", names)
    assert len(set(listed)) == len(listed)


def test_another_folder_is_not_overwritten(boards, tmp_path):
    from hashzoo.site.build import build

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="no site of hashzoo"):
        build(boards, tmp_path / "mine")
    with pytest.raises(UsageError, match="holds no records"):
        build(tmp_path, tmp_path / "new")


def test_a_site_that_was_broken_off_is_made_again(boards, tmp_path, monkeypatch):
    from hashzoo.site.build import build

    def full(self: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hashzoo.site.build._Site.write", full)
        with pytest.raises(OSError, match="No space"):
            build(boards, tmp_path / "site")
    assert "Wrote" in build(boards, tmp_path / "site")


def test_names_become_file_names_that_stay_in_the_folder():
    names = ["../../x", "a/b", "a b", "A", "a", ".hidden", "<b>", "ä", "", "x" * 300]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name) and not name.startswith(".") for name in slugs)


def test_a_record_is_a_table_in_a_notebook(boards):
    records = [item.record for item in collect([boards / "records"])]
    evil = next(record for record in records if record.method.startswith("<img"))
    html = evil._repr_html_()
    assert "<img" not in html
    assert html.count("<td") < 20
    assert len(repr(records[0])) < 200


def test_rows_say_how_they_are_trained(boards):
    rows = {row.name: row for row in Content.read(boards).rows}
    assert (rows["alpha"].kind, rows["gamma"].kind, rows["delta"].supervision) == ("deep", "shallow", "unsupervised")
    assert rows["alpha"].tuned == "recipe"
    assert rows["alpha"].level_text == "1 of 6 follow from codes"
