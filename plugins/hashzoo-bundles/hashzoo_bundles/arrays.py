"""Arrays of a bundle in one orientation, (n, D) and (n, H, W, 3), read in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hashzoo import UsageError
from hashzoo.data import StoredArray, bag_of_words, multi_hot, open_arrays, read_lines, vocabulary
from hashzoo_bundles.layouts import Place

_BLOCK = 64 * 2**20
"""Bytes of pixels or numbers read at once."""


def shared_length(shapes: Mapping[str, Sequence[int]]) -> int:
    """Return the number of items: the one length that occurs in the shapes of all arrays.

    Raises UsageError where none does, or several do.
    """
    common = set.intersection(*(set(shape) for shape in shapes.values()))
    if len(common) == 1:
        return common.pop()
    listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
    what = "share no length" if not common else f"share the lengths {sorted(common)}"
    raise UsageError(f"The arrays of the bundle {what} ({listed}); they must share one, the number of items.")


@dataclass(frozen=True)
class Pixels:
    """Images in a file: how many, their height and width, and which axes they have there."""

    place: Place
    count: int
    height: int
    width: int
    axes: tuple[int, int, int, int]
    """Axes of n, H, W and colour."""

    def blocks(self, start: int) -> Iterator[np.ndarray]:
        """Yield (k, H, W, 3) uint8 from image `start` on."""
        step = max(1, _BLOCK // (self.height * self.width * 3)) if _by_rows(self.place) else self.count
        with open_arrays(self.place.file) as content:
            array = content[self.place.name]
            for begin in range(start, self.count, step):
                block = array.part(begin, min(begin + step, self.count), self.axes[0])
                yield _bytes(np.transpose(block, self.axes), self.place, begin)


def _bytes(block: np.ndarray, place: Place, begin: int) -> np.ndarray:
    if block.dtype == np.uint8:
        return np.ascontiguousarray(block)
    if block.dtype.kind not in "iuf" or not ((block >= 0) & (block <= 255)).all() or (0 < block.max(initial=0) <= 1):
        raise UsageError(
            f"{place.file}: the images of {place.name} from row {begin} on are not pixels from 0 to 255; give the "
            "bundle before any subtraction of means or scaling."
        )
    return np.rint(block).astype(np.uint8)


def pixels_of(place: Place, count: int) -> Pixels:
    """Return the images of an array of four axes.

    MATLAB stores (H, W, C, N). HDF5 written by MATLAB has the axes the other way round, (N, C, W, H): a plain HDF5 copy
    of it in a .mat file is recognised by N and C being the first two, and its last two axes are then W and H.

    Raises UsageError for an array that is not images of three colours.
    """
    with open_arrays(place.file) as content:
        shape = _array(content, place).shape
    if len(shape) != 4 or list(shape).count(count) != 1 or 3 not in shape:
        raise UsageError(
            f"{place.file}: {place.name} has shape {tuple(shape)}; images have {count:,} items, a height, a width and "
            "3 colours."
        )
    item = list(shape).index(count)
    colour = next(axis for axis in (1, 2, 3, 0) if axis != item and shape[axis] == 3)
    first, second = (axis for axis in range(4) if axis not in (item, colour))
    if place.file.suffix.lower() == ".mat" and (item, colour) == (0, 1):
        first, second = second, first
    return Pixels(place, count, shape[first], shape[second], (item, first, second, colour))


def matrix(place: Place, count: int, *, dtype: Any = np.float32) -> np.ndarray:
    """Return an array of two axes as (count, D), read in blocks.

    Raises UsageError for another shape and for what is no finite number.
    """
    with open_arrays(place.file) as content:
        array = _array(content, place)
        if len(array.shape) != 2 or count not in array.shape or array.dtype.kind not in "biuf":
            raise UsageError(
                f"{place.file}: {place.name} has shape {tuple(array.shape)} and type {array.dtype}; expected numbers, "
                f"one row for each of {count:,} items."
            )
        axis = 0 if array.shape[0] == count else 1
        out = np.empty((count, array.shape[1 - axis]), dtype=dtype)
        step = max(1, _BLOCK // max(1, out.shape[1] * array.dtype.itemsize))
        bounds = [*range(0, count, step), count] if _by_rows(place) else [0, count]
        for begin, end in pairwise(bounds):
            block = array.part(begin, end, axis)
            out[begin:end] = block if axis == 0 else block.T
            if not np.isfinite(out[begin:end]).all():
                raise UsageError(f"{place.file}: {place.name} holds NaN or infinity from row {begin} on; correct it.")
    return out


def _by_rows(place: Place) -> bool:
    """Return whether a part of an array is read without the rest: classic .mat and .npz are read whole each time."""
    with place.file.open("rb") as stream:
        head = stream.read(520)
    return place.file.suffix.lower() == ".npy" or b"\x89HDF" in (head[:4], head[512:516])


def labels_of(places: Sequence[Place], counts: Sequence[int]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels (n, C) uint8 of all parts and class names."""
    parts = []
    for place, count in zip(places, counts, strict=True):
        with open_arrays(place.file) as content:
            values = _array(content, place).read()
        turned = values.ndim == 2 and values.shape[0] != count and values.shape[1] == count and values.shape[0] > 1
        parts.append(values.T if turned else values)
    return multi_hot(parts, places[0].name, rows=counts)


def texts_of(places: Sequence[Place], counts: Sequence[int], words: int) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return (n, D) float32 of every part and the vocabulary, () where the file holds numbers.

    Raw texts, one or several sentences for each item, become 0/1 over the `words` that stand in most of them, counted
    over all parts.
    """
    found = [_raw_texts(place, count) for place, count in zip(places, counts, strict=True)]
    texts = [part for part in found if part is not None]
    if not texts:
        return [matrix(place, count) for place, count in zip(places, counts, strict=True)], ()
    if len(texts) != len(found):
        raise UsageError(f"The texts of {places[0].file} are raw in some parts and numbers in others; give one kind.")
    known = vocabulary((text for part in texts for text in part), words)
    return [bag_of_words(part, known) for part in texts], known


def _raw_texts(place: Place, count: int) -> list[str] | None:
    if place.file.suffix == ".txt":
        lines = read_lines(place.file)
        if len(lines) != count:
            raise UsageError(f"{place.file} has {len(lines):,} lines for {count:,} items; give one line for each.")
        return lines
    with open_arrays(place.file) as content:
        array = _array(content, place)
        if array.dtype.kind in "biuf":
            return None
        values = array.read()
    rows = np.asarray(values, dtype=object)
    if rows.shape[:1] != (count,):
        rows = rows.T if rows.ndim == 2 and rows.shape[1] == count else rows.reshape(count, -1)
    return [" ".join(_words(row)) for row in rows]


def _words(value: Any) -> Iterator[str]:
    """Yield the texts in a cell, however deep MATLAB packed them."""
    if isinstance(value, np.ndarray):
        for inner in value.ravel():
            yield from _words(inner)
    else:
        yield str(value).strip()


def file_names(place: Place) -> list[str]:
    """Return the names of image files: padded blanks removed, rows of several texts joined with "/"."""
    with open_arrays(place.file) as content:
        values = _array(content, place).read()
    if values.ndim == 2 and 1 not in values.shape:
        return ["/".join(_words(row)).replace("\\", "/") for row in values]
    return ["".join(_words(value)).replace("\\", "/") for value in values.ravel()]


def _array(content: Mapping[str, StoredArray], place: Place) -> StoredArray:
    if place.name not in content:
        raise UsageError(f"{place.file} holds {', '.join(sorted(content))}, and {place.name} is expected in it.")
    return content[place.name]


def shape_of(place: Place) -> tuple[int, ...]:
    """Return the shape of an array; that of a list of names has one axis."""
    if place.file.suffix == ".txt":
        return (len(read_lines(place.file)),)
    with open_arrays(place.file) as content:
        return tuple(_array(content, place).shape)
