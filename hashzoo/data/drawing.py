"""Splits of users' own data: how many queries and training items where they were not asked for, and which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hashzoo.data.options import number_or_share, refuse_given, yes_or_no
from hashzoo.data.splits import draw_counts, proportional, strata
from hashzoo.errors import UsageError

MOST_QUERIES, MOST_TRAIN = 1_000, 5_000
"""Largest parts taken where nothing was asked, the sizes of the field's CIFAR-10 protocols."""

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def draw_by_size(
    ids: np.ndarray,
    labels: np.ndarray,
    queries: int | float,
    train: int | float,
    seed: str,
    *,
    train_in_database: object = False,
) -> tuple[Rows, tuple[str, ...]]:
    """Return the (train, query, database) rows of items with multi-hot `labels` (n, C), and notes on what was chosen.

    `queries` and `train` are numbers or shares of the labelled items; 0 stands for a tenth, at most 1,000, and for
    half of the others, at most 5,000. They are taken class by class in proportion (from all labelled items alike where
    the data are multi-label), by the sha256 of "<seed>/<id>". Unlabelled items go to the database.

    Raises UsageError for more items than are labelled.
    """
    classes = strata(labels)
    sizes = np.bincount(classes[classes >= 0], minlength=1)
    labelled = int(sizes.sum())
    wanted = _count("queries", queries, labelled) or min(MOST_QUERIES, max(labelled // 10, 1))
    learned = _count("train", train, labelled) or min(MOST_TRAIN, max((labelled - wanted) // 2, 1))
    if wanted + learned > labelled:
        raise UsageError(
            f"{wanted:,} queries and {learned:,} training items were asked, but only {labelled:,} items have a label; "
            "ask for fewer."
        )
    notes = () if queries and train else (chosen_note(wanted, learned, len(ids) - wanted - learned),)
    query = proportional(sizes, wanted)
    learn = proportional(sizes - query, learned)
    counts = {label: (int(query[label]), int(learn[label])) for label in range(len(sizes))}
    with_train = yes_or_no("train_in_database", train_in_database)
    return draw_counts(ids, classes, counts, seed, train_in_database=with_train), notes


def require_undrawn(asked: Mapping[str, Any], source: str, *, train_in_database: bool = False) -> None:
    """Raise UsageError for options of a draw that were given (`asked`) where the parts come from elsewhere.

    `source` says whose the parts are, "the lists' own"; `train_in_database` is that option's default.
    """
    defaults = {"queries": 0, "train": 0, "seed": 0, "train_in_database": train_in_database}
    refuse_given(asked, defaults, f"The parts are {source} and nothing is drawn")


def chosen_note(queries: int, train: int, rest: int) -> str:
    """Return the sentence that says which sizes were taken where none were asked."""
    return (
        f"The sizes of the split were chosen here: {queries:,} queries, {train:,} training items, {rest:,} others in "
        "the database; data.queries and data.train set them."
    )


def _count(name: str, value: int | float, of: int) -> int:
    """Return a number of items asked as number or share; 0 (not asked) stays 0."""
    if value in (0, "0") and not isinstance(value, bool):
        return 0
    asked = number_or_share(name, value)
    return asked if isinstance(asked, int) else max(round(asked * of), 1)
