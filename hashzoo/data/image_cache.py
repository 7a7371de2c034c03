"""Images into the cache: decoded once, block by block, and memory-mapped from then on."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.data.images import Faults, ImageFiles, cores, decoded, in_order, require_fit, upright_shape
from hashzoo.data.roots import cache_root
from hashzoo.errors import WorkError
from hashzoo.store import Content, Store, key_of

_LAYOUT = 2  # part of every key: raise it when the same source would give other pixels
_LASTING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO)
"""Errors which say that there is no such file, not that it could not be read this time."""
_BATCH_BYTES = 32 * 2**20  # decoded pixels held in memory at once


@dataclass(frozen=True)
class StoredImages:
    """Pixels (n, H, W, 3) uint8, memory-mapped read-only, and the sha256 of their type, shape and bytes.

    `skipped` are (row, name, reason) of files that could not be read, where these were to be skipped.
    """

    pixels: np.ndarray
    fingerprint: str
    skipped: tuple[tuple[int, str, str], ...] = ()

    def kept(self, rows: np.ndarray) -> np.ndarray:
        """Return those of `rows` whose images were not skipped, in their order."""
        return rows[~np.isin(rows, [row for row, _, _ in self.skipped])]

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentence that counts and names what was skipped; no sentence where nothing was."""
        if not self.skipped:
            return ()
        listed = "; ".join(f"{name} ({reason})" for _, name, reason in self.skipped[:20])
        more = f"; and {len(self.skipped) - 20:,} more" if len(self.skipped) > 20 else ""
        count = f"{len(self.skipped):,} image files"
        return (f"{count} were left out because they cannot be read: {listed}{more}.",)


def stored_images(
    source: Mapping[str, Any],
    where: Path,
    open_files: Callable[[], AbstractContextManager[ImageFiles]],
    size: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    fit: str = "squash",
    skip_damaged: bool = False,
) -> StoredImages:
    """Return the decoded images of a source, memory-mapped, from the cache or decoded now.

    `source` identifies the content (names and sizes, or a checksum) and becomes the cache key together with `size`
    and `fit`. Images that all have one size of at most size x size are kept as they are; others are brought to
    size x size, see `to_rgb`. What was decoded before an interruption is not decoded again.

    `skip_damaged`: files that are missing or no image are black in the pixels, and named with their rows in
    `.skipped`. Otherwise WorkError names every such file. A file that could not be read this time (a faulty disk, no
    permission) is a WorkError in either case, so that nothing that passes is stored.
    """
    require_fit(fit)
    key = {**source, "size": size, "fit": fit, "skip_damaged": skip_damaged}
    plain = {"fit": "squash", "skip_damaged": False}
    key = {name: value for name, value in key.items() if name not in plain or value != plain[name]}

    faults = Faults()

    with ExitStack() as opened:

        def make() -> Content:
            failed = Faults()
            files = _watched(opened.enter_context(open_files()), failed)
            shape = _shape(files, size)
            _require_read(failed, len(files.names), where)

            def blocks(start: int, noted: dict[str, Any]) -> Iterator[np.ndarray]:
                for block, bad in _blocks(files, shape, fit, start, progress):
                    if skip_damaged:
                        _require_read(failed, len(files.names), where)
                    faults.found.extend((name, reason) for _, name, reason in bad)
                    if bad and skip_damaged:
                        noted["skipped"] = [*noted.get("skipped", []), *bad]
                    if skip_damaged and len(noted.get("skipped", [])) > len(files.names) // 2:
                        raise WorkError(
                            f"{faults.sentence(len(files.names), where)}. That is more than half, too many to be left "
                            "out; look whether this is the right folder."
                        )
                    if skip_damaged or not faults.found:  # else the rest is only looked at, to name all that is wrong
                        yield block
                if not skip_damaged:
                    faults.raise_if_any(len(files.names), where)

            return Content((len(files.names), *shape, 3), "uint8", blocks, {"source": key})

        return images_from_store(key, make)


def _watched(files: ImageFiles, failed: Faults) -> ImageFiles:
    """Return the same files; `failed` gets those that could not be read this time."""

    def read(name: str) -> bytes:
        try:
            return files.read(name)
        except OSError as error:
            if error.errno is not None and error.errno not in _LASTING:
                failed.found.append((name, error.strerror or str(error)))
            raise

    return ImageFiles(files.names, read)


def _require_read(failed: Faults, total: int, where: Path) -> None:
    if failed.found:
        raise WorkError(
            f"{failed.sentence(total, where)}. This says nothing about what is in them; see to the disk or the "
            "permissions, and repeat the command."
        )


def images_from_store(source: Mapping[str, Any], make: Callable[[], Content]) -> StoredImages:
    """Return the images that the cache holds for `source`, JSON of all that decides them, or make them now."""
    entry = Store(cache_root(), "images", "images", "decoded images").get(key_of({"layout": _LAYOUT, **source}), make)
    skipped = tuple((int(row), str(name), str(reason)) for row, name, reason in entry.meta["noted"].get("skipped", []))
    return StoredImages(entry.array, entry.sha256, skipped)


def _shape(files: ImageFiles, size: int) -> tuple[int, int]:
    """Return (height, width) if all readable images share it and it is at most size x size, else (size, size)."""
    common: tuple[int, int] | None = None
    with ThreadPoolExecutor(cores()) as pool:
        for shape in in_order(pool, files, upright_shape):
            if isinstance(shape, str):
                continue  # decoding finds it again and reports it
            common = common or shape
            if shape != common or max(shape) > size:
                return size, size
    return common or (size, size)


def _blocks(
    files: ImageFiles,
    shape: tuple[int, int],
    fit: str,
    start: int,
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[np.ndarray, list[list[Any]]]]:
    """Yield blocks of decoded images, each with row, name and reason of what cannot be decoded and is black."""
    total, rows = len(files.names), max(1, _BATCH_BYTES // (shape[0] * shape[1] * 3))
    with ThreadPoolExecutor(cores()) as pool:
        pixels = in_order(pool, files, lambda data: decoded(data, shape, fit), start)
        for begin in range(start, total, rows):
            block = np.zeros((min(rows, total - begin), *shape, 3), dtype=np.uint8)
            bad: list[list[Any]] = []
            for place in range(len(block)):
                item = next(pixels)
                if isinstance(item, str):
                    bad.append([begin + place, files.names[begin + place], item])
                else:
                    block[place] = item
            if progress is not None:
                progress(begin + len(block), total)
            yield block, bad
