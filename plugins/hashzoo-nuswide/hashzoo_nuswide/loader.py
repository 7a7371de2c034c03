"""Published lists over NUS-WIDE, and the official labels and tags beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from hashzoo import Protocol, Splits, UsageError
from hashzoo.data import (
    ImageOptions,
    ItemList,
    JoinedLists,
    draw_alike,
    given_path,
    join_lists,
    listed_splits,
    read_lines,
    read_list,
    read_parts,
    with_text,
)
from hashzoo_nuswide.official import image_folder, images_of, listed_m, read_concepts, read_names, read_tags

Progress = Callable[[int, int], None]

LISTS = Path(str(files("hashzoo_nuswide") / "lists"))

COMMONEST = (
    "sky", "clouds", "person", "water", "animal", "grass", "buildings", "window", "plants", "lake", "ocean", "road",
    "flowers", "sunset", "reflection", "rocks", "vehicle", "snow", "tree", "beach", "mountain",
)  # fmt: skip
"""The 21 commonest concepts by falling count, the order of the lists; the first ten are the commonest 10."""


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
    """Return the Splits of a protocol of image retrieval; ids are file names.

    The lists of DHN and CSQ hold labels and all three parts. The database of the others is made of Groundtruth.zip
    (nuswide21-10k: ImageList.zip too; nuswide81m: the images of NUS-WIDE-m that are there), in the order of the rows.

    Options:
        path: the folder of the unpacked archives; images are in its folder `images` or `Flickr`, or in itself
            (default: `nuswide` in the data folder).
        stored_size: side in pixels of the images kept.
        fit: "crop" keeps the aspect and cuts out the middle, "squash" does not.
        skip_damaged: leave out images that cannot be read.
        lists_only: open no image.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    folder = given_path(path, root, default="nuswide")
    joined = joined_lists(protocol.id, folder, options.lists_only)
    return listed_splits(joined, image_folder(folder), options, progress, dataset="nuswide")


def concepts() -> tuple[str, ...]:
    """Return the 81 concepts in alphabetical order, that of Concepts81.txt."""
    return tuple(read_lines(LISTS / "concepts.txt"))


def _list(name: str) -> ItemList:
    return _without_folders(read_list(LISTS / f"{name}.txt.xz"))


def _without_folders(items: ItemList) -> ItemList:
    return replace(items, paths=tuple(path.rsplit("/", 1)[-1] for path in items.paths))


def joined_lists(protocol: str, folder: Path, lists_only: bool = False) -> JoinedLists:
    """Return the lists of a protocol of image retrieval; those of 21 concepts of NUS-WIDE-m need no other file."""
    if protocol.startswith("nuswide21m"):
        published = read_parts(LISTS, "dhp-nuswide_21_m-{}.txt.xz")
        parts = {part: _without_folders(items) for part, items in published.items()}
        if protocol != "nuswide21m-10k":
            dropped = set(read_lines(LISTS / "csq-dropped.txt"))
            for part in ("train", "query"):
                kept = [row for row, path in enumerate(parts[part].paths) if path not in dropped]
                parts[part] = parts[part].take(kept)
        return join_lists(parts, COMMONEST)
    if protocol == "nuswide21-10k":
        return official_lists(folder, lists_only)
    source = "hashnet-pytorch-nuswide_81" if protocol.endswith("-asis") else "dhp-nuswide_81_m"
    query, train = _list(f"{source}-test"), _list(f"{source}-train")
    labels = read_concepts(folder, concepts())
    present = listed_m(folder, len(labels))
    asked = set(query.paths)
    rows = [
        row for row, name in present.items()
        if name not in asked and (protocol.endswith("-asis") or labels[row].any())
    ]  # fmt: skip
    rows.sort()
    database = ItemList(
        str(folder / "Groundtruth" / "AllLabels"),
        tuple(present[row] for row in rows),
        labels[rows],
        np.asarray(rows) + 1,
    )
    return join_lists({"train": train, "query": query, "database": database}, concepts())


def official_lists(folder: Path, lists_only: bool = False) -> JoinedLists:
    """Return the lists of nuswide21-10k: DeepHash-pytorch's, and all other official images with one of 21 concepts.

    Raises UsageError where a listed image is not in Imagelist.txt or has other labels there.
    """
    labels, names = read_concepts(folder, COMMONEST), read_names(folder)
    if len(labels) != len(names):
        raise UsageError(
            f"Imagelist.txt in {folder} has {len(names):,} lines and the files of labels have {len(labels):,}; unpack "
            "both archives of NUS-WIDE again."
        )
    row_of_name = {name.rsplit("/", 1)[-1]: row for row, name in enumerate(names)}
    parts = {}
    for part, name in (("query", "test"), ("train", "train")):
        items = _list(f"dhp-nuswide_21-{name}")
        for at, path in enumerate(items.paths):
            if path not in row_of_name:
                raise UsageError(
                    f"{items.where(at)}: {path} is not in Imagelist.txt of {folder}; these are other data."
                )
        rows = [row_of_name[path] for path in items.paths]
        wrong = np.flatnonzero((labels[rows] != items.labels).any(axis=1))
        if len(wrong):
            raise UsageError(
                f"{items.where(int(wrong[0]))}: the labels are not those of AllLabels ({len(wrong):,} such lines); "
                "these are other data."
            )
        parts[part] = np.asarray(rows)
    found = np.flatnonzero(labels.any(axis=1))
    parts["database"] = found[~np.isin(found, parts["query"])]
    paths = names if lists_only else images_of(names, folder)
    ids = np.asarray([f"nus/{row:06d}" for row in range(len(names))])
    return _kept(JoinedLists(tuple(paths), ids, labels, COMMONEST, parts, ""))


def _kept(joined: JoinedLists) -> JoinedLists:
    """Return the lists over a table of the items that are in some part."""
    used = np.unique(np.concatenate(list(joined.rows.values())))
    rows = {part: np.searchsorted(used, found) for part, found in joined.rows.items()}
    paths = tuple(joined.paths[row] for row in used)
    return replace(joined, paths=paths, ids=joined.ids[used], labels=joined.labels[used], rows=rows)


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
    """Return the Splits of a protocol with tags; ids are "nus/<row>", rows counted from 0 in six digits.

    Items are the images with one of the 21 or 10 commonest concepts, queries the first of the sha256 of
    "nuswide-bow/<id>", training images the next; the database is all but the queries. Texts may be empty.

    Options:
        path: the folder of the unpacked archives Groundtruth, ImageList, NUS_WID_Tags and of the images in `Flickr/`
            (default: `nuswide` in the data folder).
        stored_size: as in `load`.
        fit: as in `load`.
        skip_damaged: as in `load`.
        lists_only: open no image.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    folder = given_path(path, root, default="nuswide")
    chosen = COMMONEST[: 10 if protocol.id == "nuswide10-bow" else 21]
    labels, names = read_concepts(folder, chosen), read_names(folder)
    used = np.flatnonzero(labels.any(axis=1))
    text, tags = read_tags(folder, used)
    ids = np.asarray([f"nus/{row:06d}" for row in used])
    query, train, _ = protocol.sizes
    parts = draw_alike(ids, query, train, "nuswide-bow")
    places = names if options.lists_only else images_of(names, folder)
    paths = tuple(places[row] for row in used)
    rows = dict(zip(("train", "query", "database"), parts, strict=True))
    joined = JoinedLists(paths, ids, labels[used], chosen, rows, "")
    splits = listed_splits(joined, image_folder(folder), options, progress, dataset="nuswide")
    return with_text(splits, text, tags)
