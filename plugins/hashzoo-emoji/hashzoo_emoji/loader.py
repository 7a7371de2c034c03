"""Load the pictures from the npm package and put subgroups and words beside them."""

from __future__ import annotations

import hashlib
import tarfile
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
    fingerprint_of,
    given_path,
    make_splits,
    one_hot,
    proportional,
    stored_images,
    vocabulary,
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
_LISTED = 5  # how many files one message names


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
        found = read_pictures(find_package(path, root), [item.id for item in emoji])
        require_known(emoji, found)
        return found

    @contextmanager
    def opened() -> Iterator[ImageFiles]:
        yield ImageFiles([item.id for item in emoji], pictures().__getitem__)

    images = stored_images({"dataset": "emoji", "index": index}, root, opened, 64, progress)
    text = bag_of_words(texts, known)
    fingerprint = hashlib.sha256(f"{images.fingerprint} {fingerprint_of({'text': text})}".encode()).hexdigest()
    ids = np.asarray([item.id for item in emoji])
    table = Table({"image": images.pixels, "text": text}, one_hot(classes, len(names)), ids, fingerprint, names)
    return make_splits(table, *drawn(emoji, classes, text.any(axis=1)), details={"vocabulary": list(known)})


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
    folder = given_path(path, root) if path else root / "emoji"
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


def read_pictures(place: Path, ids: Sequence[str]) -> dict[str, bytes]:
    """Return the PNG files of those `ids` that are there, from a folder or a .tgz file; nothing is unpacked."""
    if place.is_dir():
        files = {name: place / f"{name}.png" for name in ids}
        return {name: file.read_bytes() for name, file in files.items() if file.is_file()}
    wanted = {f"package/{IMAGES}/{name}.png": name for name in ids}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(place, mode="r|*") as archive:
            for member in archive:
                name = wanted.get(member.name)
                content = archive.extractfile(member) if name is not None and member.isfile() else None
                if name is not None and content is not None:
                    found[name] = content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise WorkError(f"{place} cannot be read as an npm package ({error}); fetch it again.") from error
    return found


def require_known(emoji: Sequence[Emoji], files: dict[str, bytes]) -> None:
    """Raise WorkError naming the emoji whose files are missing or are not those of the index."""
    missing = [item.id for item in emoji if item.id not in files]
    other = [
        item.id
        for item in emoji
        if item.id in files and not hashlib.sha256(files[item.id]).hexdigest().startswith(item.sha256)
    ]
    for names, what in ((missing, "are missing"), (other, "are not those that are known here (by their sha256)")):
        if names:
            more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
            raise WorkError(
                f"{len(names):,} of {len(emoji):,} pictures of emoji {what}: {', '.join(names[:_LISTED])}{more}; "
                f"get {PACKAGE} {RELEASE}."
            )
