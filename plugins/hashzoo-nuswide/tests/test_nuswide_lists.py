import hashlib
import lzma
import os
import re
from pathlib import Path

import hashzoo_nuswide.loader as loader
import pytest
from hashzoo_nuswide import NUSWIDE

from hashzoo.data import ids_sha256, read_list, split_sha256

REAL = os.environ.get("HASHZOO_LISTS", "")
PROTOCOLS = {protocol.id: protocol for protocol in NUSWIDE.protocols}


def test_shipped_lists_are_those_named():
    text = (loader.LISTS / "SOURCES.md").read_text()
    found = re.findall(r"^    ([0-9a-f]{64})  (\S+)$", text, re.MULTILINE)
    assert len(found) == 9
    for digest, name in found:
        assert hashlib.sha256(lzma.decompress((loader.LISTS / f"{name}.txt.xz").read_bytes())).hexdigest() == digest


@pytest.mark.parametrize("name", ["nuswide21m-10k", "nuswide21m-10k-2040q-asis"])
def test_lists_are_pinned(name):
    joined = loader.joined_lists(name, Path("not needed"))
    parts = {part: joined.ids[rows] for part, rows in joined.rows.items()}
    assert tuple(len(parts[part]) for part in ("query", "train", "database")) == PROTOCOLS[name].sizes
    assert split_sha256(parts["train"], parts["query"], parts["database"]) == PROTOCOLS[name].sha256
    assert len({*parts["query"], *parts["train"], *parts["database"]}) == sum(PROTOCOLS[name].sizes)  # disjoint
    assert joined.labels.any(axis=1).all()
    counts = joined.labels.sum(axis=0, dtype=int)
    assert counts[0] == counts.max()  # sky is the commonest
    if name == "nuswide21m-10k":
        assert counts[:3].tolist() == [62_623, 45_848, 39_836]


@pytest.mark.parametrize(
    ("source", "train", "query", "unlabelled"),
    [
        ("hashnet-pytorch-nuswide_81", "11ce256372a8b5ee", "dab45fe812599f6f", (2185, 1131)),
        ("dhp-nuswide_81_m", "a46dc10f5a83abf7", "863bf9655204c16a", (0, 0)),
        ("dhp-nuswide_21", "5f89e276e2f67d45", "d262ee78fe7b74cb", (0, 0)),
    ],
)
def test_lists_without_a_published_database(source, train, query, unlabelled):
    lists = [loader._list(f"{source}-{part}") for part in ("train", "test")]
    assert [ids_sha256(items.paths)[:16] for items in lists] == [train, query]
    assert tuple(int((~items.labels.any(axis=1)).sum()) for items in lists) == unlabelled
    assert not set(lists[0].paths) & set(lists[1].paths)


@pytest.mark.skipif(not REAL, reason="HASHZOO_LISTS does not name a folder of the published lists")
@pytest.mark.parametrize("part", ["train", "test"])
def test_csq_lists_are_those_published(part):
    published = {path.rsplit("/", 1)[-1] for path in read_list(Path(REAL) / f"csq-nus_wide-{part}.txt.xz").paths}
    joined = loader.joined_lists("nuswide21m-10k-2040q-asis", Path("not needed"))
    assert set(joined.ids[joined.rows["query" if part == "test" else part]].tolist()) == published


def test_concepts():
    names = loader.concepts()
    assert len(names) == 81
    assert list(names) == sorted(names)
    assert set(loader.COMMONEST) <= set(names)
    assert len(set(loader.COMMONEST)) == 21
