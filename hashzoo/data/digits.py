"""The 1,797 handwritten digits that come with scikit-learn: the embedded datasets, whole and in two halves.

Source: scikit-learn `load_digits`, the test part of the UCI set "Optical Recognition of Handwritten Digits"
(Alpaydin & Kaynak 1998), 8 x 8 pixels with 17 grey levels 0..16.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hashzoo.data.labels import one_hot
from hashzoo.data.splits import Quota, draw_rows, make_splits
from hashzoo.data.tables import fingerprint_of
from hashzoo.specs import Protocol, Splits, Table

QUOTA = Quota("digits", query=30, train=50, train_in_database=False)
CLASS_NAMES = tuple(str(digit) for digit in range(10))
_WHITE = 16  # the largest grey level


def load(protocol: Protocol, root: Path) -> Splits:
    """Return the digits as images (1797, 8, 8, 3) uint8; grey levels 0..16 become 0..255 in all three channels."""
    grey, classes = _digits()
    levels = np.rint(grey * (255 / _WHITE)).astype(np.uint8)
    return _splits({"image": np.repeat(levels[..., np.newaxis], 3, axis=3)}, classes)


def load_halves(protocol: Protocol, root: Path) -> Splits:
    """Return the left and right halves as vectors (1797, 32) float32 in 0..1, row by row.

    Two halves of one image as two views is the set-up of deep CCA (Andrew et al., ICML 2013, on MNIST).
    """
    grey, classes = _digits()
    scaled = (grey / _WHITE).astype(np.float32)
    halves = {"left": scaled[:, :, :4], "right": scaled[:, :, 4:]}
    return _splits({name: np.ascontiguousarray(half.reshape(len(half), -1)) for name, half in halves.items()}, classes)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.asarray(digits.images), np.asarray(digits.target, dtype=np.int64)


def _splits(inputs: dict[str, np.ndarray], classes: np.ndarray) -> Splits:
    ids = np.asarray([f"{row:04d}" for row in range(len(classes))])
    labels = one_hot(classes, len(CLASS_NAMES))
    table = Table(inputs, labels, ids, fingerprint_of(inputs), CLASS_NAMES)
    return make_splits(table, *draw_rows(ids, classes, QUOTA))
