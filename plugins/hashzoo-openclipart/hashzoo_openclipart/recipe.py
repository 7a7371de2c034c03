"""Labels and texts of the pictures, from the descriptions in openclipart's SVG files.

    python -m hashzoo_openclipart.recipe /usr/share/openclipart hashzoo_openclipart/index.tsv.xz

writes the index of this plugin from the Debian packages openclipart-png and openclipart-svg, 0.18+dfsg-19.
"""

from __future__ import annotations

import hashlib
import re
import struct
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from hashzoo_openclipart.index import Picture, write_index
from hashzoo_openclipart.packages import white_square

_DC = "{http://purl.org/dc/elements/1.1/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"

SWAMPING = ("computer/icons/", "shapes/stars/")
"""Families of near-equal pictures that would be half of the set: themes of icons and generated stars."""

NOT_LABELS = frozenset(
    {
        "action", "appicon", "application", "architetto francesco rollandin", "bordered", "buttons", "computer",
        "device", "filesystem", "geometry", "hash", "icon", "icons", "lemon_theme_icon", "magick", "menu", "mime-types",
        "mimetypes", "ornamental", "recreation", "shape", "signs_and_symbols", "simple", "special", "theme", "unsorted",
        "work",
    }
)  # fmt: skip
"""Keywords that name the source, the folder or the layout of a picture, or its author."""

LABEL_AT_LEAST = 30
LARGEST = 50_000_000
"""Pictures of more pixels are left out: decoding one of them takes up to 2.5 GB."""

COMPARED_AT = 224
"""Side of the squares on which pictures are compared to find copies."""

STOP_WORDS = frozenset(
    {
        "all", "and", "are", "but", "can", "for", "from", "has", "have", "into", "its", "not", "that", "the", "their",
        "these", "this", "was", "were", "which", "will", "with", "you", "your",
        "clipart", "converted", "eps", "originally", "svg",
    }
)  # fmt: skip
"""Words without meaning, and those of the notes on how a file was made."""


@dataclass(frozen=True)
class Described:
    """What the SVG file of a picture says about it."""

    keywords: frozenset[str]
    title: str
    description: str


def described(svg: bytes) -> Described:
    """Return the keywords (lower case), title and description that stand in an SVG file's metadata."""
    tree = ET.fromstring(svg)
    subjects = [item for subject in tree.iter(f"{_DC}subject") for item in subject.iter(f"{_RDF}li")]
    works = [item for item in tree.iter() if isinstance(item.tag, str) and item.tag.endswith("}Work")]

    def text(name: str) -> str:
        return " ".join(" ".join("".join(found.itertext()) for found in work.findall(_DC + name)) for work in works)

    keywords = frozenset(filter(None, ((item.text or "").strip().lower() for item in subjects)))
    return Described(keywords, text("title"), text("description"))


def label_names(items: dict[str, Described]) -> list[str]:
    """Return the keywords that are labels, in alphabetical order: those of at least 30 pictures."""
    counts = Counter(keyword for item in items.values() for keyword in item.keywords - NOT_LABELS)
    return sorted(keyword for keyword, count in counts.items() if count >= LABEL_AT_LEAST)


def text_words(item: Described, labels: list[str]) -> tuple[str, ...]:
    """Return the words of title and description, at least three letters, in alphabetical order.

    Words of any label are left out, in singular and plural: a text that names the label would make the task trivial.
    The credit "Clipart by <name> -" in front of a title is left out too.
    """
    title = re.sub(r"^\s*Clipart by [^-]*- ", "", item.title)
    banned = {singular(part) for label in labels for part in words(label.replace("_", " "))}
    found = set(words(f"{title} {item.description}".replace("_", " "), shortest=3)) - STOP_WORDS
    return tuple(sorted(word for word in found if singular(word) not in banned))


def words(text: str, shortest: int = 1) -> list[str]:
    """Return the runs of letters of a text, lower case; addresses of mail and of the web are no words.

    >>> words("The Frog's POND, see http://pond.example", shortest=3)
    ['the', 'frog', 'pond', 'see']
    """
    plain = re.sub(r"\S+@\S+|\bhttps?:\S*|\bwww\.\S*", " ", text.lower())
    return [word for word in re.findall(r"[^\W\d_]+", plain) if len(word) >= shortest]


def singular(word: str) -> str:
    """Return a word without the s of its plural.

    >>> [singular(word) for word in ("flags", "glass", "map")]
    ['flag', 'glass', 'map']
    """
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def pixels(png: bytes) -> int:
    """Return how many pixels a PNG file says it has."""
    width, height = struct.unpack(">II", png[16:24])
    return width * height


def make_index(folder: Path) -> list[Picture]:
    """Return the pictures of the unpacked packages in `folder` (which holds png/ and svg/), in order of their ids."""
    png, svg = folder / "png", folder / "svg"
    ids = sorted(p.relative_to(png).with_suffix("").as_posix() for p in png.rglob("*.png") if not p.is_symlink())
    kept = [name for name in ids if not name.startswith(SWAMPING)]
    content = {name: (png / f"{name}.png").read_bytes() for name in kept}
    items = {name: described((svg / f"{name}.svg").read_bytes()) for name in kept if pixels(content[name]) <= LARGEST}
    labels = label_names(items)
    pictures = [
        Picture(
            name,
            hashlib.sha256(content[name]).hexdigest()[:16],
            tuple(sorted(item.keywords & set(labels))),
            text_words(item, labels),
        )
        for name, item in items.items()
        if item.keywords & set(labels)
    ]
    return without_copies(pictures, content)


def without_copies(pictures: list[Picture], content: dict[str, bytes]) -> list[Picture]:
    """Return one picture, the first, for those that look the same, with the labels and words of all of them."""
    kept: dict[bytes, Picture] = {}
    for picture in pictures:
        pixels_of = hashlib.sha256(white_square(content[picture.id], COMPARED_AT)).digest()
        first = kept.get(pixels_of, picture)
        labels = tuple(sorted({*first.labels, *picture.labels}))
        kept[pixels_of] = replace(first, labels=labels, words=tuple(sorted({*first.words, *picture.words})))
    return list(kept.values())


if __name__ == "__main__":
    write_index(make_index(Path(sys.argv[1])), Path(sys.argv[2]))
