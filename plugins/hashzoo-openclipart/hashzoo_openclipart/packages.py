"""Pictures out of Debian's package, installed or as a .deb file, laid on white squares."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hashzoo import UsageError, WorkError
from hashzoo.data import given_path, package_files

PACKAGE = "openclipart-png"
INSTALLED = Path("/usr/share/openclipart")
_IN_PACKAGE = "usr/share/openclipart/png/"


def find_package(path: str, root: Path) -> Path:
    """Return the .deb file, or the folder of the unpacked pictures.

    Raises UsageError for a given path that holds neither, WorkError where nothing is installed.
    """
    if path:
        chosen = given_path(path, root)
        if not chosen.exists():
            raise UsageError(f"There is no {path}; give path= the .deb file of {PACKAGE} or a folder that holds it.")
        found = chosen if chosen.is_file() else _inside(chosen)
        if found is None:
            raise UsageError(f"{chosen} holds neither {PACKAGE}_*.deb nor a folder png; give path= the .deb file.")
        return found
    for folder in (root / "openclipart", INSTALLED):
        found = _inside(folder)
        if found is not None:
            return found
    raise WorkError(
        f"The pictures of openclipart are neither in {root / 'openclipart'} nor in {INSTALLED}: run "
        f"`apt-get install {PACKAGE}` (Debian), or `apt-get download {PACKAGE}` and name its file with --set path=."
    )


def _inside(folder: Path) -> Path | None:
    for candidate in (folder / "png", folder / "openclipart" / "png"):
        if candidate.is_dir():
            return candidate
    packages = sorted(folder.glob(f"{PACKAGE}_*.deb")) if folder.is_dir() else []
    return packages[-1] if packages else None


def read_pictures(place: Path, ids: list[str]) -> dict[str, bytes]:
    """Return the PNG files of those `ids` that are there, from a folder or a .deb file; nothing is unpacked."""
    return package_files(
        place, ids, ".png", _IN_PACKAGE, "a Debian package", lambda file: io.BufferedReader(DebData(file))
    )


class DebData(io.RawIOBase):
    """The data archive (data.tar.*) inside a Debian package, as a stream.

    Raises UsageError for a file that is no Debian package.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._left = self._seek_data(path)

    def _seek_data(self, path: Path) -> int:
        """Go to the data archive and return its length: an `ar` archive has headers of 60 bytes, even offsets."""
        if self._file.read(8) == b"!<arch>\n":
            while len(header := self._file.read(60)) == 60 and header[48:58].strip().isdigit():
                size = int(header[48:58])
                if header.startswith(b"data.tar"):
                    return size
                self._file.seek(size + size % 2, os.SEEK_CUR)
        self._file.close()
        raise UsageError(f"{path} is not a Debian package; give path= the .deb file of {PACKAGE}.")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at most as much as the archive has left."""
        content = self._file.read(min(len(buffer), self._left))
        buffer[: len(content)] = content
        self._left -= len(content)
        return len(content)

    def close(self) -> None:
        """Close the package."""
        self._file.close()
        super().close()


def white_squares(
    files: Mapping[str, bytes], side: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, bytes]:
    """Return the pictures on white squares of `side` pixels, as PNG files; what is no picture is left as it is."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        squares = {}
        for done, (name, square) in enumerate(
            zip(files, pool.map(lambda c: _packed(c, side), files.values()), strict=True)
        ):
            squares[name] = square
            if progress is not None:
                progress(done + 1, len(files))
    return squares


def _packed(content: bytes, side: int) -> bytes:
    try:
        pixels = white_square(content, side)
    except Exception:  # noqa: BLE001 -- a broken file can fail in any way; decoding it later says so, by name
        return content
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def white_square(content: bytes, side: int) -> np.ndarray:
    """Return one picture on a white square, (side, side, 3) uint8: its aspect is kept, what is transparent is white."""
    with Image.open(io.BytesIO(content), formats=("PNG",)) as opened:
        picture = opened.convert("RGBA")
    scale = side / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    # premultiplied, so that the colour hidden behind full transparency does not bleed into the edges
    small = picture.convert("RGBa").resize((width, height), Image.Resampling.BILINEAR).convert("RGBA")
    square = Image.new("RGBA", (side, side), (255, 255, 255, 255))
    square.alpha_composite(small, ((side - width) // 2, (side - height) // 2))
    return np.asarray(square.convert("RGB"))
