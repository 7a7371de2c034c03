"""From joined lists to Splits: image files found and decoded into the cache, parts as listed or drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.data.drawing import draw_by_size
from hashzoo.data.images import (
    ImageFiles,
    ImageOptions,
    StoredImages,
    file_states,
    folder_files,
    member_states,
    stored_images,
    zip_files,
)
from hashzoo.data.lists import JoinedLists, find_images
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
    table, skipped = image_table(joined, images, options, progress, dataset=dataset, modality=modality)
    rows = {part: joined.rows[part] for part in PARTS}
    if skipped:
        rows = {part: found[~np.isin(found, list(skipped))] for part, found in rows.items()}
    return make_splits(table, *(rows[part] for part in PARTS), notes=(*notes, *skipped_note(skipped)), details=details)


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
    table, skipped = image_table(joined, images, options, progress, dataset=dataset)
    kept = np.setdiff1d(np.arange(len(table.ids)), np.fromiter(skipped, dtype=np.int64, count=len(skipped)))
    parts, notes = draw_by_size(table.ids[kept], table.labels[kept], seed=seed, **asked)
    return make_splits(table, *(kept[part] for part in parts), notes=(*notes, *skipped_note(skipped)))


def image_table(
    joined: JoinedLists,
    images: Path,
    options: ImageOptions,
    progress: Progress | None = None,
    *,
    dataset: str = "lists",
    modality: str = "image",
) -> tuple[Table, dict[int, tuple[str, str]]]:
    """Return the table of listed images, and (name, reason) by row of what was skipped."""
    if options.lists_only:
        pixels: np.ndarray = np.zeros((len(joined.paths), 0, 0, 3), dtype=np.uint8)
        digest = hashlib.sha256("\n".join(joined.paths).encode("utf-8", "surrogateescape")).hexdigest()
        stored = StoredImages(pixels, f"lists only: {digest}")
    else:
        stored = _decoded(joined, images, options, progress, dataset)
    skipped = {row: (name, reason) for row, name, reason in stored.skipped}
    table = Table({modality: stored.pixels}, joined.labels, joined.ids, stored.fingerprint, joined.class_names)
    return table, skipped


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


def skipped_note(skipped: Mapping[int, tuple[str, str]]) -> tuple[str, ...]:
    """Return the sentence that counts and names what was skipped, no sentence where nothing was."""
    if not skipped:
        return ()
    listed = "; ".join(f"{name} ({reason})" for name, reason in list(skipped.values())[:20])
    more = f"; and {len(skipped) - 20:,} more" if len(skipped) > 20 else ""
    return (f"{len(skipped):,} image files were left out because they cannot be read: {listed}{more}.",)
