"""Pages speak of commands and files that exist, and their figures are those of the boards."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import hashzoo
from hashzoo.cli.commands import COMMANDS
from hashzoo.cli.main import cli
from hashzoo.results.commands import show

ROOT = Path(__file__).parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("plugins/*/README.md"),
    ROOT / "leaderboards/README.md",
]


FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.S | re.M)


def commands_in(page: Path, sentences: bool = False) -> list[list[str]]:
    """The words of each command in shell blocks, fenced or indented, and with `sentences` of those quoted in text."""
    text = page.read_text(encoding="utf-8")
    lines = [block for language, block in FENCE.findall(text) if language in ("sh", "bash", "console")]
    text = FENCE.sub("", text)
    lines += re.findall(r"^ {4}(?:\$ )?((?:hashzoo .*\\\n.*)|hashzoo .*)$", text, re.M)
    if sentences:
        lines += [quoted.replace("\n", " ") for quoted in re.findall(r"`((?:[A-Z_]+=\S* )*hashzoo\s[^`]*)`", text)]
    found = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        words = shlex.split(line.strip().removeprefix("$ "), comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words and words[0] == "hashzoo":
            found.append(words[1:])
    return found


def command_named(words: list[str]) -> click.Command:
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, words
    if isinstance(command, click.Group) and words[1:]:
        inner = command.get_command(click.Context(command), words[1])
        assert inner is not None, words
        return inner
    return command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    for words in commands_in(page, sentences=True):
        words = [word for word in words if word not in ("--strict", "--trace-plugins")]
        if not words or words[0].startswith("-") or words[0] in ("COMMAND", "<name>"):
            continue
        command = command_named(words)
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.split("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)}
        assert used - {"--help", "-h"} <= known, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


def test_every_command_stands_on_a_page() -> None:
    named = {words[0] for page in PAGES for words in commands_in(page) if words}
    assert {command.name for command in COMMANDS} <= named


def test_the_readme_shows_the_committed_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.partition("<!-- results -->")[2].partition("<!-- /results -->")[0]
    commands = re.findall(
        r"the first 12 rows of `hashzoo leaderboard leaderboards/records -p (\S+) --metric (\S+) --format markdown`",
        block,
    )
    assert commands
    for protocol, metric in commands:
        board = show([Path("leaderboards/records")], protocol=protocol, metric=metric, fmt="markdown")
        tables = re.findall(r"(?:^\|.*\n?)+", board, re.M)
        assert tables
        pages = [page.read_text(encoding="utf-8") for page in Path("leaderboards").glob(f"{protocol}_*.md")]
        for table in tables:  # of both directions, each under a title of its own
            head = "\n".join(table.splitlines()[:14])  # names of columns, their sides, and twelve rows
            assert f"\n\n{head}\n\n" in f"{block}\n", (protocol, metric)
            assert any(f"\n\n{table.rstrip()}\n\n" in page for page in pages), (protocol, metric)


def test_the_citation_is_of_this_version_and_names_a_command_that_exists() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    found = dict(re.findall(r'^([a-z-]+): "?(.*?)"?$', text, re.M))
    assert found["version"] == hashzoo.__version__
    assert found["title"].startswith("hashzoo: ")
    assert (found["type"], found["license"]) == ("software", "MIT")
    assert "hashzoo leaderboard --bibtex" in found["message"]
