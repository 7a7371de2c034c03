from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.data import load_splits
from hashzoo.data.checks import require_usable
from hashzoo.data.datasets import IMAGEFOLDER
from hashzoo.data.images import file_states
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


def test_folders_with_files_of_the_same_names_sizes_and_times_are_not_taken_for_each_other(tmp_path: Path) -> None:
    """As archives leave them that set all times alike; the pixels of the first are in the cache by then."""
    folders = [tmp_path / "one", tmp_path / "other"]
    for shade, folder in enumerate(folders):
        for c, name in enumerate(("cat", "dog")):
            (folder / name).mkdir(parents=True)
            for i in range(4):
                path = folder / name / f"{i}.bmp"
                Image.new("RGB", (4, 4), (100 + 50 * shade, c, i)).save(path)
                os.utime(path, (1e9, 1e9))
    for shade, folder in enumerate(folders):
        pixels = load(folder, queries_per_class=1, train_per_class=1).table.inputs["image"]
        assert set(pixels[..., 0].ravel().tolist()) == {100 + 50 * shade}
    Image.new("RGB", (4, 4), (7, 0, 0)).save(folders[0] / "cat" / "0.bmp")  # in place, its time put back
    os.utime(folders[0] / "cat" / "0.bmp", (1e9, 1e9))
    pixels = load(folders[0], queries_per_class=1, train_per_class=1).table.inputs["image"]
    assert (pixels[..., 0] == 7).sum() == 16


def test_what_stands_for_files_says_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has coarse times, nothing else tells apart what was copied within one of them."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.bmp").write_bytes(name[:1].encode())
    same = (tmp_path / "one" / "0.bmp").stat()
    monkeypatch.setattr(Path, "stat", lambda path, **given: same)
    one, other = (file_states(tmp_path / name, ["0.bmp"]) for name in ("one", "other"))
    assert one == file_states(tmp_path / "one", ["0.bmp"])
    assert one != other


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


def test_hidden_folders_are_left_out_and_linked_ones_are_named(photos: Path, tmp_path: Path) -> None:
    plain = load(photos, queries_per_class=2, train_per_class=3)
    assert plain.notes == ()
    for hidden in (".ipynb_checkpoints", "more/.thumbnails"):
        (photos / "cat" / hidden).mkdir()
        Image.new("RGB", (6, 4)).save(photos / "cat" / hidden / "5-checkpoint.png")
    Image.new("RGB", (6, 4)).save(photos / "cat" / "._5.png")
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (6, 4)).save(tmp_path / "elsewhere" / "9.png")
    (photos / "dog" / "more" / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "fish" / "loop").symlink_to(photos)
    splits = load(photos, queries_per_class=2, train_per_class=3)
    assert splits.sha256 == plain.sha256
    assert splits.table.ids.tolist() == plain.table.ids.tolist()
    assert splits.notes == ("Links to folders below a class are not followed: dog/more/linked, fish/loop.",)
    (tmp_path / "parts").mkdir()
    shutil.copytree(photos / "cat", tmp_path / "parts" / "test" / "cat")
    photos.rename(tmp_path / "parts" / "train")
    notes = load(tmp_path / "parts").notes
    assert "Links to folders below a class are not followed: train/dog/more/linked." in notes


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


def parted(tmp_path: Path, **counts: int) -> Path:
    """Folders such as train/cat above the classes; cat has twice as many images as dog."""
    folder = tmp_path / "parted"
    for part, count in counts.items():
        for c, name in enumerate(("cat", "dog")):
            (folder / part / name).mkdir(parents=True)
            for i in range(count * (2 - c)):
                Image.new("RGB", (6, 4), (c * 80, i * 9, len(part))).save(folder / part / name / f"{i}.png")
    return folder


def test_parts_above_the_classes_are_recognised_and_used(tmp_path: Path) -> None:
    folder = parted(tmp_path, train=4, test=2)
    splits = load(folder)
    require_usable(splits, PROTOCOL)
    assert splits.table.class_names == ("cat", "dog")
    assert (len(splits.train), len(splits.query), len(splits.database)) == (12, 6, 12)
    assert all(name.startswith("test/") for name in splits.table.ids[splits.query])
    assert splits.table.labels[splits.query].sum(axis=0).tolist() == [4, 2]
    assert any("nothing was drawn" in note for note in splits.notes)
    assert any("images in train are searched" in note for note in splits.notes)
    for asked in ({"queries_per_class": 1}, {"train_per_class": 0.5}, {"seed": 1}, {"train_in_database": True}):
        with pytest.raises(UsageError, match=f"nothing is drawn, so the option {next(iter(asked))} has no use"):
            load(folder, **asked)
    flat = load(folder, layout="classes", queries_per_class=1, train_per_class=2)
    assert flat.table.class_names == ("test", "train")


def test_query_database_and_validation_folders(tmp_path: Path) -> None:
    splits = load(parted(tmp_path, train=3, query=1, gallery=2, val=1))
    assert [len(rows) for rows in (splits.train, splits.query, splits.database)] == [9, 3, 6]
    assert any("images in val are in no part" in note for note in splits.notes)
    held_out = load(parted(tmp_path / "b", train=3, val=1))
    assert len(held_out.query) == 3


def test_folders_that_are_partly_parts_are_refused(tmp_path: Path) -> None:
    folder = parted(tmp_path, train=2, test=1)
    (folder / "bird").mkdir()
    with pytest.raises(UsageError, match=r"beside them, bird; .*layout=classes"):
        load(folder)
    (folder / "bird").rename(folder / "query")
    with pytest.raises(UsageError, match="several folders for one part: query, test"):
        load(folder)
    (folder / "query").rmdir()
    with pytest.raises(UsageError, match="did you mean 'parts'"):
        load(folder, layout="part")
    bare = tmp_path / "bare"
    for part in ("train", "test"):
        (bare / part).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(bare / part / "a.png")
    with pytest.raises(UsageError, match="no class folders in train, test"):
        load(bare)
    vehicles = parted(tmp_path / "v", train=2, bus=2)
    assert load(vehicles, queries_per_class=1, train_per_class=2).table.class_names == ("bus", "train")


def test_quotas_may_be_shares_of_classes_of_any_size(tmp_path: Path) -> None:
    folder = parted(tmp_path, a=1, b=10) / "b"
    splits = load(folder, queries_per_class=0.1, train_per_class=0.5)
    counts = {part: splits.table.labels[getattr(splits, part)].sum(axis=0).tolist() for part in ("query", "train")}
    assert counts == {"query": [2, 1], "train": [10, 5]}
    with pytest.raises(UsageError, match=r"or give shares such as 0.1"):
        load(folder, queries_per_class=1, train_per_class=10)
    with pytest.raises(UsageError, match="whole number from 1 or a share"):
        load(folder, queries_per_class=-0.1)


def test_damaged_images_are_skipped_when_asked_and_named(photos: Path) -> None:
    (photos / "dog" / "2.png").write_text("<html>")
    splits = load(photos, queries_per_class=2, train_per_class=3, skip_damaged=True)
    used = np.concatenate([splits.train, splits.query, splits.database])
    assert "dog/2.png" not in splits.table.ids[used]
    assert len(used) == 23
    assert splits.notes == (
        "1 image files were left out because they cannot be read: dog/2.png (not an image but a page of HTML or XML).",
    )


def test_the_aspect_is_kept_unless_asked_otherwise(photos: Path) -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 255
    Image.fromarray(wide).save(photos / "cat" / "0.png")
    cropped = load(photos, queries_per_class=1, train_per_class=1, stored_size=10)
    assert cropped.table.inputs["image"][0].min() == 255
    squashed = load(photos, queries_per_class=1, train_per_class=1, stored_size=10, fit="squash")
    assert squashed.table.inputs["image"][0].min() == 0
    alone = load(photos, queries_per_class=1, train_per_class=1, lists_only=True)
    assert alone.sha256 == cropped.sha256


def test_folders_that_cannot_be_opened_are_named(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    real = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(WorkError, match=r"3 folders of images cannot be opened: .*cat/more \(Permission denied\)"):
        load(photos, queries_per_class=1, train_per_class=1)
