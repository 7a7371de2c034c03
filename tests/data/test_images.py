"""Decoding: what is taken for an image, how it is turned and fitted, and what is refused by name."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.data import is_image, zip_files
from hashzoo.data.image_cache import stored_images
from hashzoo.data.images import ENDINGS, cores, decode_any, folder_files
from hashzoo.errors import UsageError, WorkError

DRAW = np.random.default_rng(0)
PICTURE = DRAW.integers(0, 256, (6, 10, 3), dtype=np.uint8)


def decode_image(image: object, size: tuple[int, int] | None = None, fit: str = "squash") -> np.ndarray:
    return decode_any({str(image)[-40:]: image}, size, fit)[0]


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_every_ending_that_counts_as_an_image_can_be_decoded(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    Image.fromarray(np.full((5, 7, 3), 204, np.uint8)).save(path)
    assert is_image(path.name)
    pixels = decode_image(path)
    assert pixels.shape == (5, 7, 3)
    assert abs(pixels.astype(int) - 204).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    """By hand: pixel (row, column) of the upright image, from the definition of each orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode_image(saved(PICTURE, "PNG", exif=exif))
    rows, columns = PICTURE.shape[:2]
    upright = {
        1: lambda r, c: (r, c), 2: lambda r, c: (r, columns - 1 - c), 3: lambda r, c: (rows - 1 - r, columns - 1 - c),
        4: lambda r, c: (rows - 1 - r, c), 5: lambda r, c: (c, r), 6: lambda r, c: (rows - 1 - c, r),
        7: lambda r, c: (rows - 1 - c, columns - 1 - r), 8: lambda r, c: (c, columns - 1 - r),
    }[orientation]  # fmt: skip
    assert found.shape == ((columns, rows, 3) if orientation > 4 else PICTURE.shape)
    for r in range(found.shape[0]):
        for c in range(found.shape[1]):
            assert (found[r, c] == PICTURE[upright(r, c)]).all()


def test_a_turned_jpeg_is_fitted_as_the_turned_picture(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 255, 800, dtype=np.uint8)[None, :, None], 400, axis=0).repeat(3, axis=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decode_image(saved(ramp, "JPEG", quality=95, exif=exif), (32, 16))
    assert found[0].mean() < 10, "the ramp runs from top to bottom once it is upright"
    assert found[-1].mean() > 245


def test_crop_keeps_the_aspect_and_squash_does_not() -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255
    cropped = decode_image(saved(wide, "PNG"), (10, 10), "crop")
    squashed = decode_image(saved(wide, "PNG"), (10, 10), "squash")
    assert cropped[:, 1:-1].min() == 255, "the middle third"
    assert squashed[:, 0].max() < 20
    assert squashed[:, 5].min() == 255
    upright = Image.fromarray(PICTURE).resize((3, 3), Image.Resampling.BILINEAR, box=(2, 0, 8, 6))
    np.testing.assert_array_equal(decode_image(saved(PICTURE, "PNG"), (3, 3), "crop"), np.asarray(upright))


def test_large_jpegs_are_decoded_small_and_look_the_same() -> None:
    smooth = np.asarray(Image.fromarray(DRAW.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((1600, 1200)))
    jpeg = saved(smooth, "JPEG", quality=95)
    whole = np.asarray(Image.open(io.BytesIO(jpeg)).resize((64, 64), Image.Resampling.BILINEAR))
    assert abs(decode_image(jpeg, (64, 64)).astype(int) - whole).mean() < 2


def test_transparency_is_laid_on_white_and_16_bits_become_8() -> None:
    clear = np.zeros((4, 4, 4), np.uint8)
    clear[:2, :, 3] = 255
    assert decode_image(saved(clear, "PNG"))[:, 0, 0].tolist() == [0, 0, 255, 255]
    deep = np.array([[0, 32768, 65535]], dtype=np.uint16)
    assert decode_image(saved(deep, "PNG"))[0, :, 0].tolist() == [0, 128, 255]


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def bomb(side: int) -> bytes:
    """A PNG that says that it is side x side pixels of zeros."""
    head = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    body = zlib.compress(bytes(10**6), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_image_is_named_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(a))
    monkeypatch.setattr(subprocess, "check_call", lambda *a, **k: started.append(a))
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dev.jpg").symlink_to("/dev/zero")
    (tmp_path / "page.jpg").write_text("<!DOCTYPE html><html>404</html>")
    (tmp_path / "script.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    (tmp_path / "bomb.png").write_bytes(bomb(10_000))
    (tmp_path / "large.png").write_bytes(bomb(60_000))
    reasons = {
        "pipe.jpg": "not a plain file",
        "folder.jpg": "not a plain file|Is a directory",
        "dev.jpg": "not a plain file",
        "page.jpg": "not an image but a page of HTML",
        "script.png": "not an image but a PostScript program",
        "bomb.png": "more than an image can have",
        "large.png": "exceeds limit|more than an image can have",
        "gone.png": "missing",
    }
    for name, words in reasons.items():
        with pytest.raises(WorkError, match=rf"1 of 1 image files cannot be read: .*{name} \(.*({words})"):
            decode_image(tmp_path / name)
    assert not started, "no program was started for a file"
    with pytest.raises(WorkError, match="8 of 8 image files") as caught:
        decode_any({name: tmp_path / name for name in reasons}, (4, 4))
    assert all(name in str(caught.value) for name in reasons)


def test_many_files_in_order_and_at_one_size(tmp_path: Path) -> None:
    names = [f"{n}.png" for n in range(40)]
    for n, name in enumerate(names):
        Image.new("RGB", (4 + n % 3, 5), (n, 0, 0)).save(tmp_path / name)
    seen: list[tuple[int, int]] = []
    files = {name: tmp_path / name for name in names}
    assert [pixels[2, 2, 0] for pixels in decode_any(files, (5, 5))] == list(range(40))
    stored = stored_images(
        {"d": 3}, tmp_path, lambda: folder_files(tmp_path, names), 5, lambda done, total: seen.append((done, total))
    )
    assert stored.pixels[:, 2, 2, 0].tolist() == list(range(40))
    assert seen[-1] == (40, 40)
    assert cores() >= 1
    with pytest.raises(UsageError, match="'croop'; did you mean 'crop'"):
        decode_any(files, (5, 5), fit="croop")


def test_encoding_takes_files_bytes_and_pillow_images(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.tif")
    given = {"file": tmp_path / "a.tif", "bytes": saved(PICTURE, "PNG"), "image": Image.fromarray(PICTURE)}
    for pixels in decode_any(given):
        np.testing.assert_array_equal(pixels, PICTURE)
    assert {pixels.shape for pixels in decode_any(given, None, "crop")} == {(6, 6, 3)}
    with pytest.raises(WorkError, match=r"1 of 2 image files cannot be read: b \(missing\)"):
        decode_any({"a": tmp_path / "a.tif", "b": tmp_path / "b.tif"})


def test_archives_that_lead_out_are_refused(tmp_path: Path) -> None:
    for name in ("../out.png", "/abs.png", "a/../../b.png"):
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
            archive.writestr(name, saved(PICTURE, "PNG"))
        with pytest.raises(UsageError, match="leads out of its folder"), zip_files(tmp_path / "bad.zip"):
            pass
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 not all of it")
    with pytest.raises(WorkError, match="not a zip archive"), zip_files(tmp_path / "cut.zip"):
        pass


def test_damaged_files_can_be_skipped_and_stay_named(tmp_path: Path) -> None:
    names = [f"{n}.png" for n in range(6)]
    for n, name in enumerate(names):
        Image.new("RGB", (4, 4), (n, n, n)).save(tmp_path / name)
    (tmp_path / "3.png").write_text("<html>")

    def load() -> object:
        return stored_images({"d": 1}, tmp_path, lambda: folder_files(tmp_path, names), 4, skip_damaged=True)

    for _ in range(2):  # decoded, and from the cache
        stored = load()
        assert [row for row, _, _ in stored.skipped] == [3]
        assert stored.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 4, 5]
    for name in names[:4]:
        (tmp_path / name).write_text("no")
    with pytest.raises(WorkError, match="more than half"):
        stored_images({"d": 2}, tmp_path, lambda: folder_files(tmp_path, names), 4, skip_damaged=True)
