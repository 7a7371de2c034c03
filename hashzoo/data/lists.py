"""List files, the form in which the field passes its protocols around: `path 0 1 0 ...`, or `path 7`, one item a line.

What a path begins with on its author's machine says nothing here: what all paths have in common is taken off, and the
rest is looked for below a folder of one's own.
"""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from hashzoo.data.images import ENDINGS
from hashzoo.data.labels import indicators, multi_hot
from hashzoo.data.roots import regular_file
from hashzoo.errors import UsageError, WorkError

COMPRESSED = {".xz": lzma.open, ".gz": gzip.open}
MAX_BYTES = 2**30
"""Longest list file read, unpacked; the longest in circulation has 35 MB."""
_MAX_LINE = 2**20
_BLANKS = re.compile(rb"[ \t]+")
_NUMBER = re.compile(rb"[+-]?\d+")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class ItemList:
    """One list: its file, the path of every line, and the labels.

    `labels` are multi-hot (n, C) uint8, class numbers (n,) int64 with -1 for none, tuples of names (n,), or None where
    the lines hold paths alone. Row i stands in line `lines[i]` of the file. `class_names`: where the file names them.
    """

    file: str
    paths: tuple[str, ...]
    labels: np.ndarray | None
    lines: np.ndarray
    class_names: tuple[str, ...] = ()

    def take(self, rows: Sequence[int] | np.ndarray) -> ItemList:
        """Return the list of the items in these rows, in this order."""
        chosen = np.asarray(rows, dtype=np.int64)
        paths = tuple(self.paths[row] for row in chosen)
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, paths=paths, labels=labels, lines=self.lines[chosen])

    def where(self, row: int) -> str:
        """Return "file, line n" for messages."""
        return f"{self.file}, line {int(self.lines[row])}"


@dataclass(frozen=True)
class JoinedLists:
    """Several lists over one table of items, each path once, in the order in which the lists name them.

    `paths` are without what all of them begin with (`prefix`); `ids` are base names, "<folder>/<name>" where base names
    repeat, or the paths where these do too. `labels` (n, C) uint8; `rows` are those of each part, as its list has them.
    """

    paths: tuple[str, ...]
    ids: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    rows: Mapping[str, np.ndarray]
    prefix: str


# Reading one file
# ----------------------------------------------------------------------------------------------------------


def read_bytes(file: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a plain file, unpacked where it ends in .xz or .gz; at most `limit` bytes."""
    regular_file(file)
    opener: Any = COMPRESSED.get(file.suffix.lower(), open)
    try:
        with opener(file, "rb") as stream:
            content: bytes = stream.read(limit + 1)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise WorkError(f"{file} cannot be read ({error}); restore or fetch it again.") from error
    except Exception as error:  # zlib's own error has no common base
        raise WorkError(f"{file} is damaged ({error}); restore or fetch it again.") from error
    if len(content) > limit:
        raise UsageError(f"{file} is longer than {limit:,} bytes; a list of items is never that long.")
    return content


def read_lines(file: Path, encoding: str = "utf-8", errors: str = "strict") -> list[str]:
    """Return the lines of a text file (UTF-8; .xz and .gz unpacked) without their ends, an empty last one left out.

    Lines end at LF, CR LF or CR alone: other separators of Unicode are part of a text.
    """
    try:
        lines = _LINE_END.split(read_bytes(file).decode(encoding, errors).removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not {encoding} text (byte {error.start}); save it as text.") from error
    return lines if lines[-1] else lines[:-1]


def read_list(file: Path, *, num_classes: int | None = None) -> ItemList:
    """Return a list file of lines `path label ...`, separated by blanks; .xz and .gz are unpacked.

    The number of labels of the first line is that of all. Several are a 0/1 row, one is a class number, none is an
    unlabelled item. `num_classes` is how many there must be, for class numbers 0..C-1. Paths have "/" as separator;
    one with blanks is recognised by its image ending.

    Raises UsageError, naming file and line, for a line with another number of labels, a value other than 0 and 1 in
    a row, a class number out of range, an empty line between others, a path with "..", and what is no list at all.
    """
    content = read_bytes(file)
    head = content[:512].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise UsageError(f"{file} is a page of HTML, not a list; fetch the file itself.")
    if b"\0" in content:
        raise UsageError(f"{file} is not a text file; a list has lines such as 'images/1.jpg 0 1 0'.")
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise UsageError(f"{file} is empty; a list has lines such as 'images/1.jpg 0 1 0'.")
    split = [_split(line, file, number) for number, line in enumerate(lines, 1)]
    names = tuple(_path(name, file, number) for number, (name, _) in enumerate(split, 1))
    labels = _labels([values for _, values in split], file, num_classes)
    return ItemList(str(file), names, labels, np.arange(1, len(lines) + 1))


def _split(line: bytes, file: Path, number: int) -> tuple[bytes, bytes]:
    """Return the path and the labels (digits separated by single blanks) of a line."""
    if len(line) > _MAX_LINE:
        raise UsageError(f"{file}, line {number} has {len(line):,} characters; that is no list of items.")
    line = line.strip()
    name, _, values = line.partition(b" ")
    if b"\t" in line or b"  " in line or not values[:1].isdigit() or values.strip(b"0123456789. "):
        words = _BLANKS.split(line)
        last = _last_of_name(words)
        name, values = b" ".join(words[: last + 1]), b" ".join(words[last + 1 :])
    if not name:
        raise UsageError(f"{file}, line {number} is empty; every line names one item.")
    return name, values


def _last_of_name(words: Sequence[bytes]) -> int:
    """Return which word ends the path: the last with an image's ending, else the last before nothing but numbers."""
    for at in range(len(words) - 1, -1, -1):
        if PurePosixPath(words[at].decode("utf-8", "replace")).suffix.lower() in ENDINGS:
            return at
    at = len(words)
    while at > 1 and _NUMBER.fullmatch(words[at - 1]):
        at -= 1
    return at - 1


def _path(name: bytes, file: Path, number: int) -> str:
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file}, line {number}: the path is not UTF-8 text; save the list as UTF-8.") from None
    text = text.replace("\\", "/")
    if ".." in PurePosixPath(text).parts:
        raise UsageError(
            f"{file}, line {number}: the path {text!r} has '..' in it, which could lead anywhere; remove it."
        )
    return text


def _labels(values: Sequence[bytes], file: Path, num_classes: int | None) -> np.ndarray | None:
    width = values[0].count(b" ") + 1 if values[0] else 0
    for number, value in enumerate(values, 1):
        found = value.count(b" ") + 1 if value else 0
        if found != width:
            raise UsageError(
                f"{file}, line {number} has {found} labels and line 1 has {width}; every line needs the same number."
            )
    if not width:
        return None
    if width == 1:
        return _numbers(values, file, num_classes)
    if num_classes is not None and width != num_classes:
        raise UsageError(f"{file}, line 1 has {width} labels, expected {num_classes}; this is another list.")
    if all(len(value) == 2 * width - 1 for value in values):
        digits = np.frombuffer(b"".join(values), dtype=np.uint8).reshape(len(values), 2 * width - 1)[:, ::2]
        if ((digits == ord("0")) | (digits == ord("1"))).all():
            return digits - np.uint8(ord("0"))
    rows = np.zeros((len(values), width), dtype=np.uint8)
    for number, value in enumerate(values, 1):
        for column, word in enumerate(value.split(b" ")):
            if word in (b"0", b"1", b"0.0", b"1.0"):
                rows[number - 1, column] = word[:1] == b"1"
            else:
                raise UsageError(
                    f"{file}, line {number}: label {column + 1} is {word.decode('utf-8', 'replace')!r}; rows of labels "
                    "hold 0 and 1 only."
                )
    return rows


def _numbers(values: Sequence[bytes], file: Path, num_classes: int | None) -> np.ndarray:
    classes = np.empty(len(values), dtype=np.int64)
    for number, value in enumerate(values, 1):
        if not _NUMBER.fullmatch(value) or len(value) > 18:
            raise UsageError(
                f"{file}, line {number}: the label is {value.decode('utf-8', 'replace')!r}; give a class number."
            )
        classes[number - 1] = int(value)
        if classes[number - 1] < -1:
            raise UsageError(
                f"{file}, line {number}: {int(value)} is no class number (-1 says that there is no label); correct it."
            )
    if num_classes is not None and len(classes) and classes.max() >= num_classes:
        line = int(classes.argmax()) + 1
        base = (
            "; they seem to be counted from 1, and count from 0"
            if classes.min() == 1 == classes.max() - num_classes + 1
            else ""
        )
        raise UsageError(
            f"{file}, line {line}: the class number {classes.max()} is too large for {num_classes} classes{base}."
        )
    return classes


def paired_list(images: Path, labels: Path, *, num_classes: int | None = None) -> ItemList:
    """Return a list whose paths and labels stand in two files of as many lines (ADSH, DPSH, Bi-Half)."""
    paths = read_list(images)
    if paths.labels is not None:
        raise UsageError(
            f"{images} has labels of its own, so that {labels} would be read for nothing; give one of them."
        )
    values = [" ".join(line.replace(",", " ").split()).encode() for line in read_lines(labels)]
    while values and not values[-1]:
        values.pop()
    if len(values) != len(paths.paths):
        raise UsageError(
            f"{images} has {len(paths.paths):,} lines and {labels} {len(values):,}; they must have as many."
        )
    return ItemList(str(labels), paths.paths, _labels(values, labels, num_classes), paths.lines)


def read_parts(folder: Path, pattern: str, *, num_classes: int | None = None) -> dict[str, ItemList]:
    """Return a published set of lists: train, query and database of the files that `pattern` names.

    `pattern` has {} for the part as the field calls it in file names: train, test, database.
    """
    files = {"train": "train", "query": "test", "database": "database"}
    return {part: read_list(folder / pattern.format(name), num_classes=num_classes) for part, name in files.items()}


# Several lists, one table
# ----------------------------------------------------------------------------------------------------------


def chain(lists: Sequence[ItemList]) -> ItemList:
    """Return several files of one part as one list, in the order given (HashNet's Caffe lists are dealt out in eight).

    Raises UsageError where they differ in their number of labels.
    """
    if len(lists) == 1:
        return lists[0]
    widths = {None if one.labels is None else one.labels.shape[1:] for one in lists}
    if len(widths) != 1:
        names = ", ".join(one.file for one in lists)
        raise UsageError(f"The lists {names} differ in their number of labels; they are not parts of one list.")
    labels = (
        None if lists[0].labels is None else np.concatenate([one.labels for one in lists if one.labels is not None])
    )
    paths = tuple(path for one in lists for path in one.paths)
    return ItemList(" + ".join(one.file for one in lists), paths, labels, np.concatenate([one.lines for one in lists]))


def join_lists(parts: Mapping[str, ItemList], class_names: Sequence[str] = ()) -> JoinedLists:
    """Return the lists of several parts ("train", "query", "database") over one table of items.

    Raises UsageError, naming file and line, where an item has one label here and another there, where lists differ
    in their number of labels, and where no list has any.
    """
    labelled = {name: one for name, one in parts.items() if one.labels is not None}
    if len(labelled) != len(parts):
        without = next(one.file for name, one in parts.items() if name not in labelled)
        raise UsageError(f"{without} has paths and no labels; give a list with labels, or labels in a file beside it.")
    matrices, names = _as_rows({name: one.labels for name, one in labelled.items() if one.labels is not None}, parts)
    if class_names and len(class_names) != len(names):
        raise UsageError(f"The lists have {len(names)} labels, expected {len(class_names)}; these are other lists.")
    where: dict[str, int] = {}
    first: list[tuple[str, int]] = []
    rows: dict[str, np.ndarray] = {}
    for name, one in parts.items():
        found = np.empty(len(one.paths), dtype=np.int64)
        for at, path in enumerate(one.paths):
            row = where.setdefault(path, len(first))
            if row == len(first):
                first.append((name, at))
            found[at] = row
        rows[name] = found
    labels = np.empty((len(first), len(names)), dtype=np.uint8)
    for name in parts:  # what is said first stands
        new = np.asarray([(row, at) for row, (part, at) in enumerate(first) if part == name], dtype=np.int64).reshape(
            -1, 2
        )
        labels[new[:, 0]] = matrices[name][new[:, 1]]
    for name, one in parts.items():
        conflicts = np.flatnonzero((labels[rows[name]] != matrices[name]).any(axis=1))
        if len(conflicts):
            other, at = first[rows[name][conflicts[0]]]
            raise UsageError(
                f"{one.where(conflicts[0])}: the labels of {one.paths[conflicts[0]]} are not those of "
                f"{parts[other].where(at)} ({len(conflicts):,} such lines); correct one of them."
            )
    prefix = common_prefix(where)
    paths = tuple(path[len(prefix) :] for path in where)
    return JoinedLists(paths, _ids(paths), labels, tuple(class_names) or names, rows, prefix)


def _as_rows(
    labels: Mapping[str, np.ndarray], parts: Mapping[str, ItemList]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return multi-hot rows of all parts, class numbers counted over all of them, and class names."""
    widths = {name: array.shape[1] if array.ndim == 2 else 1 for name, array in labels.items()}
    if len(set(widths.values())) != 1:
        listed = ", ".join(f"{parts[name].file} {width}" for name, width in widths.items())
        raise UsageError(f"The lists differ in their number of labels ({listed}); they do not belong together.")
    if all(array.ndim == 2 for array in labels.values()):
        width = next(iter(widths.values()))
        named = {one.class_names for one in parts.values() if one.class_names}
        if len(named) > 1:
            raise UsageError("The lists name their columns of labels differently; they do not belong together.")
        return dict(labels), next(iter(named), tuple(str(column) for column in range(width)))
    if any(array.dtype == object for array in labels.values()):
        return _from_words(labels, parts)
    matrix, names = multi_hot(list(labels.values()), ", ".join(one.file for one in parts.values()))
    bounds = np.cumsum([0, *(len(array) for array in labels.values())])
    return {name: matrix[bounds[i] : bounds[i + 1]] for i, name in enumerate(labels)}, names


def _from_words(
    labels: Mapping[str, np.ndarray], parts: Mapping[str, ItemList]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return multi-hot rows from tuples of names; whole numbers are sorted as numbers, and -1 is no label."""
    words = {word for array in labels.values() for cell in array for word in cell} - {"-1"}
    numbers = all(re.fullmatch(r"-?\d{1,18}", word) for word in words)
    known = sorted(words, key=lambda word: (int(word), word) if numbers else (0, word))
    if not known:
        raise UsageError(f"No item has a label in {next(iter(parts.values())).file}; give labels.")
    for name, array in labels.items() if numbers else ():
        for row, cell in enumerate(array):
            if any(word.startswith("-") and word != "-1" for word in cell):
                raise UsageError(
                    f"{parts[name].where(row)}: {', '.join(cell)} is no class number (-1 says that there is no label); "
                    "correct it."
                )
    return {name: indicators(array, known) for name, array in labels.items()}, tuple(known)


def common_prefix(paths: Iterable[str]) -> str:
    """Return the longest run of folders that all paths begin with, "" where there is none.

    >>> common_prefix(["./data/coco/train2014/1.jpg", "./data/coco/val2014/2.jpg"])
    './data/coco/'
    """
    listed = list(paths)
    shared = 0
    for low, high in zip(
        min(listed, default="").split("/")[:-1], max(listed, default="").split("/")[:-1], strict=False
    ):
        if low != high:
            break
        shared += len(low) + 1
    return listed[0][:shared] if listed else ""


def _ids(paths: Sequence[str]) -> np.ndarray:
    for parts in (1, 2):
        ids = ["/".join(path.split("/")[-parts:]) for path in paths]
        if len(set(ids)) == len(ids):
            return np.asarray(ids)
    return np.asarray(paths)
