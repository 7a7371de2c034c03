"""The index of this plugin: which emoji there are, with their subgroup and words.

A table of five columns separated by tabs, packed with xz: the id (the file's name without its ending), the first 16
hexadecimal digits of the sha256 of the file, the id of the emoji without skin tone, the subgroup, words (separated by
blanks).
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True)
class Emoji:
    """A line of the index."""

    id: str
    sha256: str
    base: str
    subgroup: str
    words: tuple[str, ...]


def write_index(emoji: Iterable[Emoji], path: Path) -> None:
    """Write an index."""
    lines = ("\t".join((e.id, e.sha256, e.base, e.subgroup, " ".join(e.words))) + "\n" for e in emoji)
    path.write_bytes(lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))


def read_index() -> list[Emoji]:
    """Return the emoji in Unicode's order, each followed by its skin tones."""
    text = lzma.decompress((files("hashzoo_emoji") / "index.tsv.xz").read_bytes()).decode()
    rows = [line.split("\t") for line in text.splitlines()]
    return [Emoji(name, sha256, base, subgroup, tuple(words.split())) for name, sha256, base, subgroup, words in rows]
