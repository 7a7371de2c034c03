"""A held-out part of the train split, on which recipes are chosen; the protocol's queries take no part in it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from hashzoo.data.splits import draw_counts, make_splits, strata
from hashzoo.errors import UsageError
from hashzoo.specs import Splits

SEED = "validation"


def validation_splits(splits: Splits, fraction: float = 0.2, seed: str = SEED) -> Splits:
    """Return the splits inside the train split: train' and, from the held-out rest, queries and database.

    In every class the `fraction` of the training items that comes first by sha256 of "<seed>/<id>" is held out;
    half of it (rounded down) are queries, the other half the database, and all else is train'. Multi-label data
    are one class. Unlabelled items stay in train'. Every row of the result is a row of `splits.train`.

    Where every item that is searched was trained on (the database is the train split), it is so here too: all that is
    held out are queries, and the database is train'. What codes of training items owe to their labels then counts in
    the choice as much as it does on the board.

    Raises UsageError where `fraction` is not between 0 and 1 or leaves some part empty.
    """
    if not 0 < fraction < 1:
        raise UsageError(f"The validation fraction must be between 0 and 1, got {fraction}; 0.2 is usual.")
    rows = splits.train
    ids = splits.table.ids[rows]
    classes = strata(splits.table.labels[rows])
    trained = len(splits.database) > 0 and bool(np.isin(splits.database, rows).all())
    counts: dict[int, tuple[int, int]] = {}
    for label in np.unique(classes[classes >= 0]):
        members = int((classes == label).sum())
        held_out = round(members * fraction)
        queries = held_out if trained else held_out // 2
        counts[int(label)] = (queries, held_out - queries)
    database, query, train = draw_counts(ids, classes, counts, seed, train_in_database=False)
    if trained:
        database = train[np.isin(rows[train], splits.database)]
    if not (len(query) and len(database) and len(train)):
        raise UsageError(
            f"A validation fraction of {fraction} of {len(rows):,} training items leaves {len(train):,} for training, "
            f"{len(query):,} queries and {len(database):,} database items; choose a fraction that leaves some of each."
        )
    parts = (rows[train], rows[query], rows[database])
    return make_splits(splits.table, *parts, notes=splits.notes, details=splits.details)


def keep_used(splits: Splits) -> Splits:
    """Return the same splits over a table that holds only their own rows.

    What is computed for the table (frozen features) then touches nothing else; the fingerprint becomes that of
    the old table and the rows kept.
    """
    rows = np.unique(np.concatenate([splits.train, splits.query, splits.database]))
    old = splits.table
    key = hashlib.sha256(old.fingerprint.encode() + rows.astype("<i8").tobytes()).hexdigest()
    inputs = {name: np.ascontiguousarray(array[rows]) for name, array in old.inputs.items()}
    table = replace(old, inputs=inputs, labels=old.labels[rows], ids=old.ids[rows], fingerprint=key)
    parts = (np.searchsorted(rows, part) for part in (splits.train, splits.query, splits.database))
    return make_splits(table, *parts, notes=splits.notes, details=splits.details)
