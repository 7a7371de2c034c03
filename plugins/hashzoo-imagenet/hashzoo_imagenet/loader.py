"""HashNet's lists over images in HashNet's layout or in ImageNet's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from hashzoo import Protocol, Splits
from hashzoo.data import (
    ImageOptions,
    JoinedLists,
    Quota,
    draw_rows,
    given_path,
    join_lists,
    listed_splits,
    read_lines,
    read_parts,
)

Progress = Callable[[int, int], None]

LISTS = Path(str(files("hashzoo_imagenet") / "lists"))
LAST_OF_CSQ = 49_807
"""Number of the last validation image among CSQ's queries."""
_INSIDE = ("", "ILSVRC/Data/CLS-LOC", "ILSVRC2012")
"""Where the folders train and val lie below the folder that is given."""


def load(
    protocol: Protocol,
    root: Path,
    progress: Progress | None = None,
    *,
    path: str = "",
    stored_size: int = 256,
    fit: str = "crop",
    skip_damaged: bool = False,
    lists_only: bool = False,
) -> Splits:
    """Return the Splits of an ImageNet-100 protocol; ids are file names.

    Options:
        path: folder with `image/` and `val_image/` (HashNet's archive), with all files in it, or with ImageNet's
            `train/<synset>/` and `val/` or `val/<synset>/` (default: `imagenet100` in the data folder).
        stored_size: side in pixels of the images kept.
        fit: "crop" keeps the aspect and cuts out the middle, "squash" does not.
        skip_damaged: leave out images that cannot be read.
        lists_only: open no image.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    images = given_path(path, root, default="imagenet100")
    return listed_splits(placed(joined_lists(protocol.id), images), images, options, progress, dataset="imagenet100")


def synsets() -> tuple[str, ...]:
    """Return the WordNet ids of the 100 classes, in the order of the label columns (sorted)."""
    return tuple(read_lines(LISTS / "synsets.txt"))


def joined_lists(protocol: str) -> JoinedLists:
    """Return the lists of a protocol: HashNet's, the queries or training images of which are others in two of them."""
    parts = read_parts(LISTS, "hashnet-pytorch-imagenet-{}.txt.xz", num_classes=100)
    if protocol == "imagenet100-13k-4983q-asis":
        query = parts["query"]
        parts["query"] = query.take([n for n, p in enumerate(query.paths) if _number(p) <= LAST_OF_CSQ])
    if protocol == "imagenet100-10k":
        database = parts["database"]
        ids = [path.rsplit("/", 1)[-1] for path in database.paths]
        classes = np.asarray(database.labels).argmax(axis=1)
        train, _, _ = draw_rows(ids, classes, Quota("imagenet100-10k", query=0, train=100, train_in_database=True))
        parts["train"] = database.take(train)
    return join_lists(parts, synsets())


def _number(path: str) -> int:
    return int(path.rsplit("_", 1)[-1].removesuffix(".JPEG"))


def placed(joined: JoinedLists, images: Path) -> JoinedLists:
    """Return the lists with paths in ImageNet's own layout where `images` has it, else as they are."""
    names = joined.class_names
    for inside in _INSIDE:
        train = images / inside / "train"
        if not (train / names[0]).is_dir():
            continue
        by_class = (images / inside / "val" / names[0]).is_dir()
        lead = f"{inside}/" if inside else ""
        paths = []
        for name, label in zip(joined.ids.tolist(), joined.labels.argmax(axis=1).tolist(), strict=True):
            if name.startswith("ILSVRC2012_val"):
                paths.append(f"{lead}val/{names[label]}/{name}" if by_class else f"{lead}val/{name}")
            else:
                paths.append(f"{lead}train/{name.rsplit('_', 1)[0]}/{name}")
        return replace(joined, paths=tuple(paths), prefix="")
    return joined
