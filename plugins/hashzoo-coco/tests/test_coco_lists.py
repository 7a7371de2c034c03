import hashlib
import lzma
import os
import re
from pathlib import Path

import hashzoo_coco.loader as loader
import pytest
from hashzoo_coco import COCO, COCO_CAPTIONS

from hashzoo.data import read_list, split_sha256

REAL = os.environ.get("HASHZOO_LISTS", "")
PROTOCOLS = {protocol.id: protocol for protocol in COCO.protocols}


@pytest.fixture(scope="module", autouse=True)
def lists_read_once():
    """Parsing 112,218 lines again for every test would take most of the time."""
    known = {}
    original = loader._list
    loader._list = lambda name: known.setdefault(name, None) or known.__setitem__(name, original(name)) or known[name]
    yield
    loader._list = original


def split_of(joined):
    return split_sha256(*(joined.ids[joined.rows[part]] for part in ("train", "query", "database")))


def test_shipped_lists_are_those_named():
    text = (loader.LISTS / "SOURCES.md").read_text()
    found = re.findall(r"^    ([0-9a-f]{64})  (\S+)$", text, re.MULTILINE)
    assert len(found) == 5
    for digest, name in found:
        assert hashlib.sha256(lzma.decompress((loader.LISTS / f"{name}.txt.xz").read_bytes())).hexdigest() == digest


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_lists_are_pinned(protocol):
    joined = loader.joined_lists(protocol.id)
    assert tuple(len(joined.rows[part]) for part in ("query", "train", "database")) == protocol.sizes
    assert split_of(joined) == protocol.sha256
    assert joined.labels.any(axis=1).all()
    train, query, database = (set(joined.rows[part].tolist()) for part in ("train", "query", "database"))
    assert not query & train
    assert len(query & database) == (5000 if protocol.queries_in_database else 0)
    assert len(train & database) == (10000 if protocol.id == "coco-10k" else 0)


def test_columns_are_in_alphabetical_order():
    joined = loader.joined_lists("coco-10k-hashnet-asis")
    counts = joined.labels.sum(axis=0, dtype=int)
    assert joined.class_names[counts.argmax()] == "person"
    assert joined.class_names[counts.argmin()] == "hair drier"


def test_captions_are_pinned():
    joined = loader.caption_lists(COCO_CAPTIONS.protocols[0])
    assert split_of(joined) == COCO_CAPTIONS.protocols[0].sha256
    assert len(joined.paths) == 122_218
    assert joined.ids.tolist() == sorted(joined.ids.tolist())


@pytest.mark.skipif(not REAL, reason="HASHZOO_LISTS does not name a folder of the published lists")
def test_csq_trains_on_eight_images_less():
    published = {path.rsplit("/", 1)[-1] for path in read_list(Path(REAL) / "csq-coco-train.txt.xz").paths}
    joined = loader.joined_lists("coco-10k-hashnet-asis")
    ours = set(joined.ids[joined.rows["train"]].tolist())
    assert published < ours
    assert len(ours - published) == 8
