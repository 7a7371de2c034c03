"""Load the pictures from Debian's package and put labels and texts beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from hashzoo import Protocol, Splits, Table
from hashzoo.data import (
    ImageFiles,
    StoredImages,
    bag_of_words,
    draw_alike,
    indicators,
    make_splits,
    require_files,
    stored_images,
    vocabulary,
    whole_number,
    with_text,
)
from hashzoo_openclipart.index import Picture, read_index
from hashzoo_openclipart.packages import PACKAGE, find_package, read_pictures, white_squares

Progress = Callable[[int, int], None]

TEXT_AT_LEAST = 2
"""In how many texts a word of the vocabulary occurs."""


def load(
    protocol: Protocol, root: Path, progress: Progress | None = None, *, path: str = "", stored_size: int = 224
) -> Splits:
    """Return the Splits of openclipart-kw: 3,110 pictures with 62 labels, multi-hot.

    Options:
        path: the package's .deb file, or a folder that holds it or the unpacked `png/` (default: `openclipart` in the
            data folder, else /usr/share/openclipart).
        stored_size: side in pixels of the white squares on which the pictures are kept.
    """
    pictures = read_index()
    images = _images(pictures, path, root, stored_size, progress)
    ids, labels, names = _items(pictures)
    table = Table({"image": images.pixels}, labels, ids, images.fingerprint, names)
    return _drawn(table, protocol, np.arange(len(ids)))


def load_pairs(
    protocol: Protocol, root: Path, progress: Progress | None = None, *, path: str = "", stored_size: int = 224
) -> Splits:
    """Return the Splits of openclipart-pairs: the pictures whose text has a word of the vocabulary.

    The vocabulary are the words in at least two texts; `text` is (n, V) with 1 where a word occurs.

    Options:
        path: as in `load`.
        stored_size: as in `load`.
    """
    pictures = read_index()
    images = _images(pictures, path, root, stored_size, progress)
    ids, labels, names = _items(pictures)
    texts = [" ".join(picture.words) for picture in pictures]
    known = vocabulary(texts, at_least=TEXT_AT_LEAST)
    text = bag_of_words(texts, known)
    table = Table({"image": images.pixels}, labels, ids, images.fingerprint, names)
    return with_text(_drawn(table, protocol, np.flatnonzero(text.any(axis=1))), text, known)


def _items(pictures: Sequence[Picture]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return ids (n,), labels (n, C) and their names, in alphabetical order."""
    names = tuple(sorted({label for picture in pictures for label in picture.labels}))
    labels = indicators((picture.labels for picture in pictures), names)
    return np.asarray([picture.id for picture in pictures]), labels, names


def _images(
    pictures: Sequence[Picture], path: str, root: Path, stored_size: int, progress: Progress | None
) -> StoredImages:
    side = whole_number("stored_size", stored_size, at_least=8)
    index = hashlib.sha256("".join(f"{picture.id} {picture.sha256}\n" for picture in pictures).encode()).hexdigest()

    @cache
    def squares() -> dict[str, bytes]:
        found = read_pictures(find_package(path, root), [picture.id for picture in pictures])
        known = {picture.id: picture.sha256 for picture in pictures}
        require_files(found, known, "pictures of openclipart", f"get {PACKAGE} 0.18+dfsg-19 (Debian 12)")
        return white_squares(found, side, progress)

    @contextmanager
    def opened() -> Iterator[ImageFiles]:
        yield ImageFiles([picture.id for picture in pictures], squares().__getitem__)

    return stored_images({"dataset": "openclipart", "index": index}, root, opened, side)


def _drawn(table: Table, protocol: Protocol, rows: np.ndarray) -> Splits:
    """Return the first of `rows` by sha256 of "openclipart/<id>" as queries, the next for training, the rest searched.

    The training pictures are searched too; multi-label pictures are drawn as one class.
    """
    query, train, _ = protocol.sizes
    parts = draw_alike(table.ids[rows], query, train, "openclipart")
    return make_splits(table, *(rows[part] for part in parts))
