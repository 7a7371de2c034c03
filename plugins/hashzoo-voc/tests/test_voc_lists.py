import hashlib
import lzma
import re

import hashzoo_voc.loader as loader
import numpy as np
from hashzoo_voc import VOC2012
from PIL import Image

from hashzoo.data import JoinedLists, split_sha256

PROTOCOL = VOC2012.protocols[0]


def test_shipped_lists_are_those_named():
    text = (loader.LISTS / "SOURCES.md").read_text()
    found = re.findall(r"^    ([0-9a-f]{64})  (\w+)$", text, re.MULTILINE)
    assert len(found) == 3
    for digest, part in found:
        content = lzma.decompress((loader.LISTS / f"dhp-voc2012-{part}.txt.xz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest


def test_lists_are_pinned(tmp_path):
    splits = loader.load(PROTOCOL, tmp_path, lists_only=True)
    assert splits.sha256 == PROTOCOL.sha256
    assert (len(splits.query), len(splits.train), len(splits.database)) == PROTOCOL.sizes
    assert len(splits.table.ids) == 11_540  # disjoint
    counts = splits.table.labels.sum(axis=0, dtype=int)
    assert splits.table.class_names[counts.argmax()] == "person"
    ids = splits.table.ids
    assert split_sha256(ids[splits.train], ids[splits.query], ids[splits.database]) == splits.sha256


def test_images_inside_the_devkit(tmp_path, monkeypatch):
    ids = np.asarray([f"2008_00000{n}.jpg" for n in range(3)])
    rows = {"train": np.array([0]), "query": np.array([1]), "database": np.array([2])}
    labels = np.ones((3, 20), dtype=np.uint8)
    joined = JoinedLists(tuple(ids), ids, labels, loader.NAMES, rows, "VOCdevkit/VOC2012/JPEGImages/")
    monkeypatch.setattr(loader, "joined_lists", lambda: joined)
    folder = tmp_path / "somewhere" / "VOCdevkit" / "VOC2012" / "JPEGImages"
    folder.mkdir(parents=True)
    for row, name in enumerate(ids):
        Image.new("RGB", (8, 8), (row, 0, 0)).save(folder / name, "PNG")
    for place in (tmp_path / "somewhere", folder.parent, folder):
        splits = loader.load(PROTOCOL, tmp_path, path=str(place))
        assert splits.table.inputs["image"][:, 0, 0, 0].tolist() == [0, 1, 2]
