"""Large arrays kept on disk under the sha256 of all that decides them: decoded images, features of a backbone.

An entry is a folder `<root>/<kind>/<key>/`: `<name>.npy`, the array, and `meta.json`, which says what it was made from
and has the sha256 of its content. It is written block by block to `<name>.part`, each block made durable and noted with
its sha256 in `progress.json`, so that the next process goes on after the last whole block, and gets its name last. A
lock keeps two processes from the same work. The sha256 is compared at the first use in every process; an entry that
is not what was written is named in a warning and made anew.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from hashzoo.errors import HashzooError, WorkError

META, PROGRESS, LOCK = "meta.json", "progress.json", "lock"
_CHUNK = 2**22

_log = logging.getLogger(__name__)
_verified: set[tuple[str, int, int, int, str]] = set()
"""Files that this process has compared with their sha256: path, size, time of change, inode and sha256."""


@dataclass(frozen=True)
class Stored:
    """An array (n, ...), memory-mapped read-only, the sha256 of its type, shape and bytes, and its `meta.json`."""

    array: np.ndarray
    sha256: str
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class Content:
    """What is to be stored: shape and type, and its rows.

    `blocks(start, noted)` yields the rows from `start` on, in order, in blocks of any number of rows. `noted` is a
    dictionary that it may fill with what is worth keeping (JSON); it survives an interruption and stands in the meta.
    `about` goes into the meta too.
    """

    shape: tuple[int, ...]
    dtype: str
    blocks: Callable[[int, dict[str, Any]], Iterator[np.ndarray]]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all rows."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class StorageError(WorkError):
    """The disk is full or cannot be written; what is there stays."""


class Store:
    """The entries of one kind, for example the features below the cache folder; `what` names them in messages."""

    def __init__(self, root: Path, kind: str, name: str, what: str) -> None:
        self.root, self.name, self.what = root / kind, name, what

    def folder(self, key: str) -> Path:
        """Return the folder of an entry."""
        return self.root / key

    def find(self, key: str) -> Stored | None:
        """Return an entry, None where there is none; one that is damaged is named in a warning, and is None too."""
        with self._disk(self.folder(key)):
            return self._open(key)

    def get(self, key: str, make: Callable[[], Content]) -> Stored:
        """Return an entry, made now from `make()` where there is none.

        One process makes it and others that want the same wait for it. What an interrupted process finished is kept.
        Raises WorkError where the disk is full or the folder cannot be used.
        """
        found = self.find(key)
        if found is not None:
            return found
        folder = self.folder(key)
        with self._disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with self._locked(folder):
            found = self.find(key)
            if found is None:
                content = make()
                try:
                    with self._disk(folder, content.size):
                        found = self._finish(key, content, *self._write(folder, content))
                except HashzooError as error:
                    if not isinstance(error, StorageError):  # it would fail again: what was written is of no use
                        self._sweep(folder)
                    raise
            self._sweep(folder)
        return found

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        path = folder / LOCK
        with self._disk(folder):
            if path.is_symlink():
                raise WorkError(f"{path} is a symbolic link and no lock file of ours; remove it.")
            lock = FileLock(path, fallback_to_soft=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                _log.warning("Another process is making the %s in %s; waiting for it.", self.what, folder)
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _sweep(self, folder: Path) -> None:
        """Remove what an interrupted process left beside a finished entry; the caller holds the lock."""
        for left in (self._part(folder), folder / PROGRESS, *folder.glob("*.tmp")):
            with suppress(OSError):
                left.unlink(missing_ok=True)

    def _part(self, folder: Path) -> Path:
        return folder / f"{self.name}.part"

    def _array(self, folder: Path) -> Path:
        return folder / f"{self.name}.npy"

    # Reading

    def _open(self, key: str) -> Stored | None:
        folder = self.folder(key)
        path = self._array(folder)
        if not path.is_file() or not (folder / META).is_file():
            return None
        try:
            meta = json.loads((folder / META).read_text(encoding="utf-8"))
            shape, dtype = tuple(int(n) for n in meta["shape"]), np.dtype(str(meta["dtype"]))
            expected, problem = str(meta["sha256"]), ""
            header = _header(shape, dtype)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            _log.warning("%s is damaged (%s); the %s beside it are made anew.", folder / META, error, self.what)
            return None
        wanted, found = len(header) + math.prod(shape) * dtype.itemsize, path.stat().st_size
        if found != wanted:
            problem = f"it has {found} bytes and should have {wanted} for {shape} {dtype}"
        else:
            problem = _difference(path, header, _digest(shape, dtype), expected)
        if problem:
            _log.warning("The file %s of %s is damaged: %s; it is made anew.", path, self.what, problem)
            return None
        array = np.memmap(path, dtype, "r", len(header), shape) if math.prod(shape) else np.zeros(shape, dtype)
        return Stored(array, expected, meta)

    # Writing

    def _write(self, folder: Path, content: Content) -> tuple[str, dict[str, Any]]:
        """Write all rows to the part file, going on after the blocks that an earlier process finished.

        Returns the sha256 of the content and what `blocks` noted.
        """
        shape, dtype = content.shape, np.dtype(content.dtype)
        header, row = _header(shape, dtype), content.size // max(shape[0], 1)
        state, digest = self._begun(folder, content)
        done = sum(rows for rows, _ in state["blocks"])
        self._require_room(folder, content.size - done * row, content.size)
        with self._part(folder).open("r+b" if done else "wb") as file:
            if not done:
                file.write(header)
            file.truncate(len(header) + done * row)
            file.seek(0, os.SEEK_END)
            for block in content.blocks(done, state["noted"]):
                if not len(block):
                    continue
                rows = np.ascontiguousarray(block, dtype)
                if rows.shape[1:] != shape[1:] or done + len(rows) > shape[0]:
                    raise WorkError(f"A block of {self.what} has shape {rows.shape} and does not fit into {shape}.")
                file.write(rows.data)
                file.flush()
                os.fsync(file.fileno())
                digest.update(rows.data)
                done += len(rows)
                state["blocks"].append([len(rows), hashlib.sha256(rows.data).hexdigest()])
                _replace(folder / PROGRESS, state)
        if done != shape[0]:
            raise WorkError(f"There are {done:,} of {shape[0]:,} rows of {self.what}; repeat the command.")
        return digest.hexdigest(), state["noted"]

    def _begun(self, folder: Path, content: Content) -> tuple[dict[str, Any], Any]:
        """Return the state of the part file and the digest of its rows; what is not whole is begun anew."""
        fresh = {"shape": list(content.shape), "dtype": content.dtype, "blocks": [], "noted": {}}
        shape, dtype, part = content.shape, np.dtype(content.dtype), self._part(folder)
        header, digest = _header(shape, dtype), _digest(shape, dtype)
        row = content.size // max(shape[0], 1)
        try:
            state = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
            if not isinstance(state["noted"], dict) or any(state[name] != fresh[name] for name in ("shape", "dtype")):
                raise ValueError("it is of another array")
            with part.open("rb") as file:
                if file.read(len(header)) != header:
                    raise ValueError("its header is not what was written")
                for number, (rows, sha256) in enumerate(state["blocks"]):
                    if rows <= 0 or _hashed(file, rows * row, digest) != sha256:
                        raise ValueError(f"block {number} is not what was written")
        except FileNotFoundError:
            return fresh, _digest(shape, dtype)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            _log.warning("The unfinished file %s of %s is damaged (%s); it is begun anew.", part, self.what, error)
            return fresh, _digest(shape, dtype)
        return {name: state[name] for name in fresh}, digest

    def _finish(self, key: str, content: Content, sha256: str, noted: Mapping[str, Any]) -> Stored:
        """Describe the finished part file and give it its name, which appears last."""
        folder, dtype = self.folder(key), np.dtype(content.dtype)
        about = {"shape": list(content.shape), "dtype": str(dtype), "sha256": sha256, "noted": dict(noted)}
        _replace(folder / META, {**content.about, **about})
        path = self._array(folder)
        self._part(folder).replace(path)
        _verified.add(_identity(path, path.stat(), sha256))  # this process has just written and hashed it
        stored = self._open(key)
        if stored is None:
            raise WorkError(f"The {self.what} just written to {folder} cannot be read back; check that disk.")
        return stored

    def _require_room(self, folder: Path, missing: int, total: int) -> None:
        free = shutil.disk_usage(folder).free
        if free < missing:
            raise StorageError(
                f"The {self.what} in {self.root} need {total:,} bytes ({missing:,} still to write) and the disk has "
                f"{free:,} free; make room, or set HASHZOO_CACHE to a folder on another disk."
            )

    @contextmanager
    def _disk(self, folder: Path, total: int = 0) -> Iterator[None]:
        """Turn what the disk says into one sentence that names the folder."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                wanted = f"the {self.what} in {self.root} need {total:,} bytes" if total else f"{folder} was not made"
                raise StorageError(
                    f"The disk is full: {wanted}; make room or set HASHZOO_CACHE to a folder on another disk, and the "
                    "same command goes on after what is already written."
                ) from error
            raise StorageError(
                f"The cache of {self.what} in {self.root} cannot be used ({error.strerror or error}); make it "
                "writable, or set HASHZOO_CACHE to another folder."
            ) from error


def key_of(fields: Mapping[str, Any]) -> str:
    """Return the sha256 of JSON fields in canonical form (sorted keys, no spaces), which names an entry.

    Not `files.json_sha256`, whose form is that of records: entries that are there keep their names.
    """
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _digest(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    return hashlib.sha256(f"{dtype} {shape}\n".encode())


def _difference(path: Path, header: bytes, digest: Any, expected: str) -> str:
    """Return how a file differs from what was written, "" where it does not; a file is read once per process."""
    with path.open("rb") as file:
        identity = _identity(path, os.fstat(file.fileno()), expected)
        if file.read(len(header)) != header:
            return "its header is not what was written"
        if identity in _verified:
            return ""
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        return f"its sha256 is {digest.hexdigest()[:16]}... and should be {expected[:16]}..."
    _verified.add(identity)
    return ""


def _identity(path: Path, status: os.stat_result, sha256: str) -> tuple[str, int, int, int, str]:
    return str(path), status.st_size, status.st_mtime_ns, status.st_ino, sha256


def _hashed(file: BinaryIO, size: int, whole: Any) -> str:
    """Return the sha256 of the next `size` bytes, "" where there are fewer; `whole` takes them too."""
    digest = hashlib.sha256()
    while size and (chunk := file.read(min(size, _CHUNK))):
        digest.update(chunk)
        whole.update(chunk)
        size -= len(chunk)
    return "" if size else digest.hexdigest()


def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


def _replace(path: Path, value: Mapping[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
