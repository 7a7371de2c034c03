"""Published lists and captions over the official images, 2014 or 2017."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from hashzoo import Protocol, Splits, UsageError, WorkError
from hashzoo.data import (
    ImageOptions,
    ItemList,
    JoinedLists,
    bag_of_words,
    chain,
    draw_alike,
    given_path,
    join_lists,
    listed_splits,
    read_lines,
    read_list,
    vocabulary,
    whole_number,
    with_text,
)

Progress = Callable[[int, int], None]

LISTS = Path(str(files("hashzoo_coco") / "lists"))
VOCABULARY = 2000
"""How many words the texts of coco-captions are made of, as torchcmh's and SSAH's bags of words."""


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
    """Return the Splits of a protocol of image retrieval; ids are the file names of 2014, 80 labels by alphabet.

    Options:
        path: folder with `train2014/` and `val2014/`, or `train2017/` and `val2017/` (the same images), or with all
            files in it (default: `coco` in the data folder).
        stored_size: side in pixels of the images kept.
        fit: "crop" keeps the aspect and cuts out the middle, "squash" does not.
        skip_damaged: leave out images that cannot be read.
        lists_only: open no image.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    images = given_path(path, root, default="coco")
    return listed_splits(placed(joined_lists(protocol.id), images), images, options, progress, dataset="coco")


def load_captions(
    protocol: Protocol,
    root: Path,
    progress: Progress | None = None,
    *,
    path: str = "",
    stored_size: int = 256,
    fit: str = "crop",
    skip_damaged: bool = False,
    lists_only: bool = False,
    words: int = VOCABULARY,
) -> Splits:
    """Return the Splits of coco-captions-10k; ids are image numbers of twelve digits.

    Items are the 122,218 labelled images by number, queries the first 5,000 of the sha256 of "coco-captions/<id>",
    training images the next 10,000. `text` is (n, V), 1 where a word occurs in a caption.

    Options:
        path: as in `load`; `annotations/captions_{train,val}{2014,2017}.json` are below it.
        stored_size: as in `load`.
        fit: as in `load`.
        skip_damaged: as in `load`.
        lists_only: open no image.
        words: size of the vocabulary, the words of most images.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    images = given_path(path, root, default="coco")
    drawn = caption_lists(protocol)
    splits = listed_splits(placed(drawn, images), images, options, progress, dataset="coco")
    size = whole_number("words", words, at_least=1)
    if options.lists_only and not (images / "annotations").is_dir():
        return splits
    texts = captions(images / "annotations", splits.table.ids.tolist())
    known = vocabulary(texts, size)
    return with_text(splits, bag_of_words(texts, known), known)


def names() -> tuple[str, ...]:
    """Return the 80 categories in alphabetical order, that of the lists' columns."""
    return tuple(read_lines(LISTS / "categories.txt"))


def _list(name: str) -> ItemList:
    """Return a shipped list with paths "train2014/COCO_train2014_...", whatever its author's machine had before."""
    items = read_list(LISTS / f"{name}.txt.xz", num_classes=80)
    return replace(items, paths=tuple("/".join(path.split("/")[-2:]) for path in items.paths))


def _labelled() -> ItemList:
    """Return all 122,218 images that have a label, by name: HashNet's training list and database."""
    both = chain([_list("hashnet-pytorch-coco-train"), _list("hashnet-pytorch-coco-database")])
    return both.take(sorted(range(len(both.paths)), key=lambda row: _base(both.paths[row])))


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def joined_lists(protocol: str) -> JoinedLists:
    """Return the lists of a protocol of image retrieval."""
    if protocol == "coco-10k":
        query, everything = _list("dhp-coco-test"), _labelled()
        searched = set(query.paths)
        database = everything.take([row for row, path in enumerate(everything.paths) if path not in searched])
        parts = {"train": _list("dhp-coco-train"), "query": query, "database": database}
        return join_lists(parts, names())
    query, database = _list("hashnet-pytorch-coco-test"), _list("hashnet-pytorch-coco-database")
    if protocol == "coco-10k-hashnet":
        asked = set(query.paths)
        database = database.take([row for row, path in enumerate(database.paths) if path not in asked])
    return join_lists({"train": _list("hashnet-pytorch-coco-train"), "query": query, "database": database}, names())


def caption_lists(protocol: Protocol) -> JoinedLists:
    """Return the lists of coco-captions-10k: all labelled images by number, drawn as one class."""
    everything = _labelled()
    numbers = [number(path) for path in everything.paths]
    order = np.argsort(numbers)
    everything = everything.take(order)
    ids = np.asarray([numbers[row] for row in order])
    query, train, _ = protocol.sizes
    rows = dict(zip(("train", "query", "database"), draw_alike(ids, query, train, "coco-captions"), strict=True))
    return JoinedLists(everything.paths, ids, np.asarray(everything.labels), names(), rows, "")


def number(path: str) -> str:
    """Return the number of an image, twelve digits, by which the releases of 2014 and 2017 are joined.

    >>> number("train2014/COCO_train2014_000000000009.jpg")
    '000000000009'
    """
    return path.removesuffix(".jpg").rsplit("_", 1)[-1].rsplit("/", 1)[-1]


def placed(joined: JoinedLists, images: Path) -> JoinedLists:
    """Return the lists with the paths of the 2017 release where `images` has that one, else as they are (2014)."""
    if not (images / "train2017").is_dir() or (images / "train2014").is_dir():
        return joined
    validation = {entry.name for entry in (images / "val2017").glob("*.jpg")}
    paths = []
    for path in joined.paths:
        file = f"{number(path)}.jpg"
        paths.append(f"{'val2017' if file in validation else 'train2017'}/{file}")
    return replace(joined, paths=tuple(paths), prefix="")


def captions(folder: Path, ids: Sequence[str]) -> list[str]:
    """Return the captions of each image, joined, "" where it has none.

    Raises WorkError where the files are missing or damaged, UsageError where they are other files.
    """
    texts: dict[int, list[str]] = {int(number): [] for number in ids}
    found = sorted(folder.glob("captions_*2014.json")) or sorted(folder.glob("captions_*2017.json"))
    if len(found) < 2:
        raise WorkError(
            f"The captions are expected in {folder} (captions_train2014.json and captions_val2014.json, or 2017), "
            f"and {len(found)} of these files are there; unpack annotations_trainval2014.zip of MS-COCO."
        )
    for file in found:
        try:
            content = json.loads(file.read_bytes())
        except ValueError as error:
            raise WorkError(f"{file} is not JSON ({error}); unpack the archive of annotations again.") from error
        try:
            for item in content["annotations"]:
                if item["image_id"] in texts:
                    texts[item["image_id"]].append(str(item["caption"]))
        except (KeyError, TypeError) as error:
            raise UsageError(f"{file} has no list of annotations with image_id and caption; give MS-COCO's.") from error
    return [" ".join(texts[int(number)]) for number in ids]
