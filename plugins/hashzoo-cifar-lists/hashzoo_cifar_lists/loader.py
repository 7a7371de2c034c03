"""DCH's lists name rows of the official batches: `train/<b>_<r>.jpg` is row r of data_batch_(b + 1)."""

from __future__ import annotations

import pickle
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo import Protocol, Splits, Table, UsageError, WorkError
from hashzoo.data import fingerprint_of, given_path, make_splits, one_hot, read_lines, yes_or_no

LISTS = Path(str(files("hashzoo_cifar_lists") / "lists"))
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-py"
BATCH = 10_000
_NAME = re.compile(r"train/([0-4])_(\d{1,4})\.jpg|test/999_(\d{1,4})\.jpg")


def load(protocol: Protocol, root: Path, *, path: str = "", download: bool = False) -> Splits:
    """Return the Splits of cifar10-dch: images (60000, 32, 32, 3) in the order of the batches, test batch last.

    Ids are the names in the lists.

    Options:
        path: the folder that holds `cifar-10-batches-py` (default: the data folder).
        download: fetch the official archive (170 MB) where the batches are missing.
    """
    folder = given_path(path, root) if path else root
    pixels, classes = read_batches(folder, download=yes_or_no("download", download))
    parts = [read_lines(LISTS / f"deephash-tl-cifar10-{name}.txt.xz") for name in ("train", "test", "database")]
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


def read_batches(folder: Path, *, download: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (60000, 32, 32, 3) and classes of data_batch_1..5 and test_batch; torchvision checks their md5.

    Raises WorkError where they are missing or are not the official ones.
    """
    if not download and not (folder / FOLDER).is_dir():
        raise WorkError(
            f"CIFAR-10 is expected at {folder / FOLDER}, which does not exist; unpack cifar-10-python.tar.gz in "
            f"{folder}, or give download=true."
        )
    try:
        parts = [_reader()(folder, train=train, download=download) for train in (True, False)]
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        problem = str(error).partition(" You can use")[0].rstrip(".") or type(error).__name__
        raise WorkError(
            f"CIFAR-10 in {folder} cannot be used ({problem}); unpack cifar-10-python.tar.gz there again."
        ) from error
    return np.concatenate([part.data for part in parts]), np.concatenate([np.asarray(part.targets) for part in parts])


def _reader() -> Any:
    from torchvision.datasets import CIFAR10

    return CIFAR10
