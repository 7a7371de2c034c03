"""Pieces that data set plugins are made of, against the formulas by which committed figures were made."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from hashzoo.data import (
    StoredImages,
    bag_of_words,
    draw_alike,
    fingerprint_of,
    given_path,
    make_splits,
    package_files,
    read_list,
    read_parts,
    require_files,
    with_text,
)
from hashzoo.errors import WorkError
from hashzoo.specs import Table


def test_texts_beside_images_keep_the_fingerprint_of_both() -> None:
    ids = np.array([f"i{n}" for n in range(9)])
    table = Table({"image": np.zeros((9, 2, 2, 3), np.uint8)}, np.ones((9, 1), np.uint8), ids, "abc", ("a",))
    before = make_splits(table, *np.split(np.arange(9), 3), notes=("first",), details={"x": 1})
    text = bag_of_words(["sea"] * 9, ["sea", "sky"])
    after = with_text(before, text, ("sea", "sky"), ["second"])
    assert after.table.fingerprint == hashlib.sha256(f"abc {fingerprint_of({'text': text})}".encode()).hexdigest()
    assert after.table.inputs["text"] is text
    assert after.table.inputs["image"] is table.inputs["image"]
    assert (after.notes, after.details) == (("first", "second"), {"x": 1, "vocabulary": ["sea", "sky"]})
    assert after.sha256 == before.sha256
    assert with_text(before, text).details == {"x": 1}


def test_items_drawn_alike_are_in_hash_order_and_training_items_are_searched() -> None:
    ids = [f"i{n}" for n in range(20)]
    train, query, database = draw_alike(ids, 3, 5, "toy")
    order = sorted(range(20), key=lambda n: hashlib.sha256(f"toy/i{n}".encode()).digest())
    assert (query.tolist(), train.tolist(), database.tolist()) == (order[:3], order[3:8], order[3:])


def test_published_parts_and_rows_of_a_list(tmp_path: Path) -> None:
    for name, lines in (("train", "a.jpg 0\nb.jpg 1\nc.jpg 0\n"), ("test", "d.jpg 1\n"), ("database", "e.jpg 0\n")):
        (tmp_path / f"set-{name}.txt").write_text(lines)
    parts = read_parts(tmp_path, "set-{}.txt", num_classes=2)
    assert {part: items.paths[0] for part, items in parts.items()} == {
        "train": "a.jpg", "query": "d.jpg", "database": "e.jpg",
    }  # fmt: skip
    taken = parts["train"].take([2, 0])
    assert (taken.paths, taken.labels.tolist(), taken.lines.tolist()) == (("c.jpg", "a.jpg"), [0, 0], [3, 1])
    assert taken.where(0) == f"{tmp_path / 'set-train.txt'}, line 3"
    (tmp_path / "bare.txt").write_text("a.jpg\nb.jpg\n")
    assert read_list(tmp_path / "bare.txt").take(np.array([1])).labels is None


def test_rows_of_images_that_were_skipped() -> None:
    stored = StoredImages(
        np.zeros((5, 1, 1, 3), np.uint8), "f", ((1, "b.jpg", "missing"), (3, "d.jpg", "not an image"))
    )
    assert stored.kept(np.array([4, 3, 1, 0])).tolist() == [4, 0]
    (note,) = stored.notes
    assert note.startswith("2 image files were left out because they cannot be read: b.jpg (missing); d.jpg (not")
    whole = StoredImages(stored.pixels, "f")
    assert (whole.kept(np.arange(5)).tolist(), whole.notes) == ([0, 1, 2, 3, 4], ())


def test_files_of_packages(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "p.tgz", "w:gz") as archive:
        for name in ("package/img/a.png", "./package/img/b.png", "package/other/c.png"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    assert package_files(tmp_path / "p.tgz", "abc", ".png", "package/img/", "a package") == {"a": b"abc", "b": b"abc"}
    (tmp_path / "b.png").write_bytes(b"x")
    found = package_files(tmp_path, "ab", ".png", "package/img/", "a package")
    assert found == {"b": b"x"}
    digest = hashlib.sha256(b"x").hexdigest()[:16]
    require_files(found, {"b": digest}, "pictures", "get them")
    with pytest.raises(WorkError, match=r"^1 of 2 pictures are missing: a; get them\.$"):
        require_files(found, {"a": digest, "b": digest}, "pictures", "get them")
    with pytest.raises(WorkError, match=r"1 of 1 pictures are not those .*: b; get them"):
        require_files(found, {"b": "0" * 16}, "pictures", "get them")
    (tmp_path / "q.tgz").write_bytes(b"no")
    with pytest.raises(WorkError, match=r"q\.tgz cannot be read as a package"):
        package_files(tmp_path / "q.tgz", "a", ".png", "", "a package")


def test_a_place_below_the_data_root_is_the_default(tmp_path: Path) -> None:
    assert given_path("", tmp_path, default="coco") == tmp_path / "coco"
    assert given_path("", tmp_path, default="") == tmp_path
    assert given_path("mine", tmp_path, default="coco") == tmp_path / "mine"
