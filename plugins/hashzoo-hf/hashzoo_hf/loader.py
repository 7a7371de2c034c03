"""From the rows of a Hugging Face data set to Splits, images streamed into the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo import Protocol, Splits, Table, UsageError
from hashzoo.data import (
    ImageFiles,
    ImageOptions,
    bag_of_words,
    draw_by_size,
    make_splits,
    require_undrawn,
    stored_images,
    vocabulary,
    whole_number,
    with_text,
)
from hashzoo_hf.rows import Rows, labels_of, open_rows, require_columns, texts_of, without_decoding

Progress = Callable[[int, int], None]


def load(
    protocol: Protocol,
    root: Path,
    progress: Progress | None = None,
    *,
    path: str,
    image: str = "",
    label: str = "",
    config: str = "",
    split: str = "",
    train_split: str = "",
    query_split: str = "",
    database_split: str = "",
    queries: int | float = 0,
    train: int | float = 0,
    seed: int = 0,
    train_in_database: bool = False,
    stored_size: int = 256,
    fit: str = "crop",
    skip_damaged: bool = False,
) -> Splits:
    """Return the Splits of the images of a data set; ids are "<split>/<row>" in six digits.

    Parts are the splits named (train_split and query_split; the database is the train split unless database_split
    names another), else queries and training items are drawn from one split by the sha256 of "<protocol> <seed>/<id>".

    Options:
        path: name at the Hugging Face hub (org/name), or a local folder or file of Parquet.
        image: column of the images.
        label: column of the labels: class numbers or names, or lists of them where an image has several.
        config: configuration of the data set, where it has several.
        split: the split from which parts are drawn (default: train, else the first one).
        train_split: split of the training items.
        query_split: split of the queries.
        database_split: split of the database.
        queries: how many items, or which share, are drawn as queries (0: chosen).
        train: the same for training items.
        seed: another one draws other items.
        train_in_database: whether the training items drawn are searched too.
        stored_size: side in pixels of the images kept.
        fit: "crop" keeps the aspect and cuts out the middle, "squash" does not.
        skip_damaged: leave out images that cannot be read.
    """
    chosen = Parts.checked(split, train_split, query_split, database_split)
    rows = open_rows(path, root, config, chosen.names)
    require_columns(rows, {"image": image, "label": label}, path)
    options = ImageOptions.checked(stored_size, fit, skip_damaged)
    drawn = {"queries": queries, "train": train, "train_in_database": train_in_database}
    return _splits(protocol, rows, {"image": image, "label": label}, chosen, options, drawn, seed, progress)


def load_pairs(
    protocol: Protocol,
    root: Path,
    progress: Progress | None = None,
    *,
    path: str,
    image: str = "",
    text: str = "",
    label: str = "",
    words: int = 2000,
    config: str = "",
    split: str = "",
    train_split: str = "",
    query_split: str = "",
    database_split: str = "",
    queries: int | float = 0,
    train: int | float = 0,
    seed: int = 0,
    train_in_database: bool = False,
    stored_size: int = 256,
    fit: str = "crop",
    skip_damaged: bool = False,
) -> Splits:
    """Return the Splits of images with texts; `text` is (n, V), 1 where a word occurs.

    Options:
        path: as in `load`.
        image: as in `load`.
        text: column of the texts: one, or a list of several for each image.
        label: as in `load`.
        words: size of the vocabulary, the words of most texts.
        config: as in `load`.
        split: as in `load`.
        train_split: as in `load`.
        query_split: as in `load`.
        database_split: as in `load`.
        queries: as in `load`.
        train: as in `load`.
        seed: as in `load`.
        train_in_database: as in `load`.
        stored_size: as in `load`.
        fit: as in `load`.
        skip_damaged: as in `load`.
    """
    chosen = Parts.checked(split, train_split, query_split, database_split)
    size = whole_number("words", words, at_least=1)
    rows = open_rows(path, root, config, chosen.names)
    require_columns(rows, {"image": image, "text": text, "label": label}, path)
    texts = texts_of(rows, text)
    options = ImageOptions.checked(stored_size, fit, skip_damaged)
    drawn = {"queries": queries, "train": train, "train_in_database": train_in_database}
    splits = _splits(protocol, rows, {"image": image, "label": label}, chosen, options, drawn, seed, progress)
    known = vocabulary(texts, size)
    return with_text(splits, bag_of_words(texts, known), known)


@dataclass(frozen=True)
class Parts:
    """Which splits are the parts; all "" where they are drawn from `split`."""

    split: str
    train: str
    query: str
    database: str

    @classmethod
    def checked(cls, split: str, train: str, query: str, database: str) -> Parts:
        """Return the parts; UsageError where only some are named, or a split to draw from as well."""
        if bool(train) != bool(query) or (database and not query):
            raise UsageError("Name both train_split and query_split (database_split is the train split unless named).")
        if split and query:
            raise UsageError("Parts are the splits named, so nothing is drawn from split; leave one of them out.")
        return cls(split, train, query, database or train)

    @property
    def names(self) -> list[str]:
        """All splits that are read, each once."""
        return list(dict.fromkeys(filter(None, (self.split, self.train, self.query, self.database))))


def _splits(
    protocol: Protocol,
    rows: Rows,
    columns: Mapping[str, str],
    chosen: Parts,
    options: ImageOptions,
    drawn: Mapping[str, Any],
    seed: int,
    progress: Progress | None,
) -> Splits:
    if chosen.query:
        require_undrawn({**drawn, "seed": seed}, "the splits named")
    labels, class_names = labels_of(rows, columns["label"])
    ids = np.asarray([f"{name}/{row:06d}" for name, size in rows.sizes.items() for row in range(size)])
    files = without_decoding(rows, columns["image"])
    row_of = {name: row for row, name in enumerate(ids.tolist())}

    @contextmanager
    def opened() -> Iterator[ImageFiles]:
        yield ImageFiles(ids.tolist(), lambda name: files.image_bytes(columns["image"], row_of[name]))

    source = {"dataset": "hf", "rows": rows.fingerprint(), "column": columns["image"], "sizes": rows.sizes}
    stored = stored_images(
        source, Path(protocol.id), opened, options.size, progress, fit=options.fit, skip_damaged=options.skip_damaged
    )
    table = Table({"image": stored.pixels}, labels, ids, stored.fingerprint, class_names)
    if chosen.query:
        bounds = np.cumsum([0, *rows.sizes.values()])
        at = {name: np.arange(bounds[i], bounds[i + 1]) for i, name in enumerate(rows.sizes)}
        parts = [stored.kept(at[name]) for name in (chosen.train, chosen.query, chosen.database)]
        return make_splits(table, *parts, notes=stored.notes)
    kept = stored.kept(np.arange(len(ids)))
    seed_text = f"{protocol.id} {whole_number('seed', seed)}"
    found, notes = draw_by_size(
        ids[kept], labels[kept], drawn["queries"], drawn["train"], seed_text,
        train_in_database=drawn["train_in_database"],
    )  # fmt: skip
    return make_splits(table, *(kept[part] for part in found), notes=(*notes, *stored.notes))
