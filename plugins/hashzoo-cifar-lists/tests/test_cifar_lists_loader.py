import hashlib
import lzma
import pickle
import re

import hashzoo_cifar_lists.loader as loader
import numpy as np
import pytest
from hashzoo_cifar_lists import CIFAR10_LISTS

from hashzoo import UsageError, WorkError
from hashzoo.data import read_lines, split_sha256

PROTOCOL = CIFAR10_LISTS.protocols[0]


def names(part: str) -> list[str]:
    return read_lines(loader.LISTS / f"deephash-tl-cifar10-{part}.txt.xz")


def test_shipped_lists_are_those_named():
    text = (loader.LISTS / "SOURCES.md").read_text()
    found = re.findall(r"^    ([0-9a-f]{64})  (\w+)$", text, re.MULTILINE)
    assert len(found) == 3
    for digest, part in found:
        content = lzma.decompress((loader.LISTS / f"deephash-tl-cifar10-{part}.txt.xz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest


def test_lists_are_pinned():
    train, query, database = names("train"), names("test"), names("database")
    assert (len(query), len(train), len(database)) == PROTOCOL.sizes
    assert split_sha256(train, query, database) == PROTOCOL.sha256
    rows = [loader.row_of(name) for name in (*train, *query, *database)]
    assert sorted(rows) == list(range(60_000))  # each official row once


def write_batches(folder, per_batch: int = 10) -> np.ndarray:
    """Write batches in the official form (protocol-2 pickles with bytes keys); returns the rows in order."""
    place = folder / loader.FOLDER
    place.mkdir(parents=True)
    rows = np.arange(6 * per_batch * 3072).reshape(6, per_batch, 3072).astype(np.uint8)
    for number, name in enumerate(loader.MD5):
        content = {b"batch_label": name.encode(), b"labels": [i % 10 for i in range(per_batch)], b"data": rows[number]}
        (place / name).write_bytes(pickle.dumps({**content, b"filenames": [b"x.png"] * per_batch}, protocol=2))
    return rows.reshape(-1, 3072)


@pytest.fixture
def few(tmp_path, monkeypatch):
    rows = write_batches(tmp_path)
    digests = {name: hashlib.md5((tmp_path / loader.FOLDER / name).read_bytes()).hexdigest() for name in loader.MD5}
    monkeypatch.setattr(loader, "MD5", digests)
    lists = {"train": ["train/0_9.jpg", "train/4_0.jpg"], "test": ["test/999_3.jpg"], "database": ["train/1_1.jpg"]}
    monkeypatch.setattr(loader, "listed", lambda part: lists[part])
    return rows


def test_rows_are_those_of_the_batches(few, tmp_path):
    splits = loader.load(PROTOCOL, tmp_path)
    assert splits.train.tolist() == [9, 40]
    assert splits.query.tolist() == [53]
    assert splits.table.ids[[9, 53, 0]].tolist() == ["train/0_9.jpg", "test/999_3.jpg", "row 00000"]
    np.testing.assert_array_equal(splits.table.inputs["image"][9], few[9].reshape(3, 32, 32).transpose(1, 2, 0))
    assert splits.table.labels[53].argmax() == 3


def test_bad_batches(few, tmp_path):
    batch = tmp_path / loader.FOLDER / "data_batch_2"
    batch.write_bytes(batch.read_bytes() + b"x")
    with pytest.raises(WorkError, match=r"data_batch_2 is not the official batch"):
        loader.load(PROTOCOL, tmp_path)
    batch.unlink()
    with pytest.raises(WorkError, match=r"data_batch_2 .*does not exist"):
        loader.load(PROTOCOL, tmp_path)


def test_a_pickle_that_runs_something_is_refused(few, tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    content = pickle.dumps({b"data": Evil()}, protocol=2)
    (tmp_path / loader.FOLDER / "data_batch_1").write_bytes(content)
    monkeypatch.setitem(loader.MD5, "data_batch_1", hashlib.md5(content).hexdigest())
    with pytest.raises(WorkError, match=r"__builtin__\.print"):
        loader.load(PROTOCOL, tmp_path)


@pytest.mark.parametrize("name", ["train/5_1.jpg", "test/1_1.jpg", "train/0_99999.jpg", "../x.jpg"])
def test_names_that_are_no_rows(name):
    with pytest.raises(UsageError, match="names no row"):
        loader.row_of(name)


def test_a_row_beyond_the_batch():
    with pytest.raises(UsageError, match="names row 11 of a batch of 10 rows"):
        loader.row_of("train/0_11.jpg", 60)
