import json

import hashzoo_coco.loader as loader
import numpy as np
import pytest
from hashzoo_coco import COCO, COCO_CAPTIONS
from PIL import Image

from hashzoo import UsageError, WorkError
from hashzoo.data import JoinedLists

CAPTIONS = {9: "A frog", 25: "a pond", 30: "the frog in a pond", 42: ""}


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Four images, 9, 25 and 30 of train2014 and 42 of val2014."""
    splits = {9: "train2014", 25: "train2014", 30: "train2014", 42: "val2014"}
    paths = tuple(f"{split}/COCO_{split}_{number:012d}.jpg" for number, split in splits.items())
    ids = np.asarray([f"{number:012d}" for number in splits])
    rows = {"train": np.array([0]), "query": np.array([3]), "database": np.arange(3)}
    joined = JoinedLists(paths, ids, np.ones((4, 80), dtype=np.uint8), loader.names(), rows, "")
    monkeypatch.setattr(loader, "joined_lists", lambda protocol: joined)
    monkeypatch.setattr(loader, "caption_lists", lambda protocol: joined)
    folder = tmp_path / "coco" / "annotations"
    folder.mkdir(parents=True)
    for split in ("train2014", "val2014"):
        told = [{"image_id": n, "caption": CAPTIONS[n], "id": n} for n in splits if splits[n] == split]
        (folder / f"captions_{split}.json").write_text(
            json.dumps({"annotations": [*told, {"image_id": 7, "caption": ""}]})
        )
    return joined


def write(folder, names):
    for row, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (row, 0, 0)).save(folder / name, "PNG")


NAMES_2017 = [f"train2017/{number:012d}.jpg" for number in (9, 25)] + [f"val2017/{n:012d}.jpg" for n in (30, 42)]


@pytest.mark.parametrize("release", ["2014", "2017", "flat"])
def test_releases_give_the_same(few, tmp_path, release):
    flat = [path.rsplit("/", 1)[-1] for path in few.paths]
    write(tmp_path / "coco", {"2014": few.paths, "2017": NAMES_2017, "flat": flat}[release])
    splits = loader.load(COCO.protocols[0], tmp_path)
    assert splits.table.inputs["image"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_captions(few, tmp_path):
    write(tmp_path / "coco", few.paths)
    splits = loader.load_captions(COCO_CAPTIONS.protocols[0], tmp_path, words=3)
    assert splits.details["vocabulary"] == ["a", "frog", "pond"]
    assert splits.table.inputs["text"].tolist() == [[1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 0, 0]]


def test_captions_without_images(few, tmp_path):
    splits = loader.load_captions(COCO_CAPTIONS.protocols[0], tmp_path, lists_only=True, words=3)
    assert splits.table.inputs["image"].shape == (4, 0, 0, 3)
    assert splits.table.inputs["text"].shape == (4, 3)


def test_bad_captions(few, tmp_path):
    folder = tmp_path / "coco" / "annotations"
    (folder / "captions_val2014.json").write_text("<html>")
    with pytest.raises(WorkError, match=r"captions_val2014\.json is not JSON"):
        loader.captions(folder, few.ids.tolist())
    (folder / "captions_val2014.json").write_text('{"annotations": [{"id": 1}]}')
    with pytest.raises(UsageError, match="no list of annotations"):
        loader.captions(folder, few.ids.tolist())
    (folder / "captions_val2014.json").unlink()
    with pytest.raises(WorkError, match=r"and 1 of these files are there"):
        loader.captions(folder, few.ids.tolist())
