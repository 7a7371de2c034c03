"""DeepHash-pytorch's lists over the images of the VOC devkit."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from hashzoo import Protocol, Splits
from hashzoo.data import (
    ImageOptions,
    JoinedLists,
    given_path,
    join_lists,
    listed_splits,
    read_parts,
)

Progress = Callable[[int, int], None]

LISTS = Path(str(files("hashzoo_voc") / "lists"))
NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


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
    """Return the Splits of voc2012-4k; ids are file names, the 20 labels are in alphabetical order.

    Options:
        path: folder that holds `VOCdevkit/`, a folder inside it, or the folder of the images (default: `voc2012` in
            the data folder).
        stored_size: side in pixels of the images kept.
        fit: "crop" keeps the aspect and cuts out the middle, "squash" does not.
        skip_damaged: leave out images that cannot be read.
        lists_only: open no image.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    images = given_path(path, root, default="voc2012")
    return listed_splits(joined_lists(), images, options, progress, dataset="voc2012")


def joined_lists() -> JoinedLists:
    """Return the three lists."""
    return join_lists(read_parts(LISTS, "dhp-voc2012-{}.txt.xz"), NAMES)
