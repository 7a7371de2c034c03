"""The CIFAR-10 protocols as lists of item ids, known without the images.

An item is named "<class>/<ordinal>": the class index 0..9 and the item's rank 0000..5999 inside its class, over
data_batch_1..5 and then test_batch, so that in every class the first 5,000 are the official training images and
the last 1,000 the official test images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashzoo.data.labels import one_hot
from hashzoo.data.splits import Quota, draw_rows, hash_order, make_splits
from hashzoo.errors import UsageError
from hashzoo.specs import Protocol, Splits, Table

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

SEED = "cifar10"
QUOTAS = {
    "5k-disjoint": Quota(SEED, query=100, train=500, train_in_database=False),
    "5k": Quota(SEED, query=100, train=500, train_in_database=True),
}
"""Per class; both draw the same queries and training items."""


@dataclass(frozen=True)
class PerClass:
    """How many official training and test images a class has."""

    train: int = 5000
    test: int = 1000

    @property
    def total(self) -> int:
        """All images of a class."""
        return self.train + self.test


def item_ids(per_class: PerClass) -> np.ndarray:
    """Return all ids, class by class, in rank order."""
    return np.asarray([f"{c}/{rank:04d}" for c in range(len(CLASS_NAMES)) for rank in range(per_class.total)])


def item_classes(per_class: PerClass) -> np.ndarray:
    """Return the class index of every id."""
    return np.repeat(np.arange(len(CLASS_NAMES)), per_class.total)


def cifar10_rows(
    protocol: Protocol, per_class: PerClass, quotas: dict[str, Quota] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the (train, query, database) rows of a protocol, told by its id after the dataset's name.

    "5k-disjoint" and "5k" draw by `quotas` (default QUOTAS); "50k" takes the official test images as
    queries and the official training images as both train and database.
    """
    kind = protocol.id.removeprefix(f"{protocol.dataset}-")
    ids, classes = item_ids(per_class), item_classes(per_class)
    if kind == "50k":
        order = hash_order(ids, SEED)
        is_test = (order % per_class.total) >= per_class.train
        return order[~is_test], order[is_test], order[~is_test]
    quota = (quotas or QUOTAS).get(kind)
    if quota is None:
        raise UsageError(f"Protocol {protocol.id} has no CIFAR-10 lists here; known: {', '.join([*QUOTAS, '50k'])}.")
    return draw_rows(ids, classes, quota)


def cifar10_splits(
    protocol: Protocol,
    pixels: np.ndarray,
    fingerprint: str,
    per_class: PerClass,
    quotas: dict[str, Quota] | None = None,
) -> Splits:
    """Return the Splits over `pixels` (n, 32, 32, 3), which are in the order of `item_ids`."""
    table = Table(
        inputs={"image": pixels},
        labels=one_hot(item_classes(per_class), len(CLASS_NAMES)),
        ids=item_ids(per_class),
        fingerprint=fingerprint,
        class_names=CLASS_NAMES,
    )
    return make_splits(table, *cifar10_rows(protocol, per_class, quotas))
