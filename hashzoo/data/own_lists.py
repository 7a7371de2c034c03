"""The dataset `lists`: images of one's own, or of anybody who passes lists around, with a label row for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.data.drawing import draw_by_size, require_undrawn
from hashzoo.data.image_lists import drawn_image_splits, listed_splits
from hashzoo.data.images import ImageOptions
from hashzoo.data.labels import NAMES as LABEL_NAMES
from hashzoo.data.labels import multi_hot
from hashzoo.data.list_layouts import WORDS, Wanted, find_lists, require_parts
from hashzoo.data.lists import join_lists, read_lines
from hashzoo.data.options import refuse_given, whole_number
from hashzoo.data.readers import read_arrays
from hashzoo.data.roots import given_path
from hashzoo.data.splits import PARTS, make_splits
from hashzoo.data.table_files import TableColumns
from hashzoo.data.tables import fingerprint_of
from hashzoo.errors import UsageError
from hashzoo.specs import Protocol, Splits, Table

OF_FILES = {
    "images": "", "layout": "", "train_list": "", "query_list": "", "database_list": "", "column": "",
    "label_columns": "", "part_column": "", "classes": "", "stored_size": 256, "fit": "crop", "skip_damaged": False,
    "lists_only": False,
}  # fmt: skip
"""Options of lists and of the image files that they name, with their defaults."""


def load(
    protocol: Protocol,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    path: str,
    images: str = "",
    layout: str = "",
    train_list: str = "",
    query_list: str = "",
    database_list: str = "",
    column: str = "",
    label_columns: str = "",
    part_column: str = "",
    classes: str = "",
    queries: int | float = 0,
    train: int | float = 0,
    seed: int = 0,
    train_in_database: bool = False,
    stored_size: int = 256,
    fit: str = "crop",
    skip_damaged: bool = False,
    lists_only: bool = False,
) -> Splits:
    """Return the Splits of listed images.

    `path` is a folder of lists, one list, a .csv, .tsv or .parquet table, or an .npz of images; which of these is seen
    by what is there (hashzoo.data.list_layouts), `layout` decides where several fit. `images` is the folder or .zip in
    which the listed files are (default: beside the lists). Ids are base names, "<folder>/<name>" where these repeat.

    `train_list`, `query_list`, `database_list` name the files of the parts where their names do not say it (several
    with commas); database_list=train searches the training items. `column`, `label_columns` and `part_column` name
    columns of a table; `classes` is a file with one class name a line. Where nothing names parts the split is drawn:
    `queries`, `train`, numbers or shares, as in `draw_by_size`, with `seed` and `train_in_database`.

    `stored_size` and `fit` ("crop": aspect kept, the middle cut out; "squash"): see `stored_images`. `skip_damaged`
    leaves out what cannot be read, `lists_only` opens no image.

    Raises UsageError, naming file and line, for lists that are not clear or not right, WorkError naming the images
    that cannot be read.
    """
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    where = given_path(path, root)
    asked = {"queries": queries, "train": train, "train_in_database": train_in_database}
    drawn_by = f"{protocol.id} {whole_number('seed', seed)}"
    if where.suffix.lower() == ".npz":
        of_files = {
            "images": images, "layout": layout, "train_list": train_list, "query_list": query_list,
            "database_list": database_list, "column": column, "label_columns": label_columns,
            "part_column": part_column, "classes": classes, "stored_size": stored_size, "fit": fit,
            "skip_damaged": skip_damaged, "lists_only": lists_only,
        }  # fmt: skip
        refuse_given(of_files, OF_FILES, f"{where} holds the images themselves, as arrays")
        return _from_arrays(where, asked, seed, drawn_by)
    files = {"train": str(train_list), "query": str(query_list), "database": str(database_list)}
    columns = TableColumns(str(column), str(label_columns), str(part_column))
    lists = find_lists(where, Wanted(str(layout), files, columns))
    beside = where if where.is_dir() else where.parent
    place = given_path(images, root, "The option images") if images != "" else beside
    names = tuple(read_lines(given_path(classes, root, "The option classes"))) if classes != "" else ()
    if "" in lists:
        joined = join_lists(lists, names)
        return drawn_image_splits(joined, place, options, asked, progress, seed=drawn_by)
    require_undrawn({**asked, "seed": seed}, "the lists' own")
    parts = require_parts(lists, where, database_is_train=database_list == "train")
    joined = join_lists(parts, names)
    left = sorted(set(lists) - set(PARTS))
    notes = [f"{len(lists[name].paths):,} items of part {name!r} are in no part used here." for name in left]
    return listed_splits(joined, place, options, progress, notes=notes)


# Images in an .npz
# ----------------------------------------------------------------------------------------------------------


def _from_arrays(file: Path, asked: Mapping[str, Any], seed: int, drawn_by: str) -> Splits:
    """Return the Splits of an .npz with `images` and `labels`, or with one of each for every part.

    Parts are named `images_train`, `train_images`, `x_train`, `X_train` and so on with the words of WORDS.
    """
    arrays = read_arrays(file)
    whole = [name for name in arrays if name.lower() in ("images", "image", "x", "data")]
    if len(whole) == 1:
        labels = [name for name in LABEL_NAMES if name in arrays]
        if len(labels) != 1:
            held = " and ".join(labels) or "no array"
            raise UsageError(f"{file} has {held} for the labels of {whole[0]!r}; name one array 'labels'.")
        items = _pixels(arrays[whole[0]], whole[0], file)
        rows, names = multi_hot([arrays[labels[0]]], f"{labels[0]} of {file}", rows=[len(items)])
        table = _table([items], rows, names, file)
        drawn, chosen = draw_by_size(table.ids, table.labels, seed=drawn_by, **asked)
        return make_splits(table, *drawn, notes=chosen)
    require_undrawn({**asked, "seed": seed}, "the file's own")
    return _parts_of_arrays(arrays, file)


def _parts_of_arrays(arrays: Mapping[str, np.ndarray], file: Path) -> Splits:
    images, labels_of = _array_parts(arrays, ("images", "image", "x")), _array_parts(arrays, ("labels", "label", "y"))
    missing = [part for part in ("train", "query") if part not in images or part not in labels_of]
    if missing:
        raise UsageError(
            f"{file} holds {', '.join(sorted(arrays)[:20]) or 'nothing'}; expected images and labels, or images_train, "
            "labels_train, images_query, labels_query and so on."
        )
    alone = next((part for part in PARTS if (part in images) != (part in labels_of)), None)
    if alone is not None:
        held, lacks = ("images", "labels") if alone in images else ("labels", "images")
        name = images.get(alone) or labels_of[alone]
        raise UsageError(
            f"{file} has {held} of the {alone} part ({name!r}) and no {lacks} of it; add {lacks}_{alone}, or remove "
            f"{name!r}."
        )
    order = [part for part in PARTS if part in images]
    pixels = [_pixels(arrays[images[part]], images[part], file) for part in order]
    given = [arrays[labels_of[part]] for part in order]
    rows, names = multi_hot(given, f"labels of {file}", rows=[len(part) for part in pixels])
    table = _table(pixels, rows, names, file)
    bounds = np.cumsum([0, *(len(part) for part in pixels)])
    found = {part: np.arange(bounds[at], bounds[at + 1]) for at, part in enumerate(order)}
    left = sorted(set(arrays) - set(images.values()) - set(labels_of.values()))
    notes = [f"Arrays of {file.name} that were not read: {', '.join(left)}."] if left else []
    return make_splits(table, found["train"], found["query"], found.get("database", found["train"]), notes=notes)


def _array_parts(arrays: Mapping[str, np.ndarray], stems: tuple[str, ...]) -> dict[str, str]:
    """Return the array of each part, named "<stem>_<part>" or "<part>_<stem>"."""
    found: dict[str, str] = {}
    for name in arrays:
        words = name.lower().split("_")
        part = next((part for part, known in WORDS.items() if set(words) & set(known)), None)
        if len(words) == 2 and part and set(words) & set(stems):
            if part in found:
                raise UsageError(f"The arrays {found[part]!r} and {name!r} both say {part}; leave one of them.")
            found[part] = name
    return found


def _pixels(array: np.ndarray, name: str, file: Path) -> np.ndarray:
    """Return images (n, H, W, 3) uint8 from (n, H, W), (n, H, W, 1) or (n, H, W, 3)."""
    images = array[..., np.newaxis] if array.ndim == 3 else array
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise UsageError(
            f"Array {name!r} of {file} has shape {array.shape} and type {array.dtype}; images are (n, H, W, 3) or "
            "(n, H, W) of uint8, 0 to 255."
        )
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images


def _table(pixels: Sequence[np.ndarray], labels: np.ndarray, names: tuple[str, ...], file: Path) -> Table:
    if len({part.shape[1:] for part in pixels}) != 1:
        raise UsageError(f"The images of {file} differ in size from part to part; bring them to one size.")
    images = np.concatenate(list(pixels))
    if len(images) != len(labels):
        raise UsageError(f"{file} has {len(images):,} images and labels for {len(labels):,}; give one for each.")
    inputs = {"image": images}
    ids = np.asarray([f"{row:06d}" for row in range(len(images))])
    return Table(inputs, labels, ids, fingerprint_of(inputs), names)
