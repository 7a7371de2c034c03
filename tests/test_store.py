"""What is stored is what was written: every changed byte is found, every interruption goes on, nothing is left over."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hashzoo.errors import WorkError
from hashzoo.store import Content, Store, key_of

TRUTH = np.random.default_rng(0).standard_normal((11, 3)).astype(np.float32)


class Rows:
    """Blocks of two rows of TRUTH; remembers where it began, and stops before row `until`."""

    def __init__(self, until: int = 99) -> None:
        self.until, self.begun = until, list[int]()

    def content(self) -> Content:
        return Content(TRUTH.shape, "float32", self.blocks, {"request": "this"})

    def blocks(self, start: int, noted: dict) -> Iterator[np.ndarray]:
        self.begun.append(start)
        for begin in range(start, len(TRUTH), 2):
            if begin >= self.until:
                raise KeyboardInterrupt
            noted["last"] = begin
            yield TRUTH[begin : begin + 2]


def store(root: Path) -> Store:
    return Store(root, "things", "things", "things")


def made(root: Path) -> Path:
    store(root).get("key", Rows().content)
    return root / "things" / "key"


def test_every_changed_byte_of_a_finished_entry_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = made(tmp_path)
    path = folder / "things.npy"
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(bytes(damaged))
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert store(tmp_path).find("key") is None, place
        assert str(path) in caplog.text
    again = Rows()
    np.testing.assert_array_equal(store(tmp_path).get("key", again.content).array, TRUTH)
    assert again.begun == [0]
    assert path.read_bytes() == whole


def test_every_changed_byte_of_an_unfinished_entry_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyboardInterrupt):
        store(tmp_path).get("key", Rows(until=6).content)
    folder = tmp_path / "things" / "key"
    part = folder / "things.part"
    whole, progress = part.read_bytes(), (folder / "progress.json").read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        part.write_bytes(bytes(damaged))
        (folder / "progress.json").write_bytes(progress)
        rest = Rows()
        with caplog.at_level(logging.WARNING):
            np.testing.assert_array_equal(store(tmp_path).get("key", rest.content).array, TRUTH)
        assert rest.begun == [0], place
        (folder / "things.npy").unlink()
    part.write_bytes(whole)
    (folder / "progress.json").write_bytes(progress)
    rest = Rows()
    store(tmp_path).get("key", rest.content)
    assert rest.begun == [6]


def test_changed_descriptions_are_found(tmp_path: Path) -> None:
    folder = made(tmp_path)
    meta = json.loads((folder / "meta.json").read_text())
    for changed in (
        {**meta, "sha256": "0" * 64},
        {**meta, "shape": [3, 11]},
        {**meta, "dtype": "float64"},
        {**meta, "shape": "x"},
        [],
    ):
        (folder / "meta.json").write_text(json.dumps(changed))
        assert store(tmp_path).find("key") is None
    (folder / "meta.json").write_text("[" * 100_000)
    assert store(tmp_path).find("key") is None


def test_what_is_left_over_is_removed_by_the_next_holder_of_the_lock(tmp_path: Path) -> None:
    folder = made(tmp_path)
    (folder / "things.npy").unlink()
    for name in ("things.part", "progress.json", "meta.json.tmp"):
        (folder / name).write_text("left")
    store(tmp_path).get("key", Rows().content)
    assert sorted(file.name for file in folder.iterdir()) == ["lock", "meta.json", "things.npy"]


def test_notes_survive_an_interruption_and_failed_work_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        store(tmp_path).get("key", Rows(until=4).content)
    assert store(tmp_path).get("key", Rows().content).meta["noted"] == {"last": 10}

    def wrong(start: int, noted: dict) -> Iterator[np.ndarray]:
        yield TRUTH[:2]
        raise WorkError("these files are no images")

    def short(start: int, noted: dict) -> Iterator[np.ndarray]:
        yield TRUTH[:2]

    for number, blocks in enumerate((wrong, short)):
        with pytest.raises(WorkError, match=r"no images|2 of 11 rows"):
            store(tmp_path).get(f"bad{number}", lambda blocks=blocks: Content(TRUTH.shape, "float32", blocks))
        assert [f.name for f in (tmp_path / "things" / f"bad{number}").iterdir()] == ["lock"]


def test_a_lock_that_is_a_link_is_refused_and_its_target_kept(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("all of it")
    (tmp_path / "things" / "key").mkdir(parents=True)
    (tmp_path / "things" / "key" / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(WorkError, match="symbolic link"):
        store(tmp_path).get("key", Rows().content)
    assert (tmp_path / "precious").read_text() == "all of it"


def test_no_rows_are_stored_too(tmp_path: Path) -> None:
    empty = Content((0, 4), "float32", lambda start, noted: iter(()))
    assert store(tmp_path).get("key", lambda: empty).array.shape == (0, 4)
    assert store(tmp_path).find("key") is not None
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
