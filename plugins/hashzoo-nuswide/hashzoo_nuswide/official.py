"""The files of the NUS-WIDE page, unpacked: row i of every one of them is the same image.

Labels come from Groundtruth/AllLabels. TrainTestLabels is not read: Labels_lake_Train.txt holds -1130179.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hashzoo import UsageError, WorkError
from hashzoo.data import read_bytes, read_lines


def _file(folder: Path, names: Sequence[str], archive: str) -> Path:
    """Return the first of `names` that is there; WorkError naming the archive where none is."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise WorkError(f"{folder / names[0]} is missing; unpack {archive} of NUS-WIDE into {folder}.")


def read_concepts(folder: Path, concepts: Sequence[str]) -> np.ndarray:
    """Return labels (n, C) uint8 of the given concepts, one row for each image.

    Raises WorkError for a missing file, UsageError naming file and line for a value other than 0 and 1.
    """
    columns = []
    for concept in concepts:
        name = f"Labels_{concept}.txt"
        places = (f"Groundtruth/AllLabels/{name}", f"AllLabels/{name}")
        file = _file(folder, places, "Groundtruth.zip")
        values = read_bytes(file).split()
        if not set(values) <= {b"0", b"1"}:
            line = next(number for number, value in enumerate(values, 1) if value not in (b"0", b"1"))
            raise UsageError(
                f"{file}, line {line}: {values[line - 1].decode('utf-8', 'replace')!r} is no label; lines hold 0 or 1."
            )
        columns.append(np.asarray(values) == b"1")
        if len(columns[-1]) != len(columns[0]):
            raise UsageError(
                f"{file} has {len(columns[-1]):,} lines and the file of {concepts[0]} has {len(columns[0]):,}; unpack "
                "Groundtruth.zip again."
            )
    return np.stack(columns, axis=1).astype(np.uint8)


def read_names(folder: Path) -> list[str]:
    """Return the path of every image, "actor/0001_2124494179.jpg"."""
    file = _file(folder, ("ImageList/Imagelist.txt", "Imagelist.txt"), "ImageList.zip")
    names = []
    for line, text in enumerate(read_lines(file), 1):
        parts = text.strip().replace("\\", "/").split("/")
        if len(parts) < 2 or ".." in parts:
            raise UsageError(
                f"{file}, line {line}: {text!r} is no path of an image such as actor\\0001_2124494179.jpg."
            )
        names.append("/".join(parts[-2:]))
    return names


def read_tags(folder: Path, rows: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return (len(rows), V) float32 of the given rows, 1 where an image has the tag, and the tags.

    Raises UsageError naming file and line for a line of another length and for values other than 0 and 1.
    """
    names = tuple(
        name.strip() for name in read_lines(_file(folder, ("NUS_WID_Tags/TagList1k.txt", "TagList1k.txt"), _TAGS))
    )
    file = _file(folder, ("NUS_WID_Tags/AllTags1k.txt", "AllTags1k.txt"), _TAGS)
    wanted = np.full(int(rows.max(initial=-1)) + 1, -1, dtype=np.int64)
    wanted[rows] = np.arange(len(rows))
    text = np.zeros((len(rows), len(names)), dtype=np.float32)
    count = 0
    with file.open("rb") as stream:
        for count, line in enumerate(stream, 1):
            place = wanted[count - 1] if count <= len(wanted) else -1
            if place >= 0:
                text[place] = _tag_row(line, len(names), f"{file}, line {count}")
    if count < len(wanted):
        raise UsageError(f"{file} has {count:,} lines, fewer than the {len(wanted):,} images; unpack {_TAGS} again.")
    return text, names


_TAGS = "NUS_WID_Tags.zip"


def _tag_row(line: bytes, width: int, where: str) -> np.ndarray:
    values = np.asarray(line.split())
    if len(values) != width:
        raise UsageError(f"{where} has {len(values):,} values, and there are {width:,} tags; unpack {_TAGS} again.")
    ones = values == b"1"
    if not (ones | (values == b"0")).all():
        raise UsageError(f"{where} holds values other than 0 and 1; unpack {_TAGS} again.")
    return ones


def image_folder(folder: Path) -> Path:
    """Return the folder of the images below the one given: `Flickr`, `images`, or itself."""
    for name in ("Flickr", "images"):
        if (folder / name).is_dir():
            return folder / name
    return folder


def listed_m(folder: Path, total: int) -> dict[int, str]:
    """Return the images of NUS-WIDE-m that are there by row: "98796_381708603_f86eb60ccf_m.jpg" is row 98,796.

    Raises WorkError where there are none, UsageError for a row that is not there.
    """
    found: dict[int, str] = {}
    for file in sorted(image_folder(folder).glob("*_m.jpg")):
        number = row_of(file.name)
        if not 0 <= number < total:
            raise UsageError(f"{file} does not begin with a row of Imagelist.txt (0 to {total - 1:,}).")
        found[number] = file.name
    if not found:
        raise WorkError(
            f"{image_folder(folder)} holds no images of NUS-WIDE-m (named <row>_<Flickr id>_<secret>_m.jpg), from "
            "which the database of this protocol is made; unpack them there."
        )
    return found


def row_of(name: str) -> int:
    """Return the row of Imagelist.txt with which a name of NUS-WIDE-m begins, -1 where it has none.

    >>> row_of("98796_381708603_f86eb60ccf_m.jpg")
    98796
    """
    first = name.rsplit("/", 1)[-1].partition("_")[0]
    return int(first) if first.isdigit() else -1


def images_of(names: Iterable[str], folder: Path) -> list[str]:
    """Return where each official image lies below `image_folder(folder)`: as listed, flat, or under its m name.

    The first layout of which a file is there counts for all. Raises WorkError where there is none.
    """
    place, listed = image_folder(folder), list(names)
    if any((place / name).is_file() for name in listed[:1000]):
        return listed
    flat = [name.rsplit("/", 1)[-1] for name in listed]
    if any((place / name).is_file() for name in flat[:1000]):
        return flat
    by_row = {row_of(file.name): file.name for file in place.glob("*_m.jpg")}
    if by_row:
        return [by_row.get(row, name) for row, name in enumerate(listed)]
    raise WorkError(
        f"None of the first images of Imagelist.txt ({listed[0]}) is in {place}; put the images there, in their "
        "folders or all in one."
    )
