"""Images decoded once into a memory-mapped uint8 array, kept in the cache folder under the hash of their source.

An entry is two files: `<key>.npy`, the pixels (n, H, W, 3) uint8, and `<key>.json`, written last, with the sha256
of the pixels. Both are written under a temporary name and renamed, and a lock keeps two processes from doing the
same work; what a killed process left behind is removed by the next one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from hashzoo.data.roots import cache_root
from hashzoo.errors import WorkError

_LAYOUT = 1  # part of every key: raise it when the same source would give other pixels


@dataclass(frozen=True)
class StoredImages:
    """Pixels (n, H, W, 3) uint8, memory-mapped read-only, and the sha256 of their shape and bytes."""

    pixels: np.ndarray
    fingerprint: str


@dataclass(frozen=True)
class PixelStream:
    """What is to be stored: the shape (n, H, W, 3) and batches of images in order, produced when iterated."""

    shape: tuple[int, int, int, int]
    batches: Iterator[np.ndarray]


class ImageCache:
    """The cache folder's images."""

    def __init__(self, root: Path | None = None) -> None:
        self.folder = (root or cache_root()) / "images"

    def find(self, source: Mapping[str, Any]) -> StoredImages | None:
        """Return the images stored for `source`, or None where there are none or the entry is damaged."""
        pixels_path, meta_path = self._paths(source)
        try:
            meta = json.loads(meta_path.read_text(encoding="utf-8"))
            pixels = np.load(pixels_path, mmap_mode="r", allow_pickle=False)
            if list(pixels.shape) != meta["shape"] or pixels.dtype != np.uint8:
                return None
            return StoredImages(pixels, str(meta["sha256"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None  # absent, cut short or edited: it is made again from the source

    @contextmanager
    def filling(self, source: Mapping[str, Any]) -> Iterator[StoredImages | None]:
        """Hold the lock of `source` and give what is stored by now, or None if the caller is to `store` it."""
        with _room_for(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / f"{_key(source)}.lock")
            lock.acquire()
        try:
            yield self.find(source)
        finally:
            lock.release()

    def store(self, source: Mapping[str, Any], stream: PixelStream) -> StoredImages:
        """Write the images of `stream` for `source` and return them, memory-mapped. The caller holds the lock.

        Raises WorkError where the folder cannot be written or has no room.
        """
        needed = math.prod(stream.shape)
        pixels_path, meta_path = self._paths(source)
        partial = [path.with_name(path.name + ".partial") for path in (pixels_path, meta_path)]
        digest = hashlib.sha256(f"uint8 {stream.shape}\n".encode())
        try:
            with _room_for(self.folder, needed):
                _require_room(self.folder, needed)
                with partial[0].open("wb") as out:
                    header = {"descr": "|u1", "fortran_order": False, "shape": stream.shape}
                    np.lib.format.write_array_header_1_0(out, header)
                    for batch in stream.batches:
                        block = np.ascontiguousarray(batch, dtype=np.uint8)
                        digest.update(block.data)
                        out.write(block.data)
                meta = {"shape": stream.shape, "sha256": digest.hexdigest(), "source": dict(source)}
                partial[1].write_text(json.dumps(meta, indent=1, sort_keys=True), encoding="utf-8")
                meta_path.unlink(missing_ok=True)
                partial[0].replace(pixels_path)
                partial[1].replace(meta_path)
        finally:
            for path in partial:
                path.unlink(missing_ok=True)
        stored = self.find(source)
        if stored is None:
            raise WorkError(f"The images just written to {pixels_path} cannot be read back; check that disk.")
        return stored

    def _paths(self, source: Mapping[str, Any]) -> tuple[Path, Path]:
        key = _key(source)
        return self.folder / f"{key}.npy", self.folder / f"{key}.json"


def _key(source: Mapping[str, Any]) -> str:
    text = json.dumps({"layout": _LAYOUT, **source}, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WorkError(
            f"The cache folder {folder} has {free:,} bytes free, and {needed:,} are needed for the decoded images; "
            "make room or set HASHZOO_CACHE to a folder on another disk."
        )


@contextmanager
def _room_for(folder: Path, needed: int = 0) -> Iterator[None]:
    """Turn what the disk says into one sentence that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            wanted = f"{needed:,} bytes are needed" if needed else "the lock file could not be written"
            raise WorkError(
                f"The cache folder {folder} is full ({wanted}); make room or set HASHZOO_CACHE to a folder on "
                "another disk."
            ) from error
        raise WorkError(
            f"The cache folder {folder} cannot be written ({error.strerror or error}); make it writable or set "
            "HASHZOO_CACHE to another folder."
        ) from error
