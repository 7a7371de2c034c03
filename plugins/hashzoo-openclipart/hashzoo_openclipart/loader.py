"""Load the pictures from Debian's package and put labels and texts beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from hashzoo import Protocol, Splits, Table, WorkError
from hashzoo.data import (
    ImageFiles,
    StoredImages,
    bag_of_words,
    draw_counts,
    fingerprint_of,
    make_splits,
    stored_images,
    vocabulary,
    whole_number,
)
from hashzoo_openclipart.index import Picture, read_index
from hashzoo_openclipart.packages import PACKAGE, find_package, read_pictures, white_squares

Progress = Callable[[int, int], None]

TEXT_AT_LEAST = 2
"""In how many texts a word of the vocabulary occurs."""
_LISTED = 5  # how many files one message names


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
    fingerprint = hashlib.sha256(f"{images.fingerprint} {fingerprint_of({'text': text})}".encode()).hexdigest()
    table = Table({"image": images.pixels, "text": text}, labels, ids, fingerprint, names)
    return _drawn(table, protocol, np.flatnonzero(text.any(axis=1)), {"vocabulary": list(known)})


def _items(pictures: Sequence[Picture]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return ids (n,), labels (n, C) and their names, in alphabetical order."""
    names = tuple(sorted({label for picture in pictures for label in picture.labels}))
    labels = np.asarray([[name in picture.labels for name in names] for picture in pictures], dtype=np.uint8)
    return np.asarray([picture.id for picture in pictures]), labels, names


def _images(
    pictures: Sequence[Picture], path: str, root: Path, stored_size: int, progress: Progress | None
) -> StoredImages:
    side = whole_number("stored_size", stored_size, at_least=8)
    index = hashlib.sha256("".join(f"{picture.id} {picture.sha256}\n" for picture in pictures).encode()).hexdigest()

    @cache
    def squares() -> dict[str, bytes]:
        found = read_pictures(find_package(path, root), [picture.id for picture in pictures])
        require_known(pictures, found)
        return white_squares(found, side, progress)

    @contextmanager
    def opened() -> Iterator[ImageFiles]:
        yield ImageFiles([picture.id for picture in pictures], squares().__getitem__)

    return stored_images({"dataset": "openclipart", "index": index}, root, opened, side)


def require_known(pictures: Sequence[Picture], files: dict[str, bytes]) -> None:
    """Raise WorkError naming the pictures whose files are missing or are not those of the index."""
    missing = [picture.id for picture in pictures if picture.id not in files]
    other = [
        picture.id
        for picture in pictures
        if picture.id in files and not hashlib.sha256(files[picture.id]).hexdigest().startswith(picture.sha256)
    ]
    for names, what in ((missing, "are missing"), (other, "are not those that are known here (by their sha256)")):
        if names:
            more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
            raise WorkError(
                f"{len(names):,} of {len(pictures):,} pictures of openclipart {what}: {', '.join(names[:_LISTED])}"
                f"{more}; get {PACKAGE} 0.18+dfsg-19 (Debian 12)."
            )


def _drawn(table: Table, protocol: Protocol, rows: np.ndarray, details: dict[str, list[str]] | None = None) -> Splits:
    """Return the first of `rows` by sha256 of "openclipart/<id>" as queries, the next for training, the rest searched.

    The training pictures are searched too; multi-label pictures are drawn as one class.
    """
    query, train, _ = protocol.sizes
    alike = np.zeros(len(rows), dtype=np.int64)
    parts = draw_counts(table.ids[rows], alike, {0: (query, train)}, "openclipart", train_in_database=True)
    return make_splits(table, *(rows[part] for part in parts), details=details)
