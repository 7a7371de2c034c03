"""Counts of a part of a database in a file, so that an evaluation is spread over machines, and their sum."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashzoo.data.readers import read_arrays
from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import write_npz
from hashzoo.evaluation.counting.counts import Counts

_FORMAT = 1
_TEXTS = ("database_sha256", "query_sha256")
_NUMBERS = ("format", "part", "parts", "items", "left_out")

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Part:
    """The counts of part `part` of `parts` (from 1) of a database of `items`.

    The two digests say which queries and which database; `left_out` is how many queries' own items were not counted,
    -1 where all are.
    """

    counts: Counts
    part: int
    parts: int
    items: int
    database_sha256: str
    query_sha256: str
    left_out: int = -1

    @property
    def whole(self) -> tuple[object, ...]:
        """What all parts of one evaluation have in common."""
        return self.parts, self.items, self.database_sha256, self.query_sha256, self.counts.n.shape, self.left_out < 0

    def save(self, path: PathLike) -> None:
        """Write the part to an `.npz`; WorkError when it cannot be written."""
        arrays: dict[str, NDArray[np.generic]] = {"n": self.counts.n, "r": self.counts.r}
        arrays |= {"format": np.array(_FORMAT), "left_out": np.array(self.left_out)}
        arrays |= {name: np.array(getattr(self, name)) for name in (*_TEXTS, "part", "parts", "items")}
        write_npz(Path(path), arrays)

    @classmethod
    def load(cls, path: PathLike) -> Part:
        """Read a part; WorkError for a file that is damaged or none."""
        arrays = read_arrays(path)
        try:
            if lacking := [name for name in (*_NUMBERS, *_TEXTS, "n", "r") if name not in arrays]:
                raise ValueError(f"it lacks {', '.join(lacking)}")
            if (form := int(arrays["format"])) != _FORMAT:
                raise ValueError(f"it is of format {form}, and this hashzoo reads {_FORMAT}")
            number = {name: int(arrays[name]) for name in _NUMBERS}
            text = {name: str(arrays[name]) for name in _TEXTS}
            counts = Counts(arrays["n"], arrays["r"])
            del number["format"]
            if not _plausible(counts, number):
                raise ValueError("its numbers do not agree")
        except Exception as error:  # what another file lacks, or holds instead, fails in many ways
            raise WorkError(
                f"{os.fspath(path)} is damaged or not the counts of a part ({error}); write it again with "
                "`hashzoo evaluate ... --part I/N -o FILE`."
            ) from error
        return cls(counts=counts, database_sha256=text["database_sha256"], query_sha256=text["query_sha256"], **number)


def merge_parts(paths: Sequence[PathLike]) -> Part:
    """Return the sum of all parts of one evaluation, as part 1 of 1.

    Raises UsageError where the files do not belong together, where one part is given twice, and where one is missing;
    and where a query was left out of more than one part, since its id then stands in the database more than once.
    """
    first = Part.load(paths[0])
    total, left_out, held = first.counts, first.left_out, Counter([first.part])
    for path in paths[1:]:  # one at a time: of many queries each part takes memory
        part = Part.load(path)
        if part.whole != first.whole:
            raise UsageError(
                f"{os.fspath(path)} and {os.fspath(paths[0])} are not parts of one evaluation: "
                f"{_difference(part, first)}."
            )
        held[part.part] += 1
        total = total + part.counts
        left_out += part.left_out if first.left_out >= 0 else 0
    if twice := [number for number, times in sorted(held.items()) if times > 1]:
        raise UsageError(f"Part {_listed(twice)} is given more than once; give each part once.")
    if missing := [number for number in range(1, first.parts + 1) if number not in held]:
        raise UsageError(f"Part {_listed(missing)} of {first.parts} is missing; give all parts.")
    if first.left_out >= 0 and (first.items - total.n.sum(axis=1)).max() > 1:
        raise UsageError("The database holds the same id twice, so a query cannot be left out by its id.")
    return Part(total, 1, 1, first.items, first.database_sha256, first.query_sha256, left_out)


def _plausible(counts: Counts, number: dict[str, int]) -> bool:
    """Return whether the counts are those of the rows that the part says it has."""
    n, r = counts.n, counts.r
    if n.dtype != np.int64 or r.dtype != np.int64 or n.ndim != 2 or n.shape != r.shape or not n.size:
        return False
    part, parts, items, left_out = (number[name] for name in ("part", "parts", "items", "left_out"))
    if not 1 <= part <= parts <= items:
        return False
    rows = part * items // parts - (part - 1) * items // parts
    missing = rows - n.sum(axis=1)
    return bool(
        (r >= 0).all() and (r <= n).all() and np.isin(missing, (0, 1)).all() and missing.sum() == max(left_out, 0)
    )


def _difference(one: Part, other: Part) -> str:
    if one.query_sha256 != other.query_sha256:
        return "their queries differ"
    if (one.items, one.database_sha256) != (other.items, other.database_sha256):
        return f"their databases differ ({one.items} and {other.items} items)"
    if one.parts != other.parts:
        return f"one is a part of {one.parts}, the other of {other.parts}"
    if (one.left_out < 0) != (other.left_out < 0):
        return "only one of them leaves the queries' own items out"
    return f"one has {one.counts.bits} bits, the other {other.counts.bits}"


def _listed(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
    return ", ".join(map(str, numbers[:8])) + more
