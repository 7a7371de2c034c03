"""The site of the committed boards: its size, where its links lead, and what its method pages hold."""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from filelock import FileLock

from hashzoo.site import figures as drawn_figures

pytest.importorskip("altair", reason="the extra `site` is not installed")

BOARDS = Path(__file__).parents[2] / "leaderboards"


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once by whichever process of this test run comes first: it takes a minute."""
    from hashzoo.site.build import build

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    out = shared / "committed-site"
    with FileLock(shared / "committed-site.lock"):
        if not (shared / "committed-site.built").exists():
            build(BOARDS, out)
            (shared / "committed-site.built").touch()
    return out


@pytest.fixture(scope="module")
def texts(committed: Path) -> dict[Path, str]:
    return {path.resolve(): path.read_text(encoding="utf-8") for path in committed.rglob("*.html")}


def test_it_is_under_three_megabytes_without_pictures(committed):
    files = [path for path in committed.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files if path.parent.name != "pictures") < 3_000_000


def test_every_fragment_has_its_anchor(texts):
    ids = {path: set(re.findall(r"\bid=\"?([^\s\">]+)", text)) for path, text in texts.items()}
    checked = 0
    for path, text in texts.items():
        for link in set(re.findall(r"\bhref=\"?([^\s\">]*#[^\s\">]+)", text)):
            parts = urlsplit(unescape(link))
            fragment = unquote(parts.fragment)
            if parts.scheme or "=" in fragment:  # elsewhere, or what a board shows
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert fragment in ids[target], f"{path.name} links to {link}"
            checked += 1
    assert checked > 500


def method_pages(texts: dict[Path, str]) -> dict[str, str]:
    return {path.stem: text for path, text in texts.items() if path.parent.name == "methods" and path.stem != "index"}


def test_a_method_page_has_curves_of_the_largest_boards_it_stands_on(texts):
    several = 0
    for name, text in method_pages(texts).items():
        boards = set(re.findall(r"<h3><a href=\"?\.\./boards/[^>]*>([^<]+)</a>", text))
        figures = re.findall(r"<figcaption><b>([^<]+)</b>", text)
        assert boards, name
        drawn = {board for board in boards for title in figures if f"over bit lengths on {board}" in title}
        assert len(drawn) == min(len(boards), drawn_figures.BOARDS), name
        if "cifar10-jpeg-5k-disjoint" in boards:  # the largest database
            assert "cifar10-jpeg-5k-disjoint" in drawn
        several += len(boards) > 1
        assert len(set(figures)) == len(figures) or "Balance of the bits" in figures
    assert several > 20


def test_a_reference_point_has_no_paper(texts):
    pages = method_pages(texts)
    for name in ("uncoded", "random"):
        if name in pages:
            assert "BibTeX" not in pages[name]
            assert "<span class=chip>2026" not in pages[name]
    assert "misc{baseline" not in "".join(texts.values())
    assert "BibTeX" in pages["dch"]


def test_no_backtick_is_left_in_the_text(texts):
    for path, text in texts.items():
        seen = re.sub(r"<pre.*?</pre>|<script.*?</script>|<[^>]*>", "", text, flags=re.DOTALL)
        assert "`" not in seen, path.name


def test_measured_values_of_published_tables_lead_to_their_records(texts):
    found = [
        cell for path, text in texts.items() if path.parent.name == "tables"
        for cell in re.findall(r"<(?:b|em)>((?:<a [^>]*>)?[\d.]+)", text)
    ]  # fmt: skip
    assert len(found) > 20
    assert all(cell.startswith("<a ") for cell in found)
