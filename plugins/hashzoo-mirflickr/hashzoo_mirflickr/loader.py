"""Published lists over the official images, and the official tags and labels beside them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np

from hashzoo import Protocol, Splits
from hashzoo.data import (
    ImageOptions,
    JoinedLists,
    draw_alike,
    given_path,
    hash_order,
    join_lists,
    listed_splits,
    read_parts,
    with_text,
)
from hashzoo_mirflickr.official import (
    ALL_LABELS,
    IMAGES,
    LABELS,
    annotation_folder,
    common_tags,
    image_folder,
    read_labels,
    read_tags,
    tag_rows,
)

Progress = Callable[[int, int], None]

LISTS = Path(str(files("hashzoo_mirflickr") / "lists"))


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
    """Return the Splits of mirflickr38-4k; ids are file names, labels the 38 in alphabetical order.

    Options:
        path: the folder `mirflickr` of im1.jpg ..., or the one above it (default: `mirflickr25k` in the data folder).
        stored_size: side in pixels of the images kept.
        fit: "crop" keeps the aspect and cuts out the middle, "squash" does not.
        skip_damaged: leave out images that cannot be read.
        lists_only: open no image.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    folder = given_path(path, root, default="mirflickr25k")
    return listed_splits(published_lists(), image_folder(folder), options, progress, dataset="mirflickr")


def published_lists() -> JoinedLists:
    """Return DeepHash-pytorch's lists."""
    return join_lists(read_parts(LISTS, "dhp-mirflickr-{}.txt.xz"), ALL_LABELS)


def load_tags(
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
    """Return the Splits of a protocol with tags; ids are im1.jpg ... in the order of their numbers, 24 labels.

    Labels come from the folder of annotations where it is there, else from DeepHash-pytorch's lists, which hold the
    same; `text` is (25000, V), 1 where an image has the tag.

    Options:
        path: the folder above `mirflickr` and the annotations (default: `mirflickr25k` in the data folder).
        stored_size: as in `load`.
        fit: as in `load`.
        skip_damaged: as in `load`.
        lists_only: open no image.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    folder = given_path(path, root, default="mirflickr25k")
    images = image_folder(folder)
    annotations = annotation_folder(folder)
    labels = listed_labels() if annotations is None else read_labels(annotations, LABELS, IMAGES)
    tags = read_tags(images, IMAGES)
    vocabulary, note = common_tags(images, tags)
    text = tag_rows(tags, vocabulary)
    ids = np.asarray([f"im{number}.jpg" for number in range(1, IMAGES + 1)])
    train, query, database = drawn(protocol, ids, labels, text)
    joined = JoinedLists(
        tuple(ids.tolist()), ids, labels, LABELS, {"train": train, "query": query, "database": database}, ""
    )
    splits = listed_splits(joined, images, options, progress, dataset="mirflickr")
    return with_text(splits, text, vocabulary, [note] if note else [])


def listed_labels() -> np.ndarray:
    """Return the 24 labels of all images from DeepHash-pytorch's lists, in the order of the image numbers."""
    joined = published_lists()
    columns = [joined.class_names.index(name) for name in LABELS]
    rows = np.argsort([int(name.removeprefix("im").removesuffix(".jpg")) for name in joined.ids])
    return np.ascontiguousarray(joined.labels[rows][:, columns])


def drawn(
    protocol: Protocol, ids: np.ndarray, labels: np.ndarray, text: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the (train, query, database) rows: items are drawn by the sha256 of "mirflickr-bow/<id>".

    Items are the labelled images, in two of the protocols only those with a tag. The database is all but the queries.
    """
    usable = labels.any(axis=1)
    if protocol.id != "mirflickr-24581-10k":
        usable = usable & text.any(axis=1)
    rows = np.flatnonzero(usable)
    if protocol.id == "mirflickr-bow-5k":
        return by_label(ids, labels, rows, protocol.sizes[0], protocol.sizes[1])
    query, train, _ = protocol.sizes
    parts = draw_alike(ids[rows], query, train, "mirflickr-bow")
    return rows[parts[0]], rows[parts[1]], rows[parts[2]]


def by_label(
    ids: np.ndarray, labels: np.ndarray, rows: np.ndarray, queries: int, training: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (train, query, database) rows drawn label by label in column order, as DJSRH does.

    Of the items in no part yet, in hash order, every label gives its queries and then its training items, the first
    label twice as many (DJSRH: 160 and 23 x 80 queries, 400 and 23 x 200 training pairs); a part that is short at the
    end is filled up with the items that come next.
    """
    order = rows[hash_order(ids[rows], "mirflickr-bow")]
    taken = np.zeros(len(ids), dtype=bool)
    chosen: tuple[list[int], list[int]] = ([], [])
    totals = (queries, training)
    for column in range(labels.shape[1]):
        for part, total in zip(chosen, totals, strict=True):
            free = order[(labels[order, column] == 1) & ~taken[order]]
            picked = free[: total // (labels.shape[1] + 1) * (2 if column == 0 else 1)]
            taken[picked] = True
            part += picked.tolist()
    for part, total in zip(chosen, totals, strict=True):
        rest = order[~taken[order]][: total - len(part)]
        taken[rest] = True
        part += rest.tolist()
    parts = [np.isin(order, part) for part in chosen]
    return order[parts[1]], order[parts[0]], order[~parts[0]]
