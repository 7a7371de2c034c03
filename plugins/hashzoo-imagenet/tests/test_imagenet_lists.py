import hashlib
import lzma
import os
import re
from pathlib import Path

import hashzoo_imagenet.loader as loader
import numpy as np
import pytest
from hashzoo_imagenet import IMAGENET100
from PIL import Image

from hashzoo import WorkError
from hashzoo.data import JoinedLists, read_list, split_sha256

REAL = os.environ.get("HASHZOO_LISTS", "")
PROTOCOLS = {protocol.id: protocol for protocol in IMAGENET100.protocols}


def split_of(joined):
    return split_sha256(*(joined.ids[joined.rows[part]] for part in ("train", "query", "database")))


def test_shipped_lists_are_those_named():
    text = (loader.LISTS / "SOURCES.md").read_text()
    named = re.findall(r"^    ([0-9a-f]{64})  (\w+)$", text, re.MULTILINE)
    assert len(named) == 3
    for digest, part in named:
        content = lzma.decompress((loader.LISTS / f"hashnet-pytorch-imagenet-{part}.txt.xz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_lists_are_pinned(protocol):
    joined = loader.joined_lists(protocol.id)
    sizes = tuple(len(joined.rows[part]) for part in ("query", "train", "database"))
    assert sizes == protocol.sizes
    assert split_of(joined) == protocol.sha256
    assert (joined.labels.sum(axis=1) == 1).all()
    rows = joined.rows
    assert set(rows["train"]) <= set(rows["database"])
    assert not set(rows["query"]) & set(rows["database"])
    per_class = joined.labels[rows["train"]].sum(axis=0, dtype=int)
    assert set(per_class.tolist()) == {protocol.sizes[1] // 100}


def test_label_columns_are_the_synsets_of_the_names():
    joined = loader.joined_lists("imagenet100-13k")
    rows = joined.rows["train"]
    named = [joined.ids[row].split("_")[0] for row in rows]
    assert named == [joined.class_names[column] for column in joined.labels[rows].argmax(axis=1)]


@pytest.mark.skipif(not REAL, reason="HASHZOO_LISTS does not name a folder of the published lists")
def test_csq_queries_are_those_published():
    published = {path.rsplit("/", 1)[-1] for path in read_list(Path(REAL) / "csq-imagenet-test.txt.xz").paths}
    joined = loader.joined_lists("imagenet100-13k-4983q-asis")
    assert set(joined.ids[joined.rows["query"]].tolist()) == published


@pytest.fixture
def few(monkeypatch):
    """Two classes of two training images and one query each."""
    names = ("n01514668", "n01537544")
    ids = [f"{name}_{n}.JPEG" for name in names for n in (1, 2)] + [f"ILSVRC2012_val_0000000{n}.JPEG" for n in (1, 2)]
    classes = np.array([0, 0, 1, 1, 0, 1])
    paths = tuple(("val_image/" if "val" in name else "image/") + name for name in ids)
    rows = {"train": np.array([0, 2]), "query": np.array([4, 5]), "database": np.arange(4)}
    joined = JoinedLists(paths, np.asarray(ids), np.eye(2, dtype=np.uint8)[classes], names, rows, "")
    monkeypatch.setattr(loader, "joined_lists", lambda protocol: joined)
    return joined


@pytest.mark.parametrize("layout", ["hashnet", "official", "official by class", "in its competition's folder"])
def test_layouts_give_the_same(few, tmp_path, layout):
    inside = "ILSVRC/Data/CLS-LOC/" if "competition" in layout else ""
    for row, name in enumerate(few.ids.tolist()):
        synset = few.class_names[few.labels[row].argmax()]
        if layout == "hashnet":
            place = few.paths[row]
        elif name.startswith("ILSVRC"):
            place = f"{inside}val/{synset}/{name}" if "class" in layout else f"{inside}val/{name}"
        else:
            place = f"{inside}train/{synset}/{name}"
        file = tmp_path / "images" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (row, 0, 0)).save(file, "PNG")
    splits = loader.load(PROTOCOLS["imagenet100-13k"], tmp_path, path=str(tmp_path / "images"))
    assert splits.table.inputs["image"][:, 0, 0, 0].tolist() == list(range(6))
    (tmp_path / "images" / place).unlink()
    with pytest.raises(WorkError, match=r"ILSVRC2012_val_00000002.JPEG \(missing\)"):
        loader.load(PROTOCOLS["imagenet100-13k"], tmp_path, path=str(tmp_path / "images"))


def test_lists_alone(few, tmp_path):
    splits = loader.load(PROTOCOLS["imagenet100-13k"], tmp_path, lists_only=True)
    assert splits.table.inputs["image"].shape == (6, 0, 0, 3)
