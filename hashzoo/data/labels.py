"""Labels in any form that tools store them in, turned into multi-hot rows (n, C) uint8; the one place for it.

Forms: class numbers of any integer type or as floats (n,), (n, 1), (1, n); names (n,); 0/1 rows (n, C), sparse or
boolean ones too. No label: -1, NaN, an empty name, a row of zeros.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from hashzoo.errors import UsageError

NAMES = ("labels", "label", "targets", "target", "L", "y", "Y")
"""Names under which tools store labels, the most usual first."""


def one_hot(classes: np.ndarray, num_classes: int) -> np.ndarray:
    """Return labels (n, C) uint8 from class indices (n,); -1 gives a row of zeros.

    >>> one_hot(np.array([1, -1]), 2).tolist()
    [[0, 1], [0, 0]]
    """
    labels = np.zeros((len(classes), num_classes), dtype=np.uint8)
    rows = np.flatnonzero(classes >= 0)
    labels[rows, classes[rows]] = 1
    return labels


def indicators(
    items: Iterable[Iterable[Hashable]], known: Iterable[Hashable], dtype: type[np.generic] = np.uint8
) -> np.ndarray:
    """Return (n, C): 1 where an item has one of the C `known` names; other names are left out.

    >>> indicators([("sea", "sky"), ("fog",)], ["sky", "sea"]).tolist()
    [[1, 1], [0, 0]]
    """
    column = {name: at for at, name in enumerate(known)}
    chosen = [[column[name] for name in names if name in column] for names in items]
    rows = np.zeros((len(chosen), len(column)), dtype=dtype)
    for row, columns in enumerate(chosen):
        rows[row, columns] = 1
    return rows


def multi_hot(
    parts: Sequence[Any], name: str = "labels", *, rows: Sequence[int] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the labels of all parts, (n, C) uint8, and the class names; `name` is for messages.

    Class numbers and names are numbered in sorted order over all parts, so that numbers may begin anywhere and be of
    any size. `rows` says how many items each part has, where it is known: a single item with a 0/1 row (1, C) is then
    told from C items with class numbers.

    Raises UsageError for values other than 0 and 1 in rows, negative numbers other than -1, fractions, parts that
    differ in form or width, and where no item has a label.
    """
    arrays = [np.asarray(part.toarray() if hasattr(part, "toarray") else part) for part in parts]
    counts = list(rows) if rows is not None else [None] * len(arrays)
    wide = any(part.ndim == 2 and 1 not in part.shape for part in arrays)
    flat = [_flat(part, count, wide) for part, count in zip(arrays, counts, strict=True)]
    if all(part.ndim == 2 for part in flat):
        return _from_rows(flat, name)
    if not all(part.ndim == 1 for part in flat):
        raise UsageError(f"The labels in {name} have {[part.shape for part in arrays]}; give (n,) or (n, C) in each.")
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


def _flat(part: np.ndarray, count: int | None, wide: bool) -> np.ndarray:
    """Return a single row or column as a vector (MATLAB has none), but not where it is one item's 0/1 row."""
    if part.ndim != 2 or 1 not in part.shape:
        return part
    one_item = part.shape[0] == 1 and part.shape[1] > 1 and (count == 1 if count is not None else wide)
    return part if one_item else part.ravel()


def _from_rows(parts: Sequence[np.ndarray], name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    widths = {part.shape[1] for part in parts}
    if len(widths) != 1:
        raise UsageError(f"The labels in {name} have {sorted(widths)} columns; every part needs the same classes.")
    for part in parts:
        wrong = None if part.dtype.kind in "biuf" else part.reshape(-1)
        if wrong is None and part.dtype.kind != "b":
            wrong = part[(part != 0) & (part != 1)]
        if wrong is not None and len(wrong):
            raise UsageError(
                f"The labels in {name} have rows with values other than 0 and 1 ({wrong[0]!s}); give 0/1 rows (n, C)."
            )
    joined = np.concatenate([part.astype(np.uint8) for part in parts])
    return joined, tuple(str(column) for column in range(joined.shape[1]))


def _as_text_or_number(part: np.ndarray, name: str) -> np.ndarray:
    if part.dtype.kind in "OSU":
        return np.asarray([_text(value) for value in part], dtype=np.str_)
    if part.dtype.kind not in "biuf":
        raise UsageError(f"The labels in {name} are of type {part.dtype}; give class numbers or names.")
    numbers = np.where(np.isfinite(part), part, -1) if part.dtype.kind == "f" else part
    if part.dtype.kind == "f" and (numbers != np.rint(numbers)).any():
        raise UsageError(f"The labels in {name} have fractions; give whole class numbers, names or 0/1 rows (n, C).")
    if len(numbers) and numbers.max() >= 2**63:
        raise UsageError(f"The labels in {name} hold {numbers.max()}, which is no class number; correct it.")
    whole = np.asarray(numbers, dtype=np.int64)
    if (whole < -1).any():
        raise UsageError(
            f"The labels in {name} hold {whole.min()}, which is no class number (-1 says that there is no label); "
            "correct the file."
        )
    return whole


def _text(value: object) -> str:
    """Return a label as text; MATLAB cells hold each string in an array of its own."""
    inner = value.ravel()[0] if isinstance(value, np.ndarray) and value.size else value
    if isinstance(inner, bytes):
        return inner.decode("utf-8", "replace").strip()
    return "" if isinstance(inner, np.ndarray) else str(inner).strip()


def row_numbers(values: Any, total: int, name: str, *, first: int = 0) -> np.ndarray:
    """Return a list of row numbers, counted from `first` (0, or 1 as MATLAB does), as rows 0..total-1 (int64).

    Raises UsageError where they cannot be counted that way: 0 in a list from 1, `total` in a list from 0.

    >>> row_numbers([1, 3], 3, "param.indexQuery", first=1).tolist()
    [0, 2]
    """
    numbers = np.asarray(values).ravel()
    if numbers.dtype.kind not in "iuf" or (numbers != np.rint(numbers)).any():
        raise UsageError(f"{name} holds values that are no row numbers; give whole numbers.")
    rows = numbers.astype(np.int64) - first
    if len(rows) and (rows.min() < 0 or rows.max() >= total):
        wrong = rows.min() + first if rows.min() < 0 else rows.max() + first
        other = 1 - first
        fits = numbers.min() >= other and numbers.max() < total + other
        hint = f"they seem to be counted from {other}, so say first={other}" if fits else "correct the list"
        raise UsageError(
            f"{name} holds the row number {int(wrong)}, and rows of {total:,} items counted from {first} end at "
            f"{total + first - 1:,}; {hint}."
        )
    return rows
