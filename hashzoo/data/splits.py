"""Splits that depend on nothing but item ids, classes and a seed string.

Inside a class, items are ordered by the sha256 of "<seed>/<id>"; the first are queries, the next training items,
the rest database. No random number generator takes part, so the lists are the same on every machine and in
every version of every library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hashzoo.errors import UsageError, WorkError
from hashzoo.specs import Protocol, Splits, Table

PARTS = ("train", "query", "database")


@dataclass(frozen=True)
class Quota:
    """How many items of each class are queries and training items; the rest is the database.

    `seed` goes into the order of items; two quotas with one seed and the same numbers draw the same queries and
    training items. `train_in_database` says whether the training items are searched too.
    """

    seed: str
    query: int
    train: int
    train_in_database: bool


def order_key(seed: str, item_id: str) -> bytes:
    """Return the sha256 of "<seed>/<id>" (UTF-8), by which items are ordered.

    >>> order_key("cifar10-5k", "0/0000").hex()[:8]
    'e5c2b663'
    """
    return hashlib.sha256(f"{seed}/{item_id}".encode("utf-8", "surrogateescape")).digest()


def hash_order(ids: Sequence[str] | np.ndarray, seed: str) -> np.ndarray:
    """Return the rows (int64) of `ids` in the order of their `order_key`."""
    keys = [order_key(seed, str(item_id)) for item_id in ids]
    return np.asarray(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def draw_rows(
    ids: Sequence[str] | np.ndarray, classes: np.ndarray, quota: Quota
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw (train, query, database) rows, the same number of queries and training items from every class.

    `classes` holds one class index per item, -1 for an item without a label; such items are never drawn and go
    to the database. Every list is in hash order, so its classes are mixed.

    Raises UsageError when a class has fewer items than the two quotas together.
    """
    counts = {int(c): (quota.query, quota.train) for c in np.unique(classes) if c >= 0}
    return draw_counts(ids, classes, counts, quota.seed, train_in_database=quota.train_in_database)


def draw_counts(
    ids: Sequence[str] | np.ndarray,
    classes: np.ndarray,
    counts: dict[int, tuple[int, int]],
    seed: str,
    *,
    train_in_database: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw (train, query, database) rows with (queries, training items) given class by class in `counts`."""
    if len(set(map(str, ids))) != len(ids):
        raise UsageError("The item ids repeat, so no split can be drawn from them; give every item its own id.")
    order = hash_order(ids, seed)
    train: list[np.ndarray] = []
    query: list[np.ndarray] = []
    for label, (query_count, train_count) in sorted(counts.items()):
        members = order[classes[order] == label]
        if len(members) < query_count + train_count:
            raise UsageError(
                f"Class {label} has {len(members)} items, but {query_count} queries and {train_count} training "
                "items were asked of every class; ask for fewer or add items."
            )
        query.append(members[:query_count])
        train.append(members[query_count : query_count + train_count])
    part = np.full(len(ids), 2, dtype=np.int8)
    part[_joined(train)] = 0
    part[_joined(query)] = 1
    in_order = part[order]
    database = order[in_order != 1] if train_in_database else order[in_order == 2]
    return order[in_order == 0], order[in_order == 1], database


def draw_alike(
    ids: Sequence[str] | np.ndarray, query: int, train: int, seed: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw (train, query, database) rows from all items alike, as is usual for multi-label data.

    The first `query` items in hash order are queries, the next `train` training items; these are searched too.
    """
    one = np.zeros(len(ids), dtype=np.int64)
    return draw_counts(ids, one, {0: (query, train)}, seed, train_in_database=True)


def _joined(rows: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)


def proportional(sizes: np.ndarray, total: int) -> np.ndarray:
    """Return how many of `total` fall to each class of the given sizes: largest remainders, ties to the first.

    >>> proportional(np.array([50, 30, 20]), 7).tolist()
    [4, 2, 1]
    """
    if not sizes.sum():
        return np.zeros(len(sizes), dtype=np.int64)
    whole, remainder = np.divmod(sizes.astype(np.int64) * total, int(sizes.sum()))
    extra = np.argsort(-remainder, kind="stable")[: total - int(whole.sum())]
    whole[extra] += 1
    return np.asarray(whole, dtype=np.int64)


def ids_sha256(ids: Iterable[str]) -> str:
    """Return the sha256 of one id list: each id in its order, UTF-8, each followed by one line feed.

    >>> ids_sha256(["a", "b"]) == hashlib.sha256(b"a\\nb\\n").hexdigest()
    True
    """
    lines = [str(item_id) for item_id in ids]
    broken = next((line for line in lines if "\n" in line), None)
    if broken is not None:
        raise UsageError(f"The item id {broken!r} contains a line break; rename that item.")
    text = "".join(f"{line}\n" for line in lines)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def split_sha256(train: Iterable[str], query: Iterable[str], database: Iterable[str]) -> str:
    """Return the sha256 that names a split.

    It is taken over the ASCII text of four lines, each ended by one line feed: "hashzoo split 1", then
    "train <sha256>", "query <sha256>" and "database <sha256>", where each <sha256> is `ids_sha256` in lower-case
    hexadecimal. The order inside the lists counts.
    """
    return _combined([ids_sha256(train), ids_sha256(query), ids_sha256(database)])


def _combined(digests: Sequence[str]) -> str:
    lines = ["hashzoo split 1", *(f"{part} {digest}" for part, digest in zip(PARTS, digests, strict=True))]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("ascii")).hexdigest()


def named_by_content(splits: Splits) -> Splits:
    """Return splits whose sha256 is over inputs and labels as well as over the three id lists.

    For a protocol that names no sha256: ids of own data are often row numbers, which say nothing of the items, and
    nobody else's copy of the data has to have the same name. Taken over the ASCII text of four lines, "hashzoo data 1",
    "split <sha256>", "inputs <fingerprint>" and "labels <sha256>", the last over class names, type, shape and values.
    """
    table = splits.table
    labels = hashlib.sha256(f"{list(table.class_names)!r} {table.labels.dtype.str} {table.labels.shape}\n".encode())
    labels.update(np.ascontiguousarray(table.labels).data)
    lines = (f"split {splits.sha256}", f"inputs {table.fingerprint}", f"labels {labels.hexdigest()}")
    text = "".join(f"{line}\n" for line in ("hashzoo data 1", *lines))
    return replace(splits, sha256=hashlib.sha256(text.encode("ascii")).hexdigest())


def make_splits(
    table: Table,
    train: np.ndarray,
    query: np.ndarray,
    database: np.ndarray,
    *,
    notes: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
) -> Splits:
    """Return the Splits of a table and its three lists of rows, with their sha256; see `Splits` for the rest."""
    rows = [np.asarray(part, dtype=np.int64) for part in (train, query, database)]
    sha256 = split_sha256(*(table.ids[part] for part in rows))
    return Splits(table, rows[0], rows[1], rows[2], sha256, tuple(notes), dict(details or {}))


def require_pinned(splits: Splits, protocol: Protocol) -> None:
    """Raise WorkError when a split is not the one its protocol names (sizes or sha256)."""
    sizes = (len(splits.query), len(splits.train), len(splits.database))
    for part, found, expected in zip(
        ("queries", "training items", "database items"), sizes, protocol.sizes, strict=True
    ):
        if expected and found != expected:
            raise WorkError(
                f"Protocol {protocol.id} has {expected:,} {part}, but the loaded data gave {found:,}; "
                "the data are incomplete or not those of this protocol."
            )
    if protocol.sha256 and splits.sha256 != protocol.sha256:
        raise WorkError(
            f"The split loaded for protocol {protocol.id} has sha256 {splits.sha256[:16]}..., the protocol names "
            f"{protocol.sha256[:16]}...; the data are not those of this protocol, or the data set plugin changed."
        )


def split_json(splits: Splits, protocol: Protocol) -> dict[str, Any]:
    """Return the content of `split.json`: sizes, the sha256 of each id list and of all, and the protocol's id."""
    parts = {part: getattr(splits, part) for part in PARTS}
    return {
        "schema": 1,
        "protocol": protocol.id,
        "dataset": protocol.dataset,
        "sizes": {part: len(rows) for part, rows in parts.items()},
        "sha256": splits.sha256,
        "ids_sha256": {part: ids_sha256(splits.table.ids[rows]) for part, rows in parts.items()},
        "items": len(splits.table.ids),
        "classes": list(splits.table.class_names),
        "fingerprint": splits.table.fingerprint,
        "notes": list(splits.notes),
        "details": dict(splits.details),
    }


def strata(labels: np.ndarray) -> np.ndarray:
    """Return the stratum of each row of multi-hot `labels` (n, C): its class, or one stratum 0 for multi-label data.

    Rows without a label get -1.
    """
    classes = np.zeros(len(labels), dtype=np.int64) if is_multilabel(labels) else labels.argmax(axis=1)
    return np.where(labels.any(axis=1), classes, -1).astype(np.int64)


def is_multilabel(labels: np.ndarray) -> bool:
    """Return whether some row of `labels` (n, C) has several labels."""
    return bool(labels.sum(axis=1, dtype=np.int64).max(initial=0) > 1)
