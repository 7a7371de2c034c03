"""Images, descriptions and labels of the two ImageCLEF archives, and a split drawn by sha256."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hashzoo import Protocol, Splits
from hashzoo.data import (
    ImageOptions,
    JoinedLists,
    bag_of_words,
    draw_alike,
    given_path,
    listed_splits,
    vocabulary,
    whole_number,
    with_text,
)
from hashzoo_iaprtc.official import image_files, label_matrix, read_descriptions, read_names, read_regions

Progress = Callable[[int, int], None]

VOCABULARY = 2912
"""How many words texts are made of, DCMH's number."""


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
    words: int = VOCABULARY,
) -> Splits:
    """Return the Splits of iaprtc12-bow; ids are image numbers, labels those that occur, by SAIAPR's label number.

    Items are the images that have a label and a description, by number; queries are the first 2,000 of the sha256 of
    "iaprtc12/<id>", training items the next 10,000, and the database is all but the queries. `text` is (n, V), 1 where
    a word occurs in the description.

    Options:
        path: the folder with `iaprtc12/` and `saiaprtc12ok/` (default: `iaprtc12` in the data folder).
        stored_size: side in pixels of the images kept.
        fit: "crop" keeps the aspect and cuts out the middle, "squash" does not.
        skip_damaged: leave out images that cannot be read.
        lists_only: open no image.
        words: size of the vocabulary, the words of most descriptions.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    size = whole_number("words", words, at_least=1)
    folder = given_path(path, root, default="iaprtc12")
    files, texts, regions = image_files(folder), read_descriptions(folder), read_regions(folder)
    found = sorted(image for image in files if image in regions and texts.get(image, "").strip())
    labels, known = label_matrix(found, regions)
    names = read_names(folder)
    described = [texts[image] for image in found]
    chosen = vocabulary(described, size)
    text = bag_of_words(described, chosen)
    ids = np.asarray([f"{image:05d}" for image in found])
    query, train, _ = protocol.sizes
    parts = draw_alike(ids, query, train, "iaprtc12")
    joined = JoinedLists(
        tuple(files[image] for image in found),
        ids,
        labels,
        tuple(names.get(label, "") or str(label) for label in known),
        dict(zip(("train", "query", "database"), parts, strict=True)),
        "",
    )
    splits = listed_splits(joined, folder, options, progress, dataset="iaprtc12")
    left_out = f"{len(files) - len(found):,} of {len(files):,} images have no label or no description."
    return with_text(splits, text, chosen, [left_out])
