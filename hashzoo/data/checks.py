"""What is wrong, or worth knowing, about a split.

Errors make it unusable: an empty part, a query among the training items. Warnings are flaws that change numbers: a
query that finds itself, queries to which nothing is relevant, copies of queries in the database. Notes are the rest.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from hashzoo.data.label_orders import recognise
from hashzoo.data.splits import PARTS
from hashzoo.errors import UsageError
from hashzoo.specs import Protocol, Splits, Table

HIGH_CHANCE = 0.3
"""A figure that random codes reach and that leaves little room above; COCO, NUS-WIDE and MIRFLICKR are there."""


@dataclass(frozen=True)
class SplitReport:
    """Counts about a split; `problems` make it unusable, `warnings` change numbers, `notes` are worth knowing.

    `overlaps` and `duplicates` have the keys "query-train", "query-database" and "train-database": rows that are in
    both parts, and items of the first part whose inputs (all modalities, byte for byte) are also those of another
    item in the second. `repeated` counts items of all parts whose inputs are those of some other, `conflicts` those of
    them with other labels, `most_copies` is the largest number of items with the same inputs. `class_counts` has one
    list per part, in the order of `class_names`; `labels_per_item` is the mean and the maximum over labelled items.
    `label_order` names the order of the label columns where it is a known one. `without_relevant` counts queries to
    which no other database item is relevant, and `map_cap` is the highest mAP that this leaves. `chance` is the mean
    share of relevant items in the database, which random codes reach as mAP. `expected` are the protocol's sizes,
    `empty_classes` the classes without an item.
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
    warnings: tuple[str, ...] = ()
    expected: Mapping[str, int] = field(default_factory=dict)
    items: int = 0
    labels_per_item: tuple[float, int] = (0.0, 0)
    label_order: str = ""
    repeated: int = 0
    conflicts: int = 0
    most_copies: int = 1
    without_relevant: int = 0
    map_cap: float = 1.0
    chance: float = 0.0
    empty_classes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields with lists for tuples, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


_PAIRS = (("query", "train"), ("query", "database"), ("train", "database"))
_NAMES = {"query": "queries", "train": "training items", "database": "database items"}


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


def check_splits(splits: Splits, protocol: Protocol, *faults: str) -> SplitReport:
    """Return all that is known about a split, duplicates included (this reads every input once).

    `faults` are errors met when the data were loaded.
    """
    table = splits.table
    problems = [*split_problems(splits, protocol), *_not_as_pinned(splits, protocol), *faults]
    parts: dict[str, np.ndarray] = {part: getattr(splits, part) for part in PARTS}
    readable = table.labels.ndim == 2 and len(table.labels) == len(table.ids)
    labels = table.labels if readable else np.zeros((len(table.ids), 0), dtype=np.uint8)
    usable = all(not len(rows) or (rows.min() >= 0 and rows.max() < len(table.ids)) for rows in parts.values())
    known = parts if usable else {part: np.empty(0, dtype=np.int64) for part in PARTS}
    every = np.unique(np.concatenate(list(known.values())))
    copies = _Copies(table, labels, every)
    overlaps = _overlaps(splits)
    relevance = _relevance(labels, known, is_copy_of_itself=bool(overlaps["query-database"]))
    order = recognise(labels[every])
    names = table.class_names or tuple(str(c) for c in range(labels.shape[1]))
    report = SplitReport(
        protocol=protocol.id,
        sha256=splits.sha256,
        sizes={part: len(rows) for part, rows in parts.items()},
        overlaps=overlaps,
        unlabelled={part: int((~labels[rows].any(axis=1)).sum()) for part, rows in known.items()},
        duplicates={f"{a}-{b}": copies.shared(known[a], known[b]) for a, b in _PAIRS},
        class_names=names,
        class_counts={part: labels[rows].sum(axis=0, dtype=np.int64).tolist() for part, rows in known.items()},
        problems=tuple(problems),
        notes=(),
        expected=dict(zip(("query", "train", "database"), protocol.sizes, strict=True)),
        items=len(every),
        labels_per_item=_labels_per_item(labels[every]),
        label_order=str(order) if order is not None else "",
        repeated=copies.repeated,
        conflicts=copies.conflicts,
        most_copies=copies.most,
        without_relevant=int((relevance == 0).sum()),
        map_cap=float((relevance > 0).mean()) if len(relevance) else 1.0,
        chance=float(relevance.mean() / len(known["database"])) if len(relevance) and len(known["database"]) else 0.0,
        empty_classes=tuple(np.asarray(names)[: labels.shape[1]][~labels[every].any(axis=0)].tolist()),
    )
    warnings, notes = _warnings(report, protocol), (*_notes(report, order is not None), *splits.notes)
    return replace(report, warnings=tuple(warnings), notes=notes)


def _not_as_pinned(splits: Splits, protocol: Protocol) -> list[str]:
    sizes = (len(splits.query), len(splits.train), len(splits.database))
    wrong = [
        f"{found:,} {_NAMES[part]}, and the protocol has {expected:,}; the data are incomplete or others"
        for part, found, expected in zip(("query", "train", "database"), sizes, protocol.sizes, strict=True)
        if expected and found != expected
    ]
    if not wrong and protocol.sha256 and splits.sha256 != protocol.sha256:
        wrong.append(
            f"the lists have sha256 {splits.sha256[:16]}... and the protocol names {protocol.sha256[:16]}...; "
            "these are other lists"
        )
    return wrong


def _overlaps(splits: Splits) -> dict[str, int]:
    rows: dict[str, Any] = {part: getattr(splits, part) for part in PARTS}
    return {f"{a}-{b}": len(np.intersect1d(rows[a], rows[b])) for a, b in _PAIRS}


def _labels_per_item(labels: np.ndarray) -> tuple[float, int]:
    counts = labels.sum(axis=1, dtype=np.int64)
    counts = counts[counts > 0]
    return (round(float(counts.mean()), 4), int(counts.max())) if len(counts) else (0.0, 0)


# Copies
# ----------------------------------------------------------------------------------------------------------


class _Copies:
    """Which items have the same inputs, all modalities byte for byte; inputs without bytes are not compared."""

    def __init__(self, table: Table, labels: np.ndarray, rows: np.ndarray) -> None:
        self.group = np.full(len(table.ids), -1, dtype=np.int64)
        fits = all(len(array) == len(table.ids) for array in table.inputs.values())
        if fits and any(array[:1].nbytes for array in table.inputs.values()):
            digests = np.asarray(
                [int.from_bytes(_digest, "little") for _digest in _digests(table, rows)], dtype=np.uint64
            )
            _, self.group[rows] = np.unique(digests, return_inverse=True)
        chosen = self.group[rows]
        sizes = np.bincount(chosen[chosen >= 0]) if (chosen >= 0).any() else np.zeros(0, dtype=np.int64)
        self.most = int(sizes.max(initial=1))
        copied = rows[(chosen >= 0) & (sizes[chosen] > 1)] if len(sizes) else rows[:0]
        self.repeated = len(copied)
        first = {int(self.group[row]): row for row in copied[::-1]}
        self.conflicts = sum(bool((labels[row] != labels[first[int(self.group[row])]]).any()) for row in copied)

    def shared(self, a: np.ndarray, b: np.ndarray) -> int:
        """Return how many items of `a` have the inputs of some other item in `b`."""
        if not len(a) or not len(b) or (self.group[a] < 0).any():
            return 0
        rows = np.unique(b)
        holders = np.bincount(self.group[rows], minlength=int(self.group.max()) + 1)
        return int((holders[self.group[a]] - np.isin(a, rows) > 0).sum())


def _digests(table: Table, rows: np.ndarray) -> Iterator[bytes]:
    """Yield 8 bytes of a digest of every row's inputs; pages of a memory map are given back as it goes on."""
    names = sorted(table.inputs)
    for done, row in enumerate(rows.tolist()):
        digest = hashlib.blake2b(digest_size=8)
        for name in names:
            digest.update(np.ascontiguousarray(table.inputs[name][row]).data)
        yield digest.digest()
        if done % 512 == 511:
            for name in names:
                _release(table.inputs[name])


def _release(array: np.ndarray) -> None:
    mapped = getattr(array, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


# Relevance
# ----------------------------------------------------------------------------------------------------------


def _relevance(labels: np.ndarray, parts: Mapping[str, np.ndarray], *, is_copy_of_itself: bool) -> np.ndarray:
    """Return how many other database items share a label with each query, (Q,); rows with equal labels are one."""
    query, database = parts["query"], parts["database"]
    if not len(query) or not len(database) or not labels.shape[1]:
        return np.zeros(len(query), dtype=np.int64)
    asked, which = _distinct(labels[query])
    held, place = _distinct(labels[database])
    weight = np.bincount(place, minlength=len(held)).astype(np.float64)
    counts = np.empty(len(asked))
    held_floats = np.ascontiguousarray(held.T, dtype=np.float32)
    for begin in range(0, len(asked), 256):
        counts[begin : begin + 256] = (asked[begin : begin + 256].astype(np.float32) @ held_floats > 0) @ weight
    found = counts[which].astype(np.int64)
    if is_copy_of_itself:
        found -= np.isin(query, database) & labels[query].any(axis=1)
    return np.asarray(found)


def _distinct(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different rows of labels (n, C), and for every row which of them it is."""
    packed = np.ascontiguousarray(np.packbits(labels.astype(bool), axis=1))
    _, first, which = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_index=True, return_inverse=True)
    return labels[first], which


# In words
# ----------------------------------------------------------------------------------------------------------


def _warnings(report: SplitReport, protocol: Protocol) -> Iterator[str]:
    if protocol.flaws:
        yield f"known about this protocol: {protocol.flaws}"
    if report.overlaps["query-database"] and protocol.queries_in_database:
        yield f"{report.overlaps['query-database']:,} queries are in the database, where each finds itself first"
    queries = report.sizes["query"]
    if report.unlabelled["query"]:
        yield f"{report.unlabelled['query']:,} of {queries:,} queries have no label, so nothing is relevant to them"
    if report.without_relevant:
        yield (
            f"{report.without_relevant:,} of {queries:,} queries have no relevant item in the database: mAP can be "
            f"{report.map_cap:.3f} at most where they count as 0"
        )
    for pair, count in report.duplicates.items():
        a, b = pair.split("-")
        if count and a == "query":
            yield f"{count:,} queries have the same inputs as some other item of the {b} part"
    if report.conflicts:
        yield f"{report.conflicts:,} items have the same inputs as some other and other labels"
    if report.most_copies > 2:
        yield f"one and the same input stands for {report.most_copies:,} items (a placeholder for lost images?)"
    if report.chance > HIGH_CHANCE:
        yield f"random codes already reach a mAP of about {report.chance:.3f} here; only what is above that counts"


def _notes(report: SplitReport, ordered: bool) -> Iterator[str]:
    for part in ("train", "database"):
        if report.unlabelled[part]:
            yield f"{report.unlabelled[part]:,} items of the {part} part have no label"
    if ordered:
        yield f"the label columns are those of {report.label_order}"


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Return what people read of a report, `SplitReport.as_dict()` with what `catalogue.check` adds."""
    sizes, expected = report["sizes"], report["expected"]
    parts = ", ".join(f"{sizes[part]:,} {_NAMES[part]}" for part in ("query", "train", "database"))
    pinned = all(not size or sizes[part] == size for part, size in expected.items()) and any(expected.values())
    mean, most = report["labels_per_item"]
    inside, train = report["overlaps"]["train-database"], sizes["train"]
    where = "all" if inside == train else f"{inside:,} of the" if inside else "none of the"
    lines = [
        f"{report['protocol']}: {parts}" + (", as the protocol has them." if pinned else "."),
        f"{report['items']:,} items in {len(report['class_names']):,} classes, {mean:.2f} labels an item (at most "
        f"{most}); {where} {train:,} training items are searched.",
        f"The split's sha256 is {report['sha256']}.",
        f"Random codes reach a mAP of about {report['chance']:.3f}.",
    ]
    if report["repeated"]:
        lines.append(f"{report['repeated']:,} items have the same inputs as some other.")
    if report["empty_classes"]:
        lines.append(f"No item has the label {', '.join(report['empty_classes'][:10])}.")
    lines += [f"Note: {note.rstrip('.')}." for note in report["notes"]]
    lines += [f"Warning: {warning.rstrip('.')}." for warning in report["warnings"]]
    lines += [f"Error: {problem.rstrip('.')}." for problem in report["problems"]]
    errors, warnings = len(report["problems"]), len(report["warnings"])
    counted = f"{errors} error{'s' * (errors != 1)} and {warnings} warning{'s' * (warnings != 1)}"
    lines.append("The split is in order." if not errors + warnings else f"{counted}.")
    return lines
