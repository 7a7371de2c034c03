"""Decode image files into the image cache, and say which of them are corrupt or missing, all at once."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from hashzoo.data.image_cache import ImageCache, PixelStream, StoredImages
from hashzoo.errors import WorkError

_LISTED = 20  # how many bad files one message names
_BATCH_BYTES = 32 * 2**20  # decoded pixels held in memory at once
_MAX_THREADS = 8


@dataclass(frozen=True)
class ImageFiles:
    """Names of image files, in order, and how one of them is read to bytes."""

    names: Sequence[str]
    read: Callable[[str], bytes]


@dataclass
class Faults:
    """Files that cannot be used, with the reason."""

    found: list[tuple[str, str]]

    def raise_if_any(self, total: int, where: Path) -> None:
        """Raise WorkError naming the files, at most 20 of them."""
        if not self.found:
            return
        listed = "; ".join(f"{name} ({reason})" for name, reason in sorted(self.found)[:_LISTED])
        more = f"; and {len(self.found) - _LISTED:,} more" if len(self.found) > _LISTED else ""
        raise WorkError(
            f"{len(self.found):,} of {total:,} image files in {where} cannot be read: {listed}{more}. "
            "Replace or remove them and run again."
        )


@contextmanager
def folder_files(folder: Path, names: Sequence[str]) -> Iterator[ImageFiles]:
    """Give the files of a folder; names are relative to it."""
    yield ImageFiles(names, lambda name: (folder / name).read_bytes())


def stored_images(
    source: Mapping[str, Any],
    where: Path,
    open_files: Callable[[], AbstractContextManager[ImageFiles]],
    size: int,
    progress: Callable[[int, int], None] | None = None,
) -> StoredImages:
    """Return the decoded images of a source, from the cache or decoded now.

    `source` identifies the content (names and sizes, or a checksum) and becomes the cache key together with
    `size`. Images that all have one size are kept as they are; others are squashed to size x size pixels
    (bilinear, aspect not kept, as DHN, HashNet and DCH resize to 256 x 256). Grey, palette and transparent images
    become RGB; an EXIF rotation is not applied.

    Raises WorkError that names every corrupt or missing file.
    """
    key = {**source, "size": size}
    cache = ImageCache()
    stored = cache.find(key)
    if stored is not None:
        return stored
    with cache.filling(key) as stored:
        if stored is not None:
            return stored
        faults = Faults([])
        threads = min(_MAX_THREADS, os.cpu_count() or 1)
        with open_files() as files, ThreadPoolExecutor(threads) as pool:
            shape = _common_shape(pool, files, faults)
            height, width = shape or (size, size)
            stream = PixelStream(
                (len(files.names), height, width, 3),
                _batches(pool, files, (height, width), faults, where, progress),
            )
            return cache.store(key, stream)


def _common_shape(pool: ThreadPoolExecutor, files: ImageFiles, faults: Faults) -> tuple[int, int] | None:
    """Return (height, width) if all readable images share it, else None. Unreadable ones are found again later."""
    shapes = {shape for shape in pool.map(lambda name: _header(files, name), files.names) if shape}
    return shapes.pop() if len(shapes) == 1 else None


def _header(files: ImageFiles, name: str) -> tuple[int, int] | None:
    try:
        with Image.open(io.BytesIO(files.read(name))) as image:
            return image.height, image.width
    except Exception:  # noqa: BLE001 -- a broken file can fail in any way; decoding reports it with its reason
        return None


def _batches(
    pool: ThreadPoolExecutor,
    files: ImageFiles,
    shape: tuple[int, int],
    faults: Faults,
    where: Path,
    progress: Callable[[int, int], None] | None,
) -> Iterator[np.ndarray]:
    total = len(files.names)
    step = max(1, _BATCH_BYTES // (shape[0] * shape[1] * 3))
    for start in range(0, total, step):
        names = files.names[start : start + step]
        decoded = list(pool.map(lambda name: _decode(files, name, shape), names))
        good = [item for item in decoded if isinstance(item, np.ndarray)]
        faults.found.extend((name, item) for name, item in zip(names, decoded, strict=True) if isinstance(item, str))
        if progress is not None:
            progress(start + len(names), total)
        if not faults.found:
            yield np.stack(good)
    faults.raise_if_any(total, where)


def _decode(files: ImageFiles, name: str, shape: tuple[int, int]) -> np.ndarray | str:
    """Return the pixels (H, W, 3) of one file, or the reason why there are none."""
    height, width = shape
    try:
        with Image.open(io.BytesIO(files.read(name))) as image:
            pixels = image.convert("RGB")
            if pixels.size != (width, height):
                pixels = pixels.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(pixels)
    except FileNotFoundError:
        return "missing"
    except UnidentifiedImageError:
        return "not an image"
    except Exception as error:  # noqa: BLE001 -- a broken file can fail in any way; all are reported by name
        return str(error) or type(error).__name__
