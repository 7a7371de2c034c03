"""The published rules that make lists of rows from a bundle, without which row means what being known.

Each is reproducible: an order of rows, or a permutation of numpy's legacy generator with a seed, whose stream numpy
keeps. An item is named by its row, six digits, counted from 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Rule:
    """How many rows the bundle must have, and which are queries and training items; the rest is searched.

    `seed`: the queries are the first of a permutation, the training items the next, the database all after the
    queries. Without a seed the rows are taken in order; `last`: the queries are the last rows, else the first. The
    training items are the first rows that are no queries, or all of them where `train` is 0.
    """

    rows: int
    query: int
    train: int
    seed: int | None = None
    last: bool = False

    def __call__(self) -> Rows:
        """Return the (train, query, database) rows."""
        if self.seed is None:
            order = np.arange(self.rows)
            order = np.roll(order, self.query) if self.last else order
        else:
            order = np.random.RandomState(self.seed).permutation(self.rows)
        database = order[self.query :]
        return (database[: self.train] if self.train else database), order[: self.query], database

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Queries, training items, database."""
        return self.query, self.train or self.rows - self.query, self.rows - self.query


RULES = {
    "mirflickr-bow-first": Rule(20_015, 2_000, 10_000),
    "mirflickr-bow-torchcmh": Rule(20_015, 2_000, 10_000, seed=6),
    "nuswide21-bow-torchcmh": Rule(195_834, 2_100, 10_500, seed=7),
    "iaprtc12-bow-torchcmh": Rule(20_000, 2_000, 10_000, seed=8),
    "coco-bow-torchcmh": Rule(122_218, 5_000, 10_000, seed=8),
    "mirflickr-bow-mith": Rule(20_015, 2_000, 10_000, seed=1),
    "nuswide21-bow-mith": Rule(190_421, 2_100, 10_500, seed=1),
    "coco-captions-mith": Rule(122_218, 5_000, 10_000, seed=1),
    "mirflickr-vector-ucch": Rule(20_015, 2_000, 0, last=True),
    "nuswide10-vector-ucch": Rule(186_577, 2_100, 0, last=True),
    "mirflickr-vector-dadh": Rule(20_015, 2_000, 10_000, last=True),
    "nuswide21-vector-dadh": Rule(195_834, 2_100, 10_000),
}
