"""Image files to uint8 pixels: the endings taken for images, the one decoder, and files on their way to the cache.

Only the formats below are ever handed to Pillow, so that no file starts a program (PostScript does). A file is read
only if it is a plain file, and decoded only if it is not larger than what a photograph can be.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import stat
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from hashzoo.data.options import whole_number, yes_or_no
from hashzoo.data.roots import below
from hashzoo.errors import WorkError, unknown_name

ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Endings of files that are taken for images, in lower case."""
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What Pillow may recognise, by content and whatever the ending."""
FITS = ("crop", "squash")
MAX_PIXELS = 89_478_485
"""Largest image decoded, a quarter of a gigabyte as Pillow counts: what is larger is taken for a decompression bomb."""
MAX_BYTES = 2**29
"""Largest image file read."""

MISSING = "missing"
_LISTED = 20  # how many bad files one message names
for _name in ("Bmp", "Gif", "Jpeg", "Mpo", "Png", "Ppm", "Tiff", "WebP"):  # else threads race to load all formats
    importlib.import_module(f"PIL.{_name}ImagePlugin")
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def is_image(name: str) -> bool:
    """Return whether a file name has an image's ending.

    >>> is_image("scan.TIF"), is_image(".hidden.png"), is_image("notes.txt")
    (True, False, False)
    """
    base = name.rsplit("/", 1)[-1]
    return not base.startswith(".") and PurePosixPath(base).suffix.lower() in ENDINGS


@dataclass(frozen=True)
class ImageFiles:
    """Names of image files, in order, and how one of them is read to bytes (from several threads at once)."""

    names: Sequence[str]
    read: Callable[[str], bytes]


@dataclass(frozen=True)
class ImageOptions:
    """How image files become pixels: the common options of datasets of image files.

    `size` and `fit`: see `stored_images`. `skip_damaged`: leave out what cannot be read. `lists_only`: open no image.
    """

    size: int = 256
    fit: str = "crop"
    skip_damaged: bool = False
    lists_only: bool = False

    @classmethod
    def checked(
        cls, stored_size: Any = 256, fit: Any = "crop", skip_damaged: Any = False, lists_only: Any = False
    ) -> ImageOptions:
        """Return the options after making sure that a user's values are what they have to be."""
        require_fit(fit)
        return cls(
            whole_number("stored_size", stored_size, at_least=1),
            fit,
            yes_or_no("skip_damaged", skip_damaged),
            yes_or_no("lists_only", lists_only),
        )


@dataclass
class Faults:
    """Files that cannot be used, with the reason."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def sentence(self, total: int, where: Path | None = None) -> str:
        """Return the files with their reasons, at most 20 of them, and how many are not there at all."""
        listed = "; ".join(f"{name} ({reason})" for name, reason in sorted(self.found)[:_LISTED])
        more = f"; and {len(self.found) - _LISTED:,} more" if len(self.found) > _LISTED else ""
        missing = sum(reason == MISSING for _, reason in self.found)
        more += f" ({missing:,} are missing)" if missing and more else ""
        place = f" in {where}" if where is not None else ""
        return f"{len(self.found):,} of {total:,} image files{place} cannot be read: {listed}{more}"

    def raise_if_any(self, total: int, where: Path | None = None) -> None:
        """Raise WorkError naming the files."""
        if self.found:
            raise WorkError(
                f"{self.sentence(total, where)}. Replace or remove them and run again; where the dataset has the "
                "option skip_damaged, skip_damaged=true leaves them out."
            )


# Reading
# ----------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> bytes:
    """Return the bytes of a plain file; a pipe or device is refused without waiting for it.

    Raises OSError, with a sentence where the file is none of ours.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a plain file but a folder, pipe or device")
        if status.st_size > MAX_BYTES:
            raise OSError(f"{status.st_size:,} bytes long, more than an image can be")
        return file.read()


def open_zip(archive: Path) -> zipfile.ZipFile:
    """Open a zip archive; WorkError for what is none."""
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WorkError(f"{archive} is not a zip archive that can be read ({error}); fetch it again.") from error


@contextmanager
def folder_files(folder: Path, names: Sequence[str]) -> Iterator[ImageFiles]:
    """Give the files of a folder; names are relative to it."""
    yield ImageFiles(names, lambda name: read_file(folder / name))


def file_states(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return what stands for the content of files in a cache key: their number, and a sha256 of what names a version.

    That is where the folder is, and of each file its name, size and times: that of its content, which copies and
    archives keep or set alike for all files, and that of the file itself, which they do not.
    """
    digest = hashlib.sha256(f"{folder.resolve()}\n".encode("utf-8", "surrogateescape"))
    for name in names:
        try:
            status = (folder / name).stat()
            state = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        except OSError:
            state = MISSING  # decoding reports it by name
        digest.update(f"{name}\n{state}\n".encode("utf-8", "surrogateescape"))
    return {"files": len(names), "files_sha256": digest.hexdigest()}


def member_states(archive: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the same for members of a zip archive: a sha256 of names, sizes and checksums."""
    digest = hashlib.sha256()
    with open_zip(archive) as opened:
        known = {info.filename: f"{info.file_size} {info.CRC}" for info in opened.infolist()}
    for name in names:
        digest.update(f"{name}\n{known.get(name, MISSING)}\n".encode("utf-8", "surrogateescape"))
    return {"files": len(names), "files_sha256": digest.hexdigest()}


@contextmanager
def zip_files(archive: Path, names: Sequence[str] | None = None) -> Iterator[ImageFiles]:
    """Give members of a zip archive, all images in it by name where no names are given.

    Raises UsageError for an archive with a member that leads out of it ("..", absolute), WorkError for a damaged one.
    """
    with open_zip(archive) as opened:
        for info in opened.infolist():
            below(info.filename, f"{archive}, member {info.filename!r}")

        def read(name: str) -> bytes:
            try:
                info = opened.getinfo(name)
            except KeyError:
                raise FileNotFoundError(name) from None
            if info.file_size > MAX_BYTES:
                raise OSError(f"{info.file_size:,} bytes long, more than an image can be")
            return opened.read(info)

        chosen = sorted(name for name in opened.namelist() if is_image(name)) if names is None else names
        yield ImageFiles(chosen, read)


# Decoding
# ----------------------------------------------------------------------------------------------------------


def open_image(data: bytes) -> Image.Image:
    """Open an image of one of FORMATS from the bytes of its file; `to_rgb` decodes it and turns it upright.

    Raises OSError or a Pillow error for what is none or too large.
    """
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise OSError(f"{image.width} x {image.height} pixels, more than an image can have")
    return image


def to_rgb(image: Image.Image, size: tuple[int, int] | None = None, fit: str = "squash") -> np.ndarray:
    """Return pixels (H, W, 3) uint8 of an opened image, turned upright as its EXIF orientation says.

    Grey and palette images become RGB, transparent ones are laid on white, 16 bits become 8. `size` (height, width):
    "squash" resizes to it without keeping the aspect, "crop" resizes so that the image just covers it and cuts out
    the middle; bilinear with antialiasing. A JPEG much larger than `size` is decoded at a half, a quarter or an
    eighth, at least twice the size wanted.
    """
    turn = _turn(image)
    if size is not None and image.format in ("JPEG", "MPO"):
        height, width = size if turn not in _LYING else size[::-1]
        cover = max(width / image.width, height / image.height) if fit == "crop" else 0.0
        wanted = (cover * image.width, cover * image.height) if fit == "crop" else (width, height)
        image.draft(None, (int(2 * wanted[0]) or 1, int(2 * wanted[1]) or 1))
    pixels = _opaque(image)
    if turn is not None:
        pixels = pixels.transpose(turn)
    if size is not None and pixels.size != (size[1], size[0]):
        pixels = _fitted(pixels, size[1], size[0], fit)
    return np.asarray(pixels)


_LYING = (Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90)


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 -- damaged EXIF fails in many ways and says nothing about the pixels
        return None


def _fitted(image: Image.Image, width: int, height: int, fit: str) -> Image.Image:
    box: tuple[float, float, float, float] | None = None
    if fit == "crop":
        scale = min(image.width / width, image.height / height)
        left, top = (image.width - scale * width) / 2, (image.height - scale * height) / 2
        box = (left, top, left + scale * width, top + scale * height)
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)


def _opaque(image: Image.Image) -> Image.Image:
    """Return an image as RGB without transparency."""
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
        deep = np.asarray(image)
        deep = deep >> 8 if deep.max(initial=0) > 255 else deep
        return Image.fromarray(deep.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def decode_any(images: Mapping[str, Any], size: tuple[int, ...] | None = None, fit: str = "squash") -> list[np.ndarray]:
    """Return the pixels (H, W, 3) uint8 of named images, each a file, its bytes or an image of Pillow.

    `size` (height, width); None keeps that of each image, of which "crop" takes the middle square. Raises WorkError
    that names every image that cannot be read.
    """
    require_fit(fit)

    def one(item: Any) -> np.ndarray | str:
        data = b""
        try:
            data = read_file(Path(item)) if isinstance(item, (str, Path)) else item
            with open_image(data) if isinstance(data, bytes) else nullcontext(data) as image:
                side = min(image.size)
                wanted = size or ((side, side) if fit == "crop" else None)
                return to_rgb(image, None if wanted is None else (wanted[0], wanted[1]), fit)
        except Exception as error:  # noqa: BLE001 -- a broken file can fail in any way; all are reported by name
            return _reason(error, data if isinstance(data, bytes) else b"")

    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(one, images.values()))
    faults = Faults([(name, item) for name, item in zip(images, found, strict=True) if isinstance(item, str)])
    if faults.found:
        raise WorkError(f"{faults.sentence(len(found))}. Remove or replace them.")
    return [item for item in found if isinstance(item, np.ndarray)]


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def require_fit(fit: str) -> None:
    """Raise UsageError for a way to fit images that there is not."""
    if fit not in FITS:
        raise unknown_name("way to fit images", str(fit), FITS)


def in_order(
    pool: ThreadPoolExecutor, files: ImageFiles, work: Callable[[bytes], Any], start: int = 0
) -> Iterator[Any]:
    """Yield what `work` makes of each file, or the reason why it cannot, in order, with few files ahead."""

    def one(name: str) -> Any:
        data = b""
        try:
            data = files.read(name)
            return work(data)
        except Exception as error:  # noqa: BLE001 -- a broken file can fail in any way; all are reported by name
            return _reason(error, data[:512])

    ahead = 4 * cores()
    pending: deque[Any] = deque()
    for name in files.names[start:]:
        pending.append(pool.submit(one, name))
        if len(pending) > ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def upright_shape(data: bytes) -> tuple[int, int]:
    """Return the (height, width) that an image file has once it is turned upright."""
    with open_image(data) as image:
        return (image.width, image.height) if _turn(image) in _LYING else (image.height, image.width)


def decoded(data: bytes, size: tuple[int, int], fit: str) -> np.ndarray:
    """Return the pixels (H, W, 3) uint8 of an image file, of `size` (height, width); see `to_rgb`."""
    with open_image(data) as image:
        return to_rgb(image, size, fit)


def _reason(error: Exception, data: bytes) -> str:
    """Return in a few words why a file is no image that can be used."""
    if isinstance(error, FileNotFoundError):
        return MISSING
    if isinstance(error, UnidentifiedImageError):
        start = data[:512].lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
            return "not an image but a page of HTML or XML"
        if start.startswith(b"%!ps"):
            return "not an image but a PostScript program"
        return "not an image"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error) or type(error).__name__).splitlines()[0]
