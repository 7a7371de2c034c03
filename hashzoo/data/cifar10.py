"""CIFAR-10 from the official Python batches, read and downloaded by torchvision, which checks their md5."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.data.cifar10_lists import CLASS_NAMES, PerClass, cifar10_splits
from hashzoo.data.image_cache import StoredImages, images_from_store
from hashzoo.data.options import yes_or_no
from hashzoo.data.roots import given_path
from hashzoo.errors import WorkError
from hashzoo.specs import Protocol, Splits
from hashzoo.store import Content
from hashzoo.torchvision_compat import import_torchvision

FOLDER = "cifar-10-batches-py"
OFFICIAL = PerClass()


def load(
    protocol: Protocol,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    path: str = "",
    download: bool = False,
) -> Splits:
    """Return the Splits of a CIFAR-10 protocol; images (60000, 32, 32, 3), class by class.

    `path` is the folder that holds `cifar-10-batches-py` (default: the data root); `download` fetches the official
    archive (170 MB) into it where the batches are missing.

    Raises WorkError where the batches are missing, or are not the official ones by their md5.
    """
    source = Source(given_path(path, root, default=""), yes_or_no("download", download), protocol.id)
    stored = stored_batches(_reader(), source, OFFICIAL, progress)
    return cifar10_splits(protocol, stored.pixels, stored.fingerprint, OFFICIAL)


@dataclass(frozen=True)
class Source:
    """Where the batches lie, whether they may be downloaded, and the protocol that wants them (for messages)."""

    folder: Path
    download: bool
    protocol: str

    @property
    def remedy(self) -> str:
        """What to do about missing or damaged batches."""
        if self.download:
            return f"check the network, or unpack cifar-10-python.tar.gz in {self.folder}"
        return (
            f"fetch it with `hashzoo data prepare {self.protocol}`, or unpack cifar-10-python.tar.gz in {self.folder}"
        )


def _reader() -> Any:
    import_torchvision()
    from torchvision.datasets import CIFAR10

    return CIFAR10


def stored_batches(
    reader: Any, source: Source, per_class: PerClass, progress: Callable[[int, int], None] | None = None
) -> StoredImages:
    """Return all images, class by class, from the cache or read now by `reader`, torchvision's CIFAR10."""
    if not source.download and not (source.folder / FOLDER).is_dir():
        raise WorkError(f"CIFAR-10 is expected at {source.folder / FOLDER}, which does not exist; {source.remedy}.")
    content = {"dataset": "cifar10", "md5": dict([*reader.train_list, *reader.test_list])}

    def make() -> Content:
        pixels = _pooled(reader, source, per_class)
        return Content(pixels.shape, "uint8", lambda start, noted: _one(pixels[start:], progress), {"source": content})

    return images_from_store(content, make)


def _pooled(reader: Any, source: Source, per_class: PerClass) -> np.ndarray:
    """Return all images, class by class; inside a class the training images and then the test images."""
    parts = [_read(reader, source, train=train) for train in (True, False)]
    for part, expected in zip(parts, (per_class.train, per_class.test), strict=True):
        counts = np.bincount(part.targets, minlength=len(CLASS_NAMES)).tolist()
        if counts != [expected] * len(CLASS_NAMES):
            raise WorkError(
                f"CIFAR-10 in {source.folder} has {counts} images per class, expected {expected:,} of each; "
                f"{source.remedy}."
            )
    pixels = np.concatenate([part.data for part in parts])
    classes = np.concatenate([np.asarray(part.targets) for part in parts])
    return np.ascontiguousarray(pixels[np.argsort(classes, kind="stable")])


def _read(reader: Any, source: Source, *, train: bool) -> Any:
    try:
        return reader(source.folder, train=train, download=source.download)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        problem = str(error).partition(" You can use")[0].rstrip(".") or type(error).__name__
        raise WorkError(f"CIFAR-10 in {source.folder} cannot be used ({problem}); {source.remedy}.") from error


def _one(pixels: np.ndarray, progress: Callable[[int, int], None] | None) -> Iterator[np.ndarray]:
    yield pixels
    if progress is not None:
        progress(len(pixels), len(pixels))
