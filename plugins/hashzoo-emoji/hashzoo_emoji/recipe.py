"""Labels and texts of the emoji, from the npm packages emoji-datasource-google 16.0.0 and emojibase-data 17.0.0.

    python -m hashzoo_emoji.recipe emoji-datasource-google emojibase-data hashzoo_emoji/index.tsv.xz

writes the index of this plugin from the two unpacked packages (MIT licence both).
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hashzoo_emoji.index import Emoji, write_index

LEFT_OUT = frozenset({"country-flag", "subdivision-flag", "skin-tone"})
"""Flags are a sixth of all emoji and their texts name countries; skin tones are colour patches."""

LABEL_AT_LEAST = 10
"""How many emoji, skin tones not counted, a subgroup has."""

IMAGES = "img/google/64"


def code(unified: str) -> str:
    """Return the code points of an emoji without the selector of its presentation, by which the packages are joined.

    >>> code("2600-fe0f")
    '2600'
    """
    return unified.upper().replace("-FE0F", "")


def words(text: str) -> list[str]:
    """Return the runs of at least two letters of a text, lower case.

    >>> words("X-ray of 2 Bones")
    ['ray', 'of', 'bones']
    """
    return [word for word in re.findall(r"[^\W\d_]+", text.lower()) if len(word) > 1]


def singular(word: str) -> str:
    """Return a word without the s of its plural.

    >>> [singular(word) for word in ("cats", "glass")]
    ['cat', 'glass']
    """
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def subgroups(records: list[Mapping[str, Any]]) -> list[str]:
    """Return the subgroups that are labels, in alphabetical order."""
    counts = Counter(str(record["subcategory"]) for record in records)
    return sorted(name for name, count in counts.items() if count >= LABEL_AT_LEAST and name not in LEFT_OUT)


def text_words(described: Mapping[str, Any], banned: frozenset[str]) -> tuple[str, ...]:
    """Return the words of an emoji's name and keywords, in alphabetical order, without the `banned` ones.

    Banned are the words of all subgroups' names: a text that names the label would make the task trivial.
    """
    found = set(words(" ".join([described["label"], *described.get("tags", [])])))
    return tuple(sorted(word for word in found if singular(word) not in banned))


def make_index(pictures: Path, descriptions: Path) -> list[Emoji]:
    """Return the emoji of the two unpacked packages: each with its skin tones, which share its subgroup and words."""
    records = json.loads((pictures / "emoji.json").read_text(encoding="utf-8"))
    described = {
        code(item["hexcode"]): item
        for item in json.loads((descriptions / "en" / "data.json").read_text(encoding="utf-8"))
    }
    labels = subgroups(records)
    banned = frozenset(singular(word) for name in labels for word in words(name))
    emoji = []
    for record in sorted(records, key=lambda record: record["sort_order"]):
        if record["subcategory"] not in labels:
            continue
        base = record["image"].removesuffix(".png")
        text = text_words(described[code(record["unified"])], banned)
        for variant in (record, *record.get("skin_variations", {}).values()):
            content = (pictures / IMAGES / variant["image"]).read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            emoji.append(Emoji(variant["image"].removesuffix(".png"), digest, base, record["subcategory"], text))
    return emoji


if __name__ == "__main__":
    write_index(make_index(Path(sys.argv[1]), Path(sys.argv[2])), Path(sys.argv[3]))
