"""DCH's lists name rows of the official batches: `train/<b>_<r>.jpg` is row r of data_batch_(b + 1)."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo import Protocol, Splits, Table, UsageError, WorkError
from hashzoo.data import fingerprint_of, given_path, make_splits, one_hot, read_lines

LISTS = Path(str(files("hashzoo_cifar_lists") / "lists"))
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-py"
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
"""Of the files in cifar-10-python.tar.gz, as torchvision knows them."""
BATCH = 10_000
_NAME = re.compile(r"train/([0-4])_(\d{1,4})\.jpg|test/999_(\d{1,4})\.jpg")


def load(protocol: Protocol, root: Path, *, path: str = "") -> Splits:
    """Return the Splits of cifar10-dch: images (60000, 32, 32, 3) in the order of the batches, test batch last.

    Ids are the names in the lists.

    Options:
        path: the folder that holds `cifar-10-batches-py` (default: the data folder).
    """
    folder = given_path(path, root, default="")
    pixels, classes = read_batches(folder)
    parts = [listed(part) for part in ("train", "test", "database")]
    rows = [np.asarray([row_of(name, len(pixels)) for name in part]) for part in parts]
    ids = np.asarray([f"row {row:05d}" for row in range(len(pixels))], dtype=object)
    for part, found in zip(parts, rows, strict=True):
        ids[found] = part
    inputs = {"image": pixels}
    table = Table(inputs, one_hot(classes, len(NAMES)), ids.astype(str), fingerprint_of(inputs), NAMES)
    train, query, database = rows
    return make_splits(table, train, query, database)


def row_of(name: str, total: int = 6 * BATCH) -> int:
    """Return the row that a name of the lists stands for, among all batches in order.

    >>> row_of("train/1_0003.jpg"), row_of("test/999_17.jpg")
    (10003, 50017)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise UsageError(f"{name!r} names no row of CIFAR-10; names are train/<0..4>_<row>.jpg and test/999_<row>.jpg.")
    batch, row = (int(found[1]), int(found[2])) if found[1] else (5, int(found[3]))
    size = total // 6
    if row >= size:
        raise UsageError(f"{name!r} names row {row} of a batch of {size:,} rows.")
    return batch * size + row


def listed(part: str) -> list[str]:
    """Return the names of a list: "train", "test" or "database"."""
    return read_lines(LISTS / f"deephash-tl-cifar10-{part}.txt.xz")


def read_batches(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (60000, 32, 32, 3) and classes of data_batch_1..5 and test_batch, which are checked by their md5.

    Raises WorkError where they are missing or are not the official ones.
    """
    pixels, classes = [], []
    for name, md5 in MD5.items():
        file = folder / FOLDER / name
        if not file.is_file():
            raise WorkError(f"{file} of CIFAR-10 does not exist; unpack cifar-10-python.tar.gz in {folder}.")
        content = file.read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise WorkError(f"{file} is not the official batch (by its md5); unpack cifar-10-python.tar.gz again.")
        try:
            batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
            pixels.append(np.asarray(batch[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            classes.append(np.asarray(batch[b"labels"], dtype=np.int64))
        except Exception as error:
            raise WorkError(f"{file} cannot be read ({error}); unpack cifar-10-python.tar.gz again.") from error
    return np.concatenate(pixels), np.concatenate(classes)


class _ArraysOnly(pickle.Unpickler):
    """Reads dictionaries, lists, bytes and numpy arrays, and refuses whatever else a pickle could make."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what rebuilds a numpy array; UnpicklingError for all else."""
        if (module, name) in _REBUILD:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no batch of CIFAR-10 does")


_REBUILD = {
    (module, name)
    for package in ("numpy.core", "numpy._core")
    for module, name in ((f"{package}.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"))
} | {("_codecs", "encode")}
