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
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from hashzoo.data.options import whole_number, yes_or_no
from hashzoo.data.roots import below, cache_root
from hashzoo.errors import WorkError, unknown_name
from hashzoo.store import Content, Store, key_of

ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Endings of files that are taken for images, in lower case."""
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What Pillow may recognise, by content and whatever the ending."""
FITS = ("crop", "squash")
MAX_PIXELS = 89_478_485
"""Largest image decoded, a quarter of a gigabyte as Pillow counts: what is larger is taken for a decompression bomb."""
MAX_BYTES = 2**29
"""Largest image file read."""

_LAYOUT = 2  # part of every key: raise it when the same source would give other pixels
MISSING = "missing"
_LISTED = 20  # how many bad files one message names
_BATCH_BYTES = 32 * 2**20  # decoded pixels held in memory at once
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
        _require_fit(fit)
        return cls(
            whole_number("stored_size", stored_size, at_least=1),
            fit,
            yes_or_no("skip_damaged", skip_damaged),
            yes_or_no("lists_only", lists_only),
        )


@dataclass(frozen=True)
class StoredImages:
    """Pixels (n, H, W, 3) uint8, memory-mapped read-only, and the sha256 of their type, shape and bytes.

    `skipped` are (row, name, reason) of files that could not be read, where these were to be skipped.
    """

    pixels: np.ndarray
    fingerprint: str
    skipped: tuple[tuple[int, str, str], ...] = ()


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


@contextmanager
def folder_files(folder: Path, names: Sequence[str]) -> Iterator[ImageFiles]:
    """Give the files of a folder; names are relative to it."""
    yield ImageFiles(names, lambda name: read_file(folder / name))


def file_states(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return what stands for the content of files in a cache key: their number, and a sha256 of names, sizes, times."""
    digest = hashlib.sha256()
    for name in names:
        try:
            status = (folder / name).stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            state = "missing"  # decoding reports it by name
        digest.update(f"{name}\n{state}\n".encode("utf-8", "surrogateescape"))
    return {"files": len(names), "files_sha256": digest.hexdigest()}


def member_states(archive: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the same for members of a zip archive: a sha256 of names, sizes and checksums."""
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(archive) as opened:
            known = {info.filename: f"{info.file_size} {info.CRC}" for info in opened.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WorkError(f"{archive} is not a zip archive that can be read ({error}); fetch it again.") from error
    for name in names:
        digest.update(f"{name}\n{known.get(name, 'missing')}\n".encode("utf-8", "surrogateescape"))
    return {"files": len(names), "files_sha256": digest.hexdigest()}


@contextmanager
def zip_files(archive: Path, names: Sequence[str] | None = None) -> Iterator[ImageFiles]:
    """Give members of a zip archive, all images in it by name where no names are given.

    Raises UsageError for an archive with a member that leads out of it ("..", absolute), WorkError for a damaged one.
    """
    try:
        opened = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WorkError(f"{archive} is not a zip archive that can be read ({error}); fetch it again.") from error
    with opened:
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


def decode_image(source: Path | bytes, size: tuple[int, int] | None = None, fit: str = "squash") -> np.ndarray:
    """Return the pixels (H, W, 3) uint8 of one image file or its bytes; see `to_rgb`.

    Raises WorkError that names the file and says what is wrong with it.
    """
    name, data = str(source) if isinstance(source, Path) else "The image", b""
    try:
        data = read_file(source) if isinstance(source, Path) else source
        with open_image(data) as image:
            return to_rgb(image, size, fit)
    except Exception as error:
        raise WorkError(f"{name} cannot be read as an image ({_reason(error, data)}); replace or remove it.") from error


def decode_images(
    files: Sequence[Path] | ImageFiles,
    size: tuple[int, int],
    *,
    fit: str = "squash",
    progress: Callable[[int, int], None] | None = None,
    where: Path | None = None,
) -> np.ndarray:
    """Return the pixels (n, H, W, 3) uint8 of image files, in memory, each brought to `size` (height, width).

    All cores decode; the result does not depend on their number. Raises WorkError that names every file that is
    missing or no image.
    """
    _require_fit(fit)
    listed = (
        files if isinstance(files, ImageFiles) else ImageFiles([str(f) for f in files], lambda n: read_file(Path(n)))
    )
    faults = Faults()
    pixels = np.zeros((len(listed.names), *size, 3), dtype=np.uint8)
    with ThreadPoolExecutor(cores()) as pool:
        for row, item in enumerate(_in_order(pool, listed, lambda data: _pixels(data, size, fit))):
            if isinstance(item, str):
                faults.found.append((listed.names[row], item))
            else:
                pixels[row] = item
            if progress is not None:
                progress(row + 1, len(listed.names))
    faults.raise_if_any(len(listed.names), where)
    return pixels


def decode_any(images: Mapping[str, Any], size: tuple[int, ...] | None = None, fit: str = "squash") -> list[np.ndarray]:
    """Return the pixels (H, W, 3) uint8 of named images, each a file, its bytes or an image of Pillow.

    `size` (height, width); None keeps that of each image, of which "crop" takes the middle square. Raises WorkError
    that names every image that cannot be read.
    """
    _require_fit(fit)

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


def _require_fit(fit: str) -> None:
    if fit not in FITS:
        raise unknown_name("way to fit images", str(fit), FITS)


def _in_order(
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


def _pixels(data: bytes, size: tuple[int, int], fit: str) -> np.ndarray:
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


# Into the cache
# ----------------------------------------------------------------------------------------------------------


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
    `.skipped`. Otherwise WorkError names every such file.
    """
    _require_fit(fit)
    key = {**source, "size": size, "fit": fit, "skip_damaged": skip_damaged}
    plain = {"fit": "squash", "skip_damaged": False}
    key = {name: value for name, value in key.items() if name not in plain or value != plain[name]}

    faults = Faults()

    with ExitStack() as opened:

        def make() -> Content:
            files = opened.enter_context(open_files())
            shape = _shape(files, size)

            def blocks(start: int, noted: dict[str, Any]) -> Iterator[np.ndarray]:
                for block, bad in _blocks(files, shape, fit, start, progress):
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


def images_from_store(source: Mapping[str, Any], make: Callable[[], Content]) -> StoredImages:
    """Return the images that the cache holds for `source`, JSON of all that decides them, or make them now."""
    entry = Store(cache_root(), "images", "images", "decoded images").get(key_of({"layout": _LAYOUT, **source}), make)
    skipped = tuple((int(row), str(name), str(reason)) for row, name, reason in entry.meta["noted"].get("skipped", []))
    return StoredImages(entry.array, entry.sha256, skipped)


def _shape(files: ImageFiles, size: int) -> tuple[int, int]:
    """Return (height, width) if all readable images share it and it is at most size x size, else (size, size)."""
    common: tuple[int, int] | None = None
    with ThreadPoolExecutor(cores()) as pool:
        for shape in _in_order(pool, files, _upright_shape):
            if isinstance(shape, str):
                continue  # decoding finds it again and reports it
            common = common or shape
            if shape != common or max(shape) > size:
                return size, size
    return common or (size, size)


def _upright_shape(data: bytes) -> tuple[int, int]:
    with open_image(data) as image:
        return (image.width, image.height) if _turn(image) in _LYING else (image.height, image.width)


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
        decoded = _in_order(pool, files, lambda data: _pixels(data, shape, fit), start)
        for begin in range(start, total, rows):
            block = np.zeros((min(rows, total - begin), *shape, 3), dtype=np.uint8)
            bad: list[list[Any]] = []
            for place in range(len(block)):
                item = next(decoded)
                if isinstance(item, str):
                    bad.append([begin + place, files.names[begin + place], item])
                else:
                    block[place] = item
            if progress is not None:
                progress(begin + len(block), total)
            yield block, bad
