"""Any folder of images with one folder per class."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hashzoo.data.images import ENDINGS, folder_files, is_image, stored_images
from hashzoo.data.labels import one_hot
from hashzoo.data.options import whole_number, yes_or_no
from hashzoo.data.splits import Quota, draw_rows, make_splits
from hashzoo.errors import UsageError
from hashzoo.specs import Protocol, Splits, Table


def load(
    protocol: Protocol,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    path: str,
    queries_per_class: int = 100,
    train_per_class: int = 500,
    seed: int = 0,
    train_in_database: bool = False,
    stored_size: int = 256,
) -> Splits:
    """Return the Splits of the images in `path`, a folder `<class>/<anything>.jpg` (sub-folders belong to the class).

    Ids are the file names relative to `path`, with "/". In every class the images are ordered by the sha256 of
    "imagefolder <seed>/<id>"; the first `queries_per_class` are queries, the next `train_per_class` are training
    images, the rest is the database (with the training images too if `train_in_database`). Images that all have one
    size are kept as they are, others are squashed to `stored_size` squares when they are decoded into the cache.

    `path` is taken relative to the data root unless it is absolute or exists as given.

    Raises UsageError for a folder without classes, an empty class or numbers that cannot be met, WorkError naming
    the images that cannot be decoded.
    """
    quota = Quota(
        seed=f"{protocol.id} {whole_number('seed', seed)}",
        query=whole_number("queries_per_class", queries_per_class, at_least=1),
        train=whole_number("train_per_class", train_per_class, at_least=1),
        train_in_database=yes_or_no("train_in_database", train_in_database),
    )
    size = whole_number("stored_size", stored_size, at_least=1)
    folder = _folder(path, root)
    names = _images_by_class(folder)
    _require_enough(names, quota.query + quota.train, folder)
    files = [name for members in names.values() for name in members]
    classes = np.repeat(np.arange(len(names)), [len(members) for members in names.values()])
    source = {"dataset": "imagefolder", "files": [_state(folder, name) for name in files]}
    stored = stored_images(source, folder, lambda: folder_files(folder, files), size, progress)
    table = Table(
        inputs={"image": stored.pixels},
        labels=one_hot(classes, len(names)),
        ids=np.asarray(files),
        fingerprint=stored.fingerprint,
        class_names=tuple(names),
    )
    return make_splits(table, *draw_rows(table.ids, classes, quota))


def _folder(path: str, root: Path) -> Path:
    given = Path(path).expanduser()
    folder = given if given.exists() else root / given
    if not folder.is_dir():
        raise UsageError(f"There is no folder {given}; give path= a folder that holds one folder of images per class.")
    return folder


def _images_by_class(folder: Path) -> dict[str, list[str]]:
    """Return the image names (relative to `folder`, sorted) of every class, classes sorted by name."""
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise UsageError(f"{folder} holds no folders; imagefolder expects one folder of images per class in it.")
    names = {name: _images_below(folder, name) for name in classes}
    empty = [name for name, members in names.items() if not members]
    if empty:
        raise UsageError(
            f"There are no images in {', '.join(empty[:20])} of {folder}; add some or remove these folders "
            f"(known endings: {', '.join(sorted(ENDINGS))})."
        )
    return names


def _images_below(folder: Path, class_name: str) -> list[str]:
    found = [
        (Path(base) / file).relative_to(folder).as_posix()
        for base, _, files in os.walk(folder / class_name)
        for file in files
        if is_image(file)
    ]
    return sorted(found)


def _require_enough(names: dict[str, list[str]], needed: int, folder: Path) -> None:
    short = [f"{name} ({len(members):,})" for name, members in names.items() if len(members) < needed]
    if short:
        more = f" and {len(short) - 20:,} more" if len(short) > 20 else ""
        raise UsageError(
            f"{needed:,} queries and training images were asked of every class of {folder}, and these have fewer: "
            f"{', '.join(short[:20])}{more}; lower queries_per_class or train_per_class."
        )


def _state(folder: Path, name: str) -> list[str | int]:
    """Return name, size and time of change, which stand for the file's content in the cache key."""
    try:
        status = (folder / name).stat()
    except OSError:
        return [name, -1, 0]  # a dangling link: decoding reports it by name
    return [name, status.st_size, status.st_mtime_ns]
