"""From joined lists to Splits: image files found and decoded into the cache, parts as listed or drawn."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from hashzoo.data.drawing import draw_by_size
from hashzoo.data.image_cache import StoredImages, stored_images
from hashzoo.data.images import (
    ImageFiles,
    ImageOptions,
    file_states,
    folder_files,
    member_states,
    open_zip,
    zip_files,
)
from hashzoo.data.lists import JoinedLists
from hashzoo.data.roots import below, regular_file
from hashzoo.data.splits import PARTS, make_splits
from hashzoo.errors import UsageError
from hashzoo.specs import Splits, Table

Progress = Callable[[int, int], None]


def listed_splits(
    joined: JoinedLists,
    images: Path,
    options: ImageOptions,
    progress: Progress | None = None,
    *,
    dataset: str = "lists",
    modality: str = "image",
    notes: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
) -> Splits:
    """Return the Splits of lists with the parts "train", "query" and "database", over images in a folder or a zip.

    Files are looked for as `find_images` does. With `options.lists_only` no file is opened, and the images have no
    pixels, (n, 0, 0, 3). With `options.skip_damaged` the lists lose the items whose image cannot be read.
    """
    table, stored = image_table(joined, images, options, progress, dataset=dataset, modality=modality)
    rows = [stored.kept(joined.rows[part]) for part in PARTS]
    return make_splits(table, *rows, notes=(*notes, *stored.notes), details=details)


def drawn_image_splits(
    joined: JoinedLists,
    images: Path,
    options: ImageOptions,
    asked: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    dataset: str = "lists",
    seed: str = "lists 0",
) -> Splits:
    """Return the Splits of one list without parts; `asked` are queries, train, train_in_database of `draw_by_size`."""
    table, stored = image_table(joined, images, options, progress, dataset=dataset)
    kept = stored.kept(np.arange(len(table.ids)))
    parts, notes = draw_by_size(table.ids[kept], table.labels[kept], seed=seed, **asked)
    return make_splits(table, *(kept[part] for part in parts), notes=(*notes, *stored.notes))


def image_table(
    joined: JoinedLists,
    images: Path,
    options: ImageOptions,
    progress: Progress | None = None,
    *,
    dataset: str = "lists",
    modality: str = "image",
) -> tuple[Table, StoredImages]:
    """Return the table of listed images, and its images with what was skipped."""
    if options.lists_only:
        pixels: np.ndarray = np.zeros((len(joined.paths), 0, 0, 3), dtype=np.uint8)
        digest = hashlib.sha256("\n".join(joined.paths).encode("utf-8", "surrogateescape")).hexdigest()
        stored = StoredImages(pixels, f"lists only: {digest}")
    else:
        stored = _decoded(joined, images, options, progress, dataset)
    table = Table({modality: stored.pixels}, joined.labels, joined.ids, stored.fingerprint, joined.class_names)
    return table, stored


def _decoded(
    joined: JoinedLists, images: Path, options: ImageOptions, progress: Progress | None, dataset: str
) -> StoredImages:
    if not images.is_dir() and images.suffix.lower() != ".zip":
        raise UsageError(f"There is no folder or .zip of images at {images}; give images= the place where they are.")
    zipped = not images.is_dir()
    names = find_images(joined.paths, images, joined.prefix)
    state = (member_states if zipped else file_states)(images, names)

    def opened() -> AbstractContextManager[ImageFiles]:
        return zip_files(images, names) if zipped else folder_files(images, names)

    return stored_images(
        {"dataset": dataset, **state}, images, opened, options.size, progress, fit=options.fit,
        skip_damaged=options.skip_damaged,
    )  # fmt: skip


def find_images(paths: Sequence[str], folder: Path, prefix: str = "") -> list[str]:
    """Return the name below `folder` of every listed image, the first of these that is there.

    For "a/b/1.jpg": the path after its `prefix`, the same after the last folders of the prefix, "images/1.jpg",
    "1.jpg", "b/1.jpg". An image that is nowhere keeps its path and is named when it is read.

    Raises UsageError for a path that would lead out of the folder, and where two different paths lead to one file.
    """
    heads = [head for head in PurePosixPath(prefix).parts if head not in ("/", ".")]
    leads = ["", *("/".join(heads[-n:]) + "/" for n in range(1, min(len(heads), 3) + 1))]
    present = _Present(folder) if folder.is_dir() else _Members(folder)
    found = []
    owner: dict[str, str] = {}
    for listed in paths:
        path = below(listed, str(folder))
        base = path.rsplit("/", 1)[-1]
        tries = dict.fromkeys(
            [*(lead + path for lead in leads), f"images/{base}", base, "/".join(path.split("/")[-2:])]
        )
        name = next((name for name in tries if present.has(name)), path)
        if owner.setdefault(name, listed) != listed:
            raise UsageError(
                f"The listed paths {owner[name]!r} and {listed!r} both lead to {name} in {folder}, and every path is "
                "an item of its own; put the images in the folders that the lists name, or write one path for each."
            )
        found.append(name)
    return found


class _Present:
    """Which files are in a folder; every sub-folder asked for is listed once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.listed = folder, dict[str, frozenset[str]]()

    def has(self, name: str) -> bool:
        head, _, base = name.rpartition("/")
        if head not in self.listed:
            try:
                self.listed[head] = frozenset(entry.name for entry in os.scandir(self.folder / head))
            except OSError:
                self.listed[head] = frozenset()
        return base in self.listed[head]


class _Members(_Present):
    """Which files are in a zip archive."""

    def __init__(self, archive: Path) -> None:
        super().__init__(archive)
        with open_zip(regular_file(archive)) as opened:
            self.names = frozenset(opened.namelist())

    def has(self, name: str) -> bool:
        return name in self.names
