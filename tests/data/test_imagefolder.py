from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.data import load_splits
from hashzoo.data.checks import require_usable
from hashzoo.data.datasets import IMAGEFOLDER
from hashzoo.errors import UsageError, WorkError

(PROTOCOL,) = IMAGEFOLDER.protocols


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for c, name in enumerate(("cat", "dog", "fish")):
        (folder / name / "more").mkdir(parents=True)
        for i in range(8):
            Image.new("RGB", (6, 4), (c * 80, i * 30, 0)).save(folder / name / ("more" if i > 5 else "") / f"{i}.png")
    (folder / "README.txt").write_text("a file beside the classes is no class")
    (folder / "cat" / ".hidden.png").write_text("no image")
    (folder / "dog" / "notes.txt").write_text("no image")
    return folder


def load(path: Path, **options):
    return load_splits(IMAGEFOLDER, PROTOCOL, path.parent, path=str(path), **options)


def test_classes_ids_and_pixels_belong_together(photos: Path) -> None:
    splits = load(photos, queries_per_class=2, train_per_class=3)
    require_usable(splits, PROTOCOL)
    table = splits.table
    assert table.class_names == ("cat", "dog", "fish")
    assert table.inputs["image"].shape == (24, 4, 6, 3), "images of one size keep it"
    for row, name in enumerate(table.ids):
        with Image.open(photos / name) as image:
            np.testing.assert_array_equal(table.inputs["image"][row], np.asarray(image))
        assert table.class_names[table.labels[row].argmax()] == name.split("/")[0]
    assert (len(splits.query), len(splits.train), len(splits.database)) == (6, 9, 9)


def test_the_split_follows_from_names_and_seed_alone(photos: Path, tmp_path: Path) -> None:
    first = load(photos, queries_per_class=2, train_per_class=3)
    moved = photos.rename(tmp_path / "elsewhere")
    assert load(moved, queries_per_class=2, train_per_class=3).sha256 == first.sha256
    assert load(moved, queries_per_class=2, train_per_class=3, seed=1).sha256 != first.sha256
    wider = load(moved, queries_per_class=2, train_per_class=3, train_in_database=True)
    assert set(wider.database) == set(first.database) | set(first.train)


def test_images_of_several_sizes_are_squashed(photos: Path) -> None:
    Image.new("RGB", (5, 9)).save(photos / "cat" / "0.png")
    splits = load(photos, queries_per_class=1, train_per_class=1, stored_size=7)
    assert splits.table.inputs["image"].shape == (24, 7, 7, 3)


def test_a_changed_file_is_decoded_again(photos: Path) -> None:
    first = load(photos, queries_per_class=1, train_per_class=1)
    Image.new("RGB", (6, 4), (1, 2, 3)).save(photos / "cat" / "0.png")
    second = load(photos, queries_per_class=1, train_per_class=1)
    assert second.table.fingerprint != first.table.fingerprint
    assert second.table.inputs["image"][0, 0, 0].tolist() == [1, 2, 3]


def test_corrupt_and_missing_images_are_named(photos: Path) -> None:
    (photos / "dog" / "2.png").write_bytes(b"\x89PNG nonsense")
    (photos / "fish" / "gone.png").symlink_to(photos / "nowhere.png")
    with pytest.raises(WorkError, match=r"2 of 25 .*dog/2.png \(.*fish/gone.png \(missing\)"):
        load(photos, queries_per_class=1, train_per_class=1)


def test_what_cannot_be_split_is_told(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"9 queries and training images .* cat \(8\), dog \(8\), fish \(8\)"):
        load(photos, queries_per_class=4, train_per_class=5)
    (photos / "empty").mkdir()
    with pytest.raises(UsageError, match="There are no images in empty of"):
        load(photos, queries_per_class=1, train_per_class=1)
    with pytest.raises(UsageError, match="There is no folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError, match="holds no folders"):
        load(tmp_path / "bare")
    for bad in (
        {"queries_per_class": 0},
        {"train_per_class": "many"},
        {"stored_size": 2.5},
        {"train_in_database": "x"},
    ):
        with pytest.raises(UsageError, match=next(iter(bad))):
            load(photos, **bad)


def test_a_split_that_leaves_no_database_is_refused(photos: Path) -> None:
    splits = load(photos, queries_per_class=4, train_per_class=4)
    with pytest.raises(UsageError, match="the database part is empty"):
        require_usable(splits, PROTOCOL)


def test_the_path_is_required_and_unknown_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a value for 'path'"):
        load_splits(IMAGEFOLDER, PROTOCOL, tmp_path)
    with pytest.raises(UsageError, match="no option 'query_per_class'; did you mean 'queries_per_class'") as caught:
        load_splits(IMAGEFOLDER, PROTOCOL, tmp_path, path=".", query_per_class=3)
    assert "progress" not in str(caught.value), "what the core fills in is no option"
