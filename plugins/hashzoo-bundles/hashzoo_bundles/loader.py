"""From a bundle to Splits: the file's own parts, a published rule over its rows, or a draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo import Protocol, Splits, Table, UsageError
from hashzoo.data import (
    Content,
    ImageOptions,
    JoinedLists,
    common_prefix,
    draw_by_size,
    fingerprint_of,
    given_path,
    images_from_store,
    listed_splits,
    make_splits,
    read_arrays,
    require_undrawn,
    row_numbers,
    whole_number,
    with_text,
)
from hashzoo_bundles.arrays import (
    Pixels,
    file_names,
    labels_of,
    matrix,
    pixels_of,
    shape_of,
    shared_length,
    texts_of,
)
from hashzoo_bundles.layouts import PARTS, Layout, Place, find_layout
from hashzoo_bundles.rules import RULES

Progress = Callable[[int, int], None]
Rows = Mapping[str, np.ndarray]


def load_images(
    protocol: Protocol,
    root: Path,
    progress: Progress | None = None,
    *,
    path: str,
    name: str = "",
    images: str = "",
    words: int = 2000,
    queries: int | float = 0,
    train: int | float = 0,
    seed: int = 0,
    train_in_database: bool = True,
    stored_size: int = 256,
    fit: str = "crop",
    skip_damaged: bool = False,
) -> Splits:
    """Return the Splits of a bundle with images, (n, H, W, 3), or with names of image files.

    Pixels are copied into the cache row by row, however large the file is.

    Options:
        path: the file or folder of the bundle.
        name: how the files of one set begin, where a folder holds several.
        images: folder of the image files, where the bundle only names them.
        words: size of the vocabulary made of raw texts.
        queries: how many items, or which share, are drawn as queries where nothing says which (0: chosen).
        train: the same for training items.
        seed: another one draws other items.
        train_in_database: whether the training items drawn are searched too.
        stored_size: side in pixels of image files kept.
        fit: "crop" keeps the aspect of image files and cuts out the middle, "squash" does not.
        skip_damaged: leave out image files that cannot be read.
    """
    layout = find_layout(given_path(path, root), features=False, name=name)
    size = whole_number("words", words, at_least=1)
    labels, class_names, text, known, counts = _labels_and_texts(layout, size)
    asked = {"queries": queries, "train": train, "train_in_database": train_in_database, "seed": seed}
    ids = _ids(len(labels))
    rows, notes = _rows(protocol, layout, ids, labels, counts, asked)
    if layout.named:
        options = ImageOptions.checked(stored_size, fit, skip_damaged)
        if not images:
            raise UsageError("The bundle holds names of image files and no images; give images= their folder.")
        names = file_names(layout.parts[""][0])
        prefix = common_prefix(names)
        paths = tuple(name.removeprefix(prefix) for name in names)
        joined = JoinedLists(paths, ids, labels, class_names, rows, prefix)
        splits = listed_splits(joined, given_path(images, root), options, progress, dataset="bundle", notes=notes)
        return with_text(splits, text, known)
    stored = images_from_store(*_content(layout, counts, progress))
    table = Table({"image": stored.pixels}, labels, ids, stored.fingerprint, class_names)
    return with_text(make_splits(table, *(rows[part] for part in PARTS), notes=notes), text, known)


def load_features(
    protocol: Protocol,
    root: Path,
    *,
    path: str,
    name: str = "",
    words: int = 2000,
    queries: int | float = 0,
    train: int | float = 0,
    seed: int = 0,
    train_in_database: bool = True,
    first: int = 0,
) -> Splits:
    """Return the Splits of a bundle with features of images, (n, D).

    Options:
        path: the file or folder of the bundle.
        name: how the files of one set begin, where a folder holds several.
        words: size of the vocabulary made of raw texts.
        queries: how many items, or which share, are drawn as queries where nothing says which (0: chosen).
        train: the same for training items.
        seed: another one draws other items.
        train_in_database: whether the training items drawn are searched too.
        first: the number of the first row in the bundle's row lists: 0, or 1 as MATLAB counts.
    """
    layout = find_layout(given_path(path, root), features=True, name=name)
    labels, class_names, text, known, counts = _labels_and_texts(layout, whole_number("words", words, at_least=1))
    places = [chosen[0] for chosen in layout.parts.values()]
    features = np.concatenate([matrix(place, count) for place, count in zip(places, counts, strict=True)])
    ids = _ids(len(labels))
    asked = {"queries": queries, "train": train, "train_in_database": train_in_database, "seed": seed}
    rows, notes = _rows(protocol, layout, ids, labels, counts, asked, whole_number("first", first))
    inputs = {"image": features, "text": text}
    table = Table(inputs, labels, ids, fingerprint_of(inputs), class_names)
    details = {"vocabulary": list(known)} if known else {}
    return make_splits(table, *(rows[part] for part in PARTS), notes=notes, details=details)


def _ids(count: int) -> np.ndarray:
    return np.asarray([f"{row:06d}" for row in range(count)])


def _labels_and_texts(
    layout: Layout, words: int
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray, tuple[str, ...], list[int]]:
    """Return labels, class names, texts, vocabulary and the number of items of every part."""
    counts = []
    for images, texts, labels in layout.parts.values():
        shapes = {labels.name or labels.file.name: shape_of(labels), texts.name or texts.file.name: shape_of(texts)}
        if not layout.named:
            shapes[images.name or images.file.name] = shape_of(images)
        counts.append(shared_length(shapes))
    labels, class_names = labels_of([chosen[2] for chosen in layout.parts.values()], counts)
    texts, known = texts_of([chosen[1] for chosen in layout.parts.values()], counts, words)
    widths = {part.shape[1] for part in texts}
    if len(widths) != 1:
        raise UsageError(f"The texts of the parts have {sorted(widths)} columns; every part needs the same.")
    text = texts[0] if len(texts) == 1 else np.concatenate(texts)
    return labels, class_names, text, known, counts


def _rows(
    protocol: Protocol,
    layout: Layout,
    ids: np.ndarray,
    labels: np.ndarray,
    counts: Sequence[int],
    asked: Mapping[str, Any],
    first: int = 0,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return the rows of each part: by the protocol's rule, as the bundle says, or drawn."""
    seed = whole_number("seed", asked["seed"])
    listed = {"train", "query"} <= layout.rows.keys()
    if first > 1 or (first and not (listed and protocol.id not in RULES)):
        raise UsageError(
            f"The option first is {first}; it is 0 or 1, the number of the first row in a bundle's row lists, and 0 "
            "where nothing is taken from such lists."
        )
    rule = RULES.get(protocol.id)
    if rule is not None:
        require_undrawn(asked, "those of a published rule", train_in_database=True)
        if len(ids) != rule.rows:
            raise UsageError(
                f"Protocol {protocol.id} is a rule over {rule.rows:,} rows, and this bundle has {len(ids):,}; it is "
                "another bundle."
            )
        return dict(zip(PARTS, rule(), strict=True)), ()
    if len(counts) > 1:
        require_undrawn(asked, "the bundle's own", train_in_database=True)
        bounds = np.cumsum([0, *counts])
        named = {part: np.arange(bounds[i], bounds[i + 1]) for i, part in enumerate(layout.parts)}
        return {"database": named["train"], **named}, ("The parts are those of the bundle.",)
    if listed:
        require_undrawn(asked, "those of the bundle's row lists", train_in_database=True)
        rows = {
            part: row_numbers(read_arrays(file)[""], len(ids), file.name, first=first)
            for part, file in layout.rows.items()
        }
        return {"database": rows["train"], **rows}, ("The parts are those of the bundle's row lists.",)
    parts, notes = draw_by_size(
        ids, labels, asked["queries"], asked["train"], f"{protocol.id} {seed}",
        train_in_database=asked["train_in_database"],
    )  # fmt: skip
    return dict(zip(PARTS, parts, strict=True)), notes


def _content(
    layout: Layout, counts: Sequence[int], progress: Progress | None
) -> tuple[dict[str, Any], Callable[[], Content]]:
    """Return what the cache needs: what decides the pixels, and how they are read."""
    places: list[Place] = [chosen[0] for chosen in layout.parts.values()]
    all_pixels = [pixels_of(place, count) for place, count in zip(places, counts, strict=True)]
    shapes = {(pixels.height, pixels.width) for pixels in all_pixels}
    if len(shapes) != 1:
        raise UsageError(f"The parts hold images of {len(shapes)} sizes; every part needs the same.")
    total, (height, width) = sum(counts), shapes.pop()
    states = [(str(place.file.resolve()), place.name, *_state(place.file)) for place in places]
    source = {"dataset": "bundle", "arrays": states, "axes": [pixels.axes for pixels in all_pixels]}

    def blocks(start: int, noted: dict[str, Any]) -> Iterator[np.ndarray]:
        done = start
        for block in _from(all_pixels, start):
            yield block
            done += len(block)
            if progress is not None:
                progress(done, total)

    return source, lambda: Content((total, height, width, 3), "uint8", blocks, {"source": source})


def _from(all_pixels: Sequence[Pixels], start: int) -> Iterator[np.ndarray]:
    for pixels in all_pixels:
        if start < pixels.count:
            yield from pixels.blocks(start)
        start = max(0, start - pixels.count)


def _state(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
