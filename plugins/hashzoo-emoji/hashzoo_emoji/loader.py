"""Load the pictures from the npm package and put subgroups and words beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from hashzoo import Protocol, Splits, Table, UsageError, WorkError
from hashzoo.data import (
    ImageFiles,
    bag_of_words,
    draw_counts,
    given_path,
    make_splits,
    one_hot,
    package_files,
    proportional,
    require_files,
    stored_images,
    vocabulary,
    with_text,
)
from hashzoo_emoji.index import Emoji, read_index
from hashzoo_emoji.recipe import IMAGES

Progress = Callable[[int, int], None]

PACKAGE = "emoji-datasource-google"
RELEASE = "16.0.0"
TEXT_AT_LEAST = 2
"""In the texts of how many emoji, skin tones not counted, a word of the vocabulary occurs."""
QUERIES, TRAIN = 200, 800
"""How many emoji, skin tones not counted, are drawn."""


def load(protocol: Protocol, root: Path, progress: Progress | None = None, *, path: str = "") -> Splits:
    """Return the Splits of emoji-pairs: `image` (n, 64, 64, 3) on white, `text` (n, V) with 1 where a word occurs.

    Options:
        path: the package's .tgz file, the unpacked package, or a folder that holds one of them (default: `emoji` in
            the data folder).
    """
    emoji = read_index()
    texts = [" ".join(item.words) for item in emoji]
    known = vocabulary((" ".join(item.words) for item in emoji if item.id == item.base), at_least=TEXT_AT_LEAST)
    names = tuple(sorted({item.subgroup for item in emoji}))
    classes = np.asarray([names.index(item.subgroup) for item in emoji])
    index = hashlib.sha256("".join(f"{item.id} {item.sha256}\n" for item in emoji).encode()).hexdigest()

    @cache
    def pictures() -> dict[str, bytes]:
        place = find_package(path, root)
        found = package_files(place, [item.id for item in emoji], ".png", f"package/{IMAGES}/", "an npm package")
        require_files(found, {item.id: item.sha256 for item in emoji}, "pictures of emoji", f"get {PACKAGE} {RELEASE}")
        return found

    @contextmanager
    def opened() -> Iterator[ImageFiles]:
        yield ImageFiles([item.id for item in emoji], pictures().__getitem__)

    images = stored_images({"dataset": "emoji", "index": index}, root, opened, 64, progress)
    text = bag_of_words(texts, known)
    ids = np.asarray([item.id for item in emoji])
    table = Table({"image": images.pixels}, one_hot(classes, len(names)), ids, images.fingerprint, names)
    return with_text(make_splits(table, *drawn(emoji, classes, text.any(axis=1))), text, known)


def drawn(emoji: Sequence[Emoji], classes: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (train, query, database) rows: emoji are drawn in proportion to the subgroups, skin tones follow.

    Inside a subgroup the emoji are in the order of the sha256 of "emoji/<id>"; those without a word of the vocabulary
    are in no part. The training emoji are searched too.
    """
    bases = np.asarray([row for row, item in enumerate(emoji) if item.id == item.base and usable[row]])
    members: dict[str, list[int]] = {}
    for row, item in enumerate(emoji):
        members.setdefault(item.base, []).append(row)
    sizes = np.bincount(classes[bases])
    query = proportional(sizes, QUERIES)
    train = proportional(sizes - query, TRAIN)
    counts = {label: (int(query[label]), int(train[label])) for label in range(len(sizes))}
    ids = np.asarray([emoji[row].id for row in bases])
    parts = draw_counts(ids, classes[bases], counts, "emoji", train_in_database=True)
    train_rows, query_rows, database_rows = (
        np.asarray([row for base in ids[part] for row in members[base]]) for part in parts
    )
    return train_rows, query_rows, database_rows


def find_package(path: str, root: Path) -> Path:
    """Return the .tgz file, or the folder of the pictures.

    Raises UsageError for a given path that holds neither, WorkError where nothing lies in the data folder.
    """
    folder = given_path(path, root, default="emoji")
    found = folder if folder.is_file() else _inside(folder)
    if found is not None:
        return found
    remedy = f"`npm pack {PACKAGE}@{RELEASE}` fetches {PACKAGE}-{RELEASE}.tgz, whose path goes to --set path="
    if path:
        raise UsageError(f"{folder} is neither the package {PACKAGE} nor a folder that holds it; {remedy}.")
    raise WorkError(f"The emoji are not in {folder}: {remedy}, or put it there.")


def _inside(folder: Path) -> Path | None:
    for candidate in (folder / IMAGES, folder / "package" / IMAGES, folder / PACKAGE / IMAGES):
        if candidate.is_dir():
            return candidate
    packages = sorted(folder.glob(f"{PACKAGE}-*.tgz")) if folder.is_dir() else []
    return packages[-1] if packages else None
