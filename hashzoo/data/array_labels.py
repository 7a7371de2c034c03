"""Labels as users store them, turned into multi-hot rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hashzoo.data.tables import one_hot
from hashzoo.errors import UsageError


def labels_of(parts: Sequence[np.ndarray], name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels (n, C) uint8 and class names from the label arrays of all parts; `name` is for messages.

    Each part is (n,), (n, 1) or (1, n) with class numbers (negative or NaN: no label) or names (empty: no label),
    or (n, C) with 0 and 1. Classes are numbered in sorted order over all parts.
    """
    flat = [part.ravel() if part.ndim == 2 and 1 in part.shape else part for part in parts]
    if all(part.ndim == 2 for part in flat):
        return _multi_hot(flat, name)
    if not all(part.ndim == 1 for part in flat):
        raise UsageError(f"The labels in {name} have {[part.shape for part in parts]}; give (n,) or (n, C) in each.")
    values = [_as_text_or_number(part, name) for part in flat]
    if len({part.dtype.kind for part in values}) != 1:
        raise UsageError(f"The labels in {name} are partly names and partly numbers; give one kind.")
    joined = np.concatenate(values)
    labelled = joined != "" if joined.dtype.kind == "U" else joined >= 0
    known, classes = np.unique(joined[labelled], return_inverse=True)
    if not len(known):
        raise UsageError(f"No item has a label in {name}; retrieval cannot be measured without labels.")
    numbers = np.full(len(joined), -1, dtype=np.int64)
    numbers[labelled] = classes
    return one_hot(numbers, len(known)), tuple(str(value) for value in known)


def _multi_hot(parts: Sequence[np.ndarray], name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    widths = {part.shape[1] for part in parts}
    if len(widths) != 1:
        raise UsageError(f"The labels in {name} have {sorted(widths)} columns; every part needs the same classes.")
    joined = np.concatenate(parts)
    if joined.dtype.kind not in "biuf" or not np.isin(joined, (0, 1)).all():
        raise UsageError(f"The labels in {name} have rows with values other than 0 and 1; give 0/1 rows (n, C).")
    return joined.astype(np.uint8), tuple(str(column) for column in range(joined.shape[1]))


def _as_text_or_number(part: np.ndarray, name: str) -> np.ndarray:
    if part.dtype.kind in "OSU":
        return np.asarray([_text(value) for value in part], dtype=np.str_)
    if part.dtype.kind not in "biuf":
        raise UsageError(f"The labels in {name} are of type {part.dtype}; give class numbers or names.")
    numbers = np.where(np.isfinite(part), part, -1) if part.dtype.kind == "f" else part
    if (numbers != np.rint(numbers)).any():
        raise UsageError(f"The labels in {name} have fractions; give whole class numbers, names or 0/1 rows (n, C).")
    return np.asarray(numbers, dtype=np.int64)


def _text(value: object) -> str:
    """Return a label as text; MATLAB cells hold each string in an array of its own."""
    inner = value.ravel()[0] if isinstance(value, np.ndarray) and value.size else value
    if isinstance(inner, bytes):
        return inner.decode("utf-8", "replace").strip()
    return "" if isinstance(inner, np.ndarray) else str(inner).strip()
