"""The index of this plugin: which pictures there are, with their labels and words.

A table of four columns separated by tabs, packed with xz: the id (the name below png/ without its ending), the first
16 hexadecimal digits of the sha256 of the PNG file, labels (separated by commas), words (separated by blanks).
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    """A line of the index."""

    id: str
    sha256: str
    labels: tuple[str, ...]
    words: tuple[str, ...]


def write_index(pictures: Iterable[Picture], path: Path) -> None:
    """Write an index."""
    lines = ("\t".join((p.id, p.sha256, ",".join(p.labels), " ".join(p.words))) + "\n" for p in pictures)
    path.write_bytes(lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))


def read_index() -> list[Picture]:
    """Return the pictures in the order of their ids."""
    text = lzma.decompress((files("hashzoo_openclipart") / "index.tsv.xz").read_bytes()).decode()
    rows = [line.split("\t") for line in text.splitlines()]
    return [
        Picture(name, sha256, tuple(labels.split(",")), tuple(words.split())) for name, sha256, labels, words in rows
    ]
