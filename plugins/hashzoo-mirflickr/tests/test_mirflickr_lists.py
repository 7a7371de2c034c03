import hashlib
import lzma
import re

import hashzoo_mirflickr.loader as loader
import numpy as np
from hashzoo_mirflickr import MIRFLICKR, MIRFLICKR_TAGS
from hashzoo_mirflickr.official import ALL_LABELS, LABELS

from hashzoo.data import split_sha256

PROTOCOL = MIRFLICKR.protocols[0]


def test_shipped_lists_are_those_named():
    text = (loader.LISTS / "SOURCES.md").read_text()
    found = re.findall(r"^    ([0-9a-f]{64})  (\w+)$", text, re.MULTILINE)
    assert len(found) == 3
    for digest, part in found:
        content = lzma.decompress((loader.LISTS / f"dhp-mirflickr-{part}.txt.xz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest


def test_lists_are_pinned(tmp_path):
    splits = loader.load(PROTOCOL, tmp_path, lists_only=True)
    assert splits.sha256 == PROTOCOL.sha256
    assert (len(splits.query), len(splits.train), len(splits.database)) == PROTOCOL.sizes
    assert len(splits.table.ids) == 25_000  # disjoint
    unlabelled = [int((~splits.table.labels[rows].any(axis=1)).sum()) for rows in (splits.query, splits.train)]
    assert unlabelled == [19, 72]


def test_38_labels_have_all_but_the_relevance_of_24():
    joined = loader.published_lists()
    query, database = (joined.labels[joined.rows[part]].astype(np.float32) for part in ("query", "database"))
    base = [ALL_LABELS.index(name) for name in LABELS]
    relevant = query @ database.T > 0
    by_base = query[:, base] @ database[:, base].T > 0
    # four images have people_r1 and not people, so that the one set is not wholly inside the other
    assert (relevant != by_base).sum() == 86
    assert round(float(relevant.mean()), 3) == 0.535
    assert relevant.any(axis=1).sum() == 981


def test_labels_by_number():
    labels = loader.listed_labels()
    assert labels.sum() == 92_902
    assert (~labels.any(axis=1)).sum() == 419
    assert labels[:, LABELS.index("people")].sum() == 10_373
    assert labels[:, LABELS.index("baby")].sum() == 259


def test_the_24581_labelled_images_are_pinned():
    protocol = next(p for p in MIRFLICKR_TAGS.protocols if p.id == "mirflickr-24581-10k")
    labels = loader.listed_labels()
    ids = np.asarray([f"im{number}.jpg" for number in range(1, 25_001)])
    train, query, database = loader.drawn(protocol, ids, labels, np.zeros((25_000, 1)))
    assert (len(query), len(train), len(database)) == protocol.sizes
    assert split_sha256(ids[train], ids[query], ids[database]) == protocol.sha256


def test_rows_by_label_have_the_published_sizes():
    labels = loader.listed_labels()
    ids = np.asarray([f"im{number}.jpg" for number in range(1, 25_001)])
    rows = np.flatnonzero(labels.any(axis=1))
    train, query, database = loader.by_label(ids, labels, rows, 2000, 5000)
    assert (len(query), len(train), len(database)) == (2000, 5000, len(rows) - 2000)
    assert not set(query) & set(database)
    assert set(train) <= set(database)
    assert labels[query][:, LABELS.index("baby")].sum() >= 80  # a rare label has its share


def test_every_label_gives_its_queries_and_then_its_training_items():
    """DJSRH's loop, item by item: 24 labels, (160, 80) queries and (400, 200) training items each, then filled up."""
    labels = loader.listed_labels()
    ids = [f"im{number}.jpg" for number in range(1, 25_001)]
    rows = np.flatnonzero(labels.any(axis=1))
    order = sorted(rows.tolist(), key=lambda row: hashlib.sha256(f"mirflickr-bow/{ids[row]}".encode()).digest())
    part: dict[int, str] = {}
    for label in range(24):
        for name, first, other in (("query", 160, 80), ("train", 400, 200)):
            left = first if label == 0 else other
            for row in order:
                if left and row not in part and labels[row, label]:
                    part[row] = name
                    left -= 1
    for name, total in (("query", 2000), ("train", 5000)):
        for row in order:
            if list(part.values()).count(name) < total and row not in part:
                part[row] = name
    train, query, database = loader.by_label(np.asarray(ids), labels, rows, 2000, 5000)
    assert query.tolist() == [row for row in order if part.get(row) == "query"]
    assert train.tolist() == [row for row in order if part.get(row) == "train"]
    assert database.tolist() == [row for row in order if part.get(row) != "query"]
