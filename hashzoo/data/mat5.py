"""MATLAB files of version 5 to 7 (not 7.3), read here because scipy's reader can crash the process on a damaged one.

Only what data sets are made of: numbers, logicals, texts, sparse matrices and cells of these. The format is the one
of "MAT-File Format" (MathWorks): elements of a tag (type, bytes) and data padded to eight bytes, a matrix being an
element of elements: flags, dimensions, name, values.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
    16: "u1",
    17: "u2",
}
_CELL, _CHAR, _SPARSE = 1, 4, 5
_NUMBERS = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_HEAD = 2048  # bytes of a compressed variable that hold its flags, dimensions and name
_DEEPEST = 8  # cells inside cells


@dataclass(frozen=True)
class Variable:
    """Where a variable of a file is, and its shape and type as MATLAB has them."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    offset: int
    size: int
    compressed: bool


def is_mat5(file: Path) -> bool:
    """Return whether a file begins as MATLAB files of these versions do."""
    with file.open("rb") as stream:
        head = stream.read(HEADER)
    return len(head) == HEADER and head[124:] in (b"\x00\x01IM", b"\x01\x00MI")


def variables(file: Path) -> list[Variable]:
    """Return the variables of a file that can be read here; ValueError for one that is damaged."""
    found = []
    total = file.stat().st_size
    with file.open("rb") as stream:
        order = _order(stream.read(HEADER))
        while stream.tell() < total:
            tag = stream.read(8)
            if len(tag) < 8:
                raise ValueError("it ends in the middle of a tag")
            kind, size = (int(n) for n in np.frombuffer(tag, f"{order}u4"))
            offset = stream.tell()
            if kind not in (_MATRIX, _COMPRESSED) or offset + size > total:
                raise ValueError(f"it ends before its element at byte {offset} does")
            head = stream.read(min(size, _HEAD))
            if kind == _COMPRESSED:
                head = zlib.decompressobj().decompress(head, _HEAD)
                if len(head) < 8 or int(np.frombuffer(head[:4], f"{order}u4")[0]) != _MATRIX:
                    raise ValueError(f"the element at byte {offset} is no variable")
                head = head[8:]
            described = _described(head, order)
            if described is not None and described[0]:
                found.append(Variable(*described, offset, size, kind == _COMPRESSED))
            stream.seek(offset + size)
    return found


def read_variable(file: Path, variable: Variable) -> np.ndarray:
    """Return the values of a variable; ValueError or zlib.error for a damaged one."""
    with file.open("rb") as stream:
        order = _order(stream.read(HEADER))
        stream.seek(variable.offset)
        content = stream.read(variable.size)
    if variable.compressed:
        unpack = zlib.decompressobj()
        tag = unpack.decompress(content, 8)
        size = int(np.frombuffer(tag[4:8], f"{order}u4")[0])
        content = unpack.decompress(unpack.unconsumed_tail, size + 1)
        if len(content) != size:
            raise ValueError(f"variable {variable.name!r} is not as long as it says")
        unpack.decompress(unpack.unconsumed_tail, 64)  # reads the checksum
        if not unpack.eof:
            raise ValueError(f"the checksum of variable {variable.name!r} is not there")
    array = _matrix(content, order, 0)
    if array is None or (array.dtype.kind != "U" and array.shape != variable.shape):
        raise ValueError(f"variable {variable.name!r} is not what its header says")
    return array


def _order(head: bytes) -> str:
    return "<" if head[126:128] == b"IM" else ">"


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield (type, data) of the elements in a matrix; small ones have their data in the tag."""
    at = 0
    while at + 8 <= len(content):
        kind, size = (int(n) for n in np.frombuffer(content[at : at + 8], f"{order}u4"))
        if kind >> 16:
            kind, size, begin, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
            if size > 4:
                raise ValueError("a small element is too long")
        else:
            begin, after = at + 8, at + 8 + size + (-size) % 8
        if begin + size > len(content):
            raise ValueError("an element is longer than the variable that it is in")
        yield kind, content[begin : begin + size]
        at = after


def _described(head: bytes, order: str) -> tuple[str, tuple[int, ...], np.dtype[np.generic]] | None:
    """Return name, shape and type of a matrix, from its first bytes; None for kinds that are not read here."""
    parts = []
    try:
        for part in _elements(head, order):
            parts.append(part)
            if len(parts) == 3:
                break
    except ValueError:
        pass  # the values are cut off, as they may be here
    if len(parts) < 3 or len(parts[0][1]) != 8:
        raise ValueError("a variable has no flags, dimensions and name")
    kind = int(np.frombuffer(parts[0][1], f"{order}u4")[0]) & 0xFF
    shape = tuple(int(n) for n in np.frombuffer(parts[1][1], f"{order}i4"))
    if len(shape) < 2 or min(shape) < 0 or len(shape) > 32:
        raise ValueError(f"a variable has the shape {shape}")
    dtype = {_CELL: "O", _CHAR: "U1", _SPARSE: "f8"}.get(kind, _NUMBERS.get(kind))
    name = parts[2][1].decode("latin-1")
    return None if dtype is None else (name, shape, np.dtype(dtype))


def _matrix(content: bytes, order: str, depth: int) -> np.ndarray | None:
    """Return the values of a matrix element, None for kinds that are not read here."""
    described = _described(content, order)
    if described is None or depth > _DEEPEST:
        return None
    _, shape, dtype = described
    elements = list(_elements(content, order))
    flags = int(np.frombuffer(elements[0][1], f"{order}u4")[0])
    values, count = elements[3:], math.prod(shape)
    if flags & 0xFF == _CELL:
        if len(values) != count or any(kind != _MATRIX for kind, _ in values):
            raise ValueError(f"a cell of shape {shape} holds {len(values)} matrices")
        cells = np.empty(count, dtype=object)
        for place, (_, inner) in enumerate(values):
            found = _matrix(inner, order, depth + 1) if inner else np.zeros((0, 0))
            cells[place] = np.zeros((0, 0)) if found is None else found
        return _as_texts(cells).reshape(shape, order="F")
    if flags & 0xFF == _SPARSE:
        return _sparse([_numbers(value, order) for value in values], shape)
    if flags & 0xFF == _CHAR:
        return _texts(values, shape, order)
    if not values:
        raise ValueError("a variable has no values")
    numbers = _numbers(values[0], order).astype(dtype.newbyteorder("="))
    if flags & 0x800:
        numbers = numbers + 1j * _numbers(values[1], order)
    if len(numbers) != count:
        raise ValueError(f"a variable of shape {shape} has {len(numbers)} values")
    return numbers.reshape(shape, order="F")


def _numbers(element: tuple[int, bytes], order: str) -> np.ndarray:
    kind, data = element
    if kind not in _STORED:
        raise ValueError(f"values are of the unknown type {kind}")
    return np.frombuffer(data, np.dtype(f"{order}{_STORED[kind]}"))


def _sparse(parts: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Return a sparse matrix as a dense one, from its row numbers, where each column begins, and its values."""
    if len(parts) < 3 or len(shape) != 2:
        raise ValueError("a sparse matrix is not whole")
    rows, begins, values = parts[:3]
    used = int(begins[-1]) if len(begins) == shape[1] + 1 else -1
    if used < 0 or used > min(len(rows), len(values)) or (np.diff(begins) < 0).any():
        raise ValueError("a sparse matrix is not whole")
    rows, values = rows[:used], values[:used]
    if used and (rows.min() < 0 or rows.max() >= shape[0]):
        raise ValueError("a sparse matrix has values outside its shape")
    dense = np.zeros(shape, dtype=np.float64)
    dense[rows, np.repeat(np.arange(shape[1]), np.diff(begins))] = values
    return dense


def _as_texts(cells: np.ndarray) -> np.ndarray:
    """Return cells (n,) that each hold one text or nothing as an array of text, others as they are."""
    if not any(cell.dtype.kind == "U" for cell in cells):
        return cells
    if any(cell.size > 1 or (cell.size and cell.dtype.kind != "U") for cell in cells):
        return cells
    return np.asarray([cell.item() if cell.size else "" for cell in cells], dtype=np.str_)


def _texts(values: list[tuple[int, bytes]], shape: tuple[int, ...], order: str) -> np.ndarray:
    """Return the rows of a char matrix as texts, (n,); of an array of more axes the texts along its last one."""
    kind, data = values[0] if values else (16, b"")
    codec = {
        16: "utf-8",
        17: "utf-16-le" if order == "<" else "utf-16-be",
        4: "utf-16-le" if order == "<" else "utf-16-be",
    }
    text = data.decode(codec.get(kind, "latin-1"), "replace")
    if len(text) != math.prod(shape):
        raise ValueError(f"a text of shape {shape} has {len(text)} characters")
    grid = np.asarray(list(text), dtype="U1").reshape(shape, order="F")
    places = shape[:-1] if len(shape) > 2 else shape[:1]
    texts = ["".join(row) for row in grid.reshape(math.prod(places), shape[-1])]
    return np.asarray(texts, dtype=np.str_).reshape(places)
