"""What is wrong, or worth knowing, about a split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hashzoo.data.splits import PARTS
from hashzoo.errors import UsageError
from hashzoo.specs import Protocol, Splits, Table


@dataclass(frozen=True)
class SplitReport:
    """Counts about a split; `problems` make it unusable, `notes` are worth knowing.

    `overlaps` and `duplicates` have the keys "query-train", "query-database" and "train-database": rows that are in
    both parts, and items of the first part whose inputs (all modalities, byte for byte) are also those of another
    item in the second. `class_counts` has one list per part, in the order of `class_names`.
    """

    protocol: str
    sha256: str
    sizes: Mapping[str, int]
    overlaps: Mapping[str, int]
    unlabelled: Mapping[str, int]
    duplicates: Mapping[str, int]
    class_names: tuple[str, ...]
    class_counts: Mapping[str, list[int]]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields with lists for tuples, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


_PAIRS = (("query", "train"), ("query", "database"), ("train", "database"))


def require_usable(splits: Splits, protocol: Protocol) -> None:
    """Raise UsageError, naming every problem, for a split on which no number can be measured.

    These are: labels that do not fit the items, an empty part, a part in which nothing is labelled, a row twice in
    a part, queries that are also training items, and queries that are in the database unless the protocol says so.
    """
    problems = split_problems(splits, protocol)
    if problems:
        raise UsageError(f"The split of {protocol.id} cannot be used: {'; '.join(problems)}.")


def split_problems(splits: Splits, protocol: Protocol) -> list[str]:
    """Return the problems that `require_usable` refuses, each as a phrase with what to do."""
    table = splits.table
    if table.labels.ndim != 2 or len(table.labels) != len(table.ids) or table.labels.shape[1] == 0:
        return [f"labels of shape {table.labels.shape} for {len(table.ids):,} items; one row of 0/1 per item is needed"]
    problems = [
        f"{modality} has {len(array):,} rows for {len(table.ids):,} items; give one row per item"
        for modality, array in table.inputs.items()
        if len(array) != len(table.ids)
    ]
    for part in PARTS:
        rows = getattr(splits, part)
        if not len(rows):
            problems.append(f"the {part} part is empty; give it some items")
        elif rows.min() < 0 or rows.max() >= len(table.ids):
            problems.append(f"the {part} part names rows outside the {len(table.ids):,} items; correct its lists")
        elif not table.labels[rows].any():
            problems.append(f"no item of the {part} part has a label; give labels")
        if len(np.unique(rows)) != len(rows):
            problems.append(f"the {part} part lists {len(rows) - len(np.unique(rows)):,} rows twice; list each once")
    overlaps = _overlaps(splits)
    if overlaps["query-train"]:
        problems.append(f"{overlaps['query-train']:,} queries are also training items; make the two disjoint")
    if overlaps["query-database"] and not protocol.queries_in_database:
        problems.append(f"{overlaps['query-database']:,} queries are also in the database; make the two disjoint")
    return problems


def check_splits(splits: Splits, protocol: Protocol) -> SplitReport:
    """Return all that is known about a split, duplicates included (this reads every input once)."""
    table = splits.table
    problems = split_problems(splits, protocol)
    readable = table.labels.ndim == 2 and len(table.labels) == len(table.ids)
    labels = table.labels if readable else np.zeros((len(table.ids), 0), dtype=np.uint8)
    parts = {part: getattr(splits, part) for part in PARTS}
    usable = all(not len(rows) or (rows.min() >= 0 and rows.max() < len(table.ids)) for rows in parts.values())
    known = parts if usable else {part: np.empty(0, dtype=np.int64) for part in PARTS}
    unlabelled = {part: int((~labels[rows].any(axis=1)).sum()) for part, rows in known.items()}
    duplicates = _duplicates(table, known)
    return SplitReport(
        protocol=protocol.id,
        sha256=splits.sha256,
        sizes={part: len(rows) for part, rows in parts.items()},
        overlaps=_overlaps(splits),
        unlabelled=unlabelled,
        duplicates=duplicates,
        class_names=table.class_names or tuple(str(c) for c in range(labels.shape[1])),
        class_counts={part: labels[rows].sum(axis=0, dtype=np.int64).tolist() for part, rows in known.items()},
        problems=tuple(problems),
        notes=tuple(_notes(unlabelled, duplicates)),
    )


def _overlaps(splits: Splits) -> dict[str, int]:
    rows: dict[str, Any] = {part: getattr(splits, part) for part in PARTS}
    return {f"{a}-{b}": len(np.intersect1d(rows[a], rows[b])) for a, b in _PAIRS}


def _duplicates(table: Table, parts: Mapping[str, np.ndarray]) -> dict[str, int]:
    wanted = np.unique(np.concatenate(list(parts.values()))) if parts else np.empty(0, dtype=np.int64)
    digests = {int(row): _digest(table, int(row)) for row in wanted}
    counts: dict[str, int] = {}
    for a, b in _PAIRS:
        holders: dict[bytes, set[int]] = {}
        for row in parts[b].tolist():
            holders.setdefault(digests[row], set()).add(row)
        counts[f"{a}-{b}"] = sum(1 for row in parts[a].tolist() if holders.get(digests[row], set()) - {row})
    return counts


def _digest(table: Table, row: int) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for modality in sorted(table.inputs):
        digest.update(np.ascontiguousarray(table.inputs[modality][row]).tobytes())
    return digest.digest()


def _notes(unlabelled: Mapping[str, int], duplicates: Mapping[str, int]) -> list[str]:
    notes = [f"{count:,} items of the {part} part have no label" for part, count in unlabelled.items() if count]
    for pair, count in duplicates.items():
        a, b = pair.split("-")
        if count and a == "query":
            notes.append(f"{count:,} queries have the same inputs as some other item of the {b} part")
    return notes
