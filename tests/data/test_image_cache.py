from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.data.image_cache import stored_images
from hashzoo.data.images import ImageFiles, folder_files
from hashzoo.errors import WorkError
from hashzoo.store import Content, Store

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
SOURCE = {"dataset": "test", "sha256": "abc"}


def png(pixels: np.ndarray, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


class Disk:
    """Files in memory that count how often they are read."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents, self.reads, self.opened = contents, 0, 0

    @contextmanager
    def open(self) -> Iterator[ImageFiles]:
        self.opened += 1
        yield ImageFiles(sorted(self.contents), self.read)

    def read(self, name: str) -> bytes:
        self.reads += 1
        return self.contents[name]


def disk() -> Disk:
    return Disk({f"{i}.png": png(image) for i, image in enumerate(PIXELS)})


def entries(tmp_path: Path) -> list[str]:
    return sorted(path.suffix for path in (tmp_path / "cache" / "images").glob("*/*") if path.name != "lock")


def test_pixels_are_decoded_once_and_mapped_read_only(tmp_path: Path) -> None:
    files = disk()
    seen: list[tuple[int, int]] = []
    first = stored_images(SOURCE, tmp_path, files.open, 32, lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(first.pixels, PIXELS)
    assert isinstance(first.pixels, np.memmap)
    assert not first.pixels.flags.writeable
    assert seen[-1] == (5, 5)
    reads = files.reads
    second = stored_images(SOURCE, tmp_path, files.open, 32)
    assert (files.reads, files.opened) == (reads, 1)
    assert second.fingerprint == first.fingerprint
    assert entries(tmp_path) == [".json", ".npy"]


def test_other_content_or_size_is_another_entry_and_another_fingerprint(tmp_path: Path) -> None:
    one = stored_images(SOURCE, tmp_path, disk().open, 32)
    changed = disk()
    changed.contents["0.png"] = png(PIXELS[1])
    other = stored_images({**SOURCE, "sha256": "def"}, tmp_path, changed.open, 32)
    np.testing.assert_array_equal(other.pixels[0], PIXELS[1])
    assert other.fingerprint != one.fingerprint


def test_images_of_several_sizes_are_squashed_and_all_modes_become_rgb(tmp_path: Path) -> None:
    tall = np.full((8, 4, 3), 204, np.uint8)  # 204 is in the web palette
    files = Disk(
        {"a.png": png(PIXELS[0]), "b.png": png(tall, "L"), "c.png": png(tall, "P"), "d.png": png(tall, "RGBA")}
    )
    pixels = stored_images(SOURCE, tmp_path, files.open, 5).pixels
    assert pixels.shape == (4, 5, 5, 3)
    assert (pixels[1:] == 204).all(), "a flat image stays flat, whatever its mode"


def test_bad_files_are_all_named_before_anything_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    names = [f"{i}.png" for i in range(5)]
    for name, image in zip(names, PIXELS, strict=True):
        (folder / name).write_bytes(png(image))
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:2000])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("not an image")
    names += ["cut.jpg", "empty.jpg", "gone.jpg", "text.jpg"]
    with pytest.raises(WorkError) as caught:
        stored_images(SOURCE, folder, lambda: folder_files(folder, names), 8)
    message = str(caught.value)
    assert message.startswith(f"4 of 9 image files in {folder} cannot be read: ")
    for words in (
        "cut.jpg (image file is truncated",
        "empty.jpg (not an image)",
        "gone.jpg (missing)",
        "text.jpg (not an image)",
    ):
        assert words in message
    assert entries(tmp_path) == []


@pytest.mark.parametrize("fails_at", [1, 2])
@pytest.mark.parametrize("skip_damaged", [True, False])
def test_a_file_that_cannot_be_read_this_time_is_not_taken_for_damaged(
    tmp_path: Path, fails_at: int, skip_damaged: bool
) -> None:
    class Faulty(Disk):
        def read(self, name: str) -> bytes:
            seen.append(name)
            if name == "3.png" and seen.count(name) == fails_at:
                raise OSError(errno.EIO, "Input/output error")
            if name == "1.png" and skip_damaged:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
            return super().read(name)

    files, seen = Faulty(disk().contents), list[str]()
    files.contents["4.png"] = b"no image" if skip_damaged else files.contents["4.png"]
    with pytest.raises(
        WorkError, match=r"1 of 5 image files in .* cannot be read: 3.png \(Input/output error\)"
    ) as told:
        stored_images(SOURCE, tmp_path, files.open, 32, skip_damaged=skip_damaged)
    if skip_damaged:
        assert "repeat the command" in str(told.value)
    again = stored_images(SOURCE, tmp_path, files.open, 32, skip_damaged=skip_damaged)
    np.testing.assert_array_equal(again.pixels[[0, 2, 3]], PIXELS[[0, 2, 3]])
    gone = ((1, "1.png", "missing"), (4, "4.png", "not an image"))
    assert again.skipped == (gone if skip_damaged else ())


def test_a_long_list_of_bad_files_is_capped(tmp_path: Path) -> None:
    files = Disk({f"{i:03d}.jpg": b"x" for i in range(45)})
    with pytest.raises(WorkError, match=r"45 of 45 .*; and 25 more") as caught:
        stored_images(SOURCE, tmp_path, files.open, 8)
    assert str(caught.value).count("not an image") == 20


@pytest.mark.parametrize("damage", ["cut", "empty", "meta", "no meta", "no pixels"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: str) -> None:
    stored_images(SOURCE, tmp_path, disk().open, 32)
    (pixels,) = (tmp_path / "cache" / "images").glob("*/*.npy")
    meta = pixels.with_name("meta.json")
    if damage in ("cut", "empty"):
        pixels.write_bytes(pixels.read_bytes()[: 150 if damage == "cut" else 0])
    elif damage == "meta":
        meta.write_text(meta.read_text()[:20])
    else:
        (meta if damage == "no meta" else pixels).unlink()
    files = disk()
    again = stored_images(SOURCE, tmp_path, files.open, 32)
    assert files.opened == 1
    np.testing.assert_array_equal(again.pixels, PIXELS)


def test_a_killed_writer_leaves_nothing_that_is_believed(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
import numpy as np
from hashzoo.store import Content, Store
def blocks(start, noted):
    yield np.zeros((2, 4, 6, 3), np.uint8)
    os.kill(os.getpid(), signal.SIGKILL)
content = Content((5, 4, 6, 3), "uint8", blocks)
Store(Path({str(tmp_path / "cache")!r}), "images", "images", "decoded images").get("key", lambda: content)
"""
    killed = subprocess.run([sys.executable, "-c", script], env=dict(os.environ), capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    assert ".part" in entries(tmp_path)
    store = Store(tmp_path / "cache", "images", "images", "decoded images")
    assert store.find("key") is None
    begun = []

    def rest(start: int, noted: dict) -> Iterator[np.ndarray]:
        begun.append(start)
        yield PIXELS[start:]

    again = store.get("key", lambda: Content(PIXELS.shape, "uint8", rest))
    assert begun == [2], "whole blocks are kept"
    np.testing.assert_array_equal(again.array[2:], PIXELS[2:])
    assert entries(tmp_path) == [".json", ".npy"]


def test_two_at_once_decode_once(tmp_path: Path) -> None:
    files, results = disk(), []
    threads = [
        threading.Thread(target=lambda: results.append(stored_images(SOURCE, tmp_path, files.open, 32)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files.opened == 1
    assert len({result.fingerprint for result in results}) == 1
    assert len(results) == 4


def test_too_little_room_is_told_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil._ntuple_diskusage(1000, 900, 100)  # type: ignore[attr-defined] # the type disk_usage returns
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(WorkError, match=r"cache/images need 360 bytes .* has 100 free"):
        stored_images(SOURCE, tmp_path, disk().open, 32)


def test_a_disk_that_fills_up_on_the_way_is_one_sentence(tmp_path: Path) -> None:
    def blocks(start: int, noted: dict) -> Iterator[np.ndarray]:
        yield PIXELS[start : start + 2]
        raise OSError(errno.ENOSPC, "No space left on device")

    store = Store(tmp_path / "cache", "images", "images", "decoded images")
    with pytest.raises(WorkError, match=r"disk is full: the decoded images in .*cache/images need 360 bytes"):
        store.get("key", lambda: Content(PIXELS.shape, "uint8", blocks))
    assert store.find("key") is None


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HASHZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(WorkError, match=r"file/images cannot be used .* HASHZOO_CACHE"):
        stored_images(SOURCE, tmp_path, disk().open, 32)


def test_a_complete_entry_in_a_folder_that_cannot_be_locked_is_still_read(tmp_path: Path) -> None:
    stored_images(SOURCE, tmp_path, disk().open, 32)
    for lock in (tmp_path / "cache" / "images").glob("*/lock"):
        lock.unlink()
        lock.mkdir()  # no lock file can be made here any more
    np.testing.assert_array_equal(stored_images(SOURCE, tmp_path, disk().open, 32).pixels, PIXELS)


def test_the_entry_says_what_it_was_made_from(tmp_path: Path) -> None:
    stored_images(SOURCE, tmp_path, disk().open, 32)
    (meta,) = (tmp_path / "cache" / "images").glob("*/*.json")
    assert json.loads(meta.read_text())["source"] == {**SOURCE, "size": 32}
