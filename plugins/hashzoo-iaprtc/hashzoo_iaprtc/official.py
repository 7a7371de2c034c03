"""The files of the two ImageCLEF archives, unpacked: iaprtc12/ and saiaprtc12ok/.

Descriptions are Windows-1252 and only look like XML (entities need not be escaped), so they are read by pattern.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np

from hashzoo import UsageError, WorkError
from hashzoo.data import (
    indicators,
    read_lines,
)

_DESCRIPTION = re.compile(r"<DESCRIPTION>(.*?)</DESCRIPTION>", re.DOTALL)


def find(folder: Path, name: str) -> Path:
    """Return the folder `name` below the one given, or that one itself where it holds what `name` does."""
    return folder / name if (folder / name).is_dir() else folder


def image_files(folder: Path) -> dict[int, str]:
    """Return the images NN/<id>.jpg below `images/` of iaprtc12 by id, names relative to `folder`.

    Raises WorkError where there are none.
    """
    place = find(folder, "iaprtc12")
    found = {
        int(file.stem): file.relative_to(folder).as_posix()
        for file in place.glob("images/*/*.jpg")
        if file.stem.isdigit()
    }
    if not found:
        raise WorkError(f"{place} holds no images/<NN>/<id>.jpg; unpack iaprtc12.tgz of ImageCLEF into {folder}.")
    return found


def read_descriptions(folder: Path) -> dict[int, str]:
    """Return the English descriptions by image id.

    Raises WorkError where there are none, UsageError naming a file without a description.
    """
    place = find(folder, "iaprtc12")
    files = sorted(place.glob("annotations_complete_eng/*/*.eng"))
    if not files:
        raise WorkError(
            f"{place} holds no annotations_complete_eng/<NN>/<id>.eng; unpack iaprtc12.tgz of ImageCLEF into {folder}."
        )
    texts: dict[int, str] = {}
    for file in files:
        found = _DESCRIPTION.search(file.read_bytes().decode("cp1252", "replace"))
        if found is None or not file.stem.isdigit():
            raise UsageError(f"{file} has no <DESCRIPTION>, or no image's number as name; unpack iaprtc12.tgz again.")
        texts[int(file.stem)] = html.unescape(found[1])
    return texts


def read_regions(folder: Path) -> dict[int, set[int]]:
    """Return the label ids of every image, from the lines "<image> <region> <label>" of all labels.txt of SAIAPR.

    Raises WorkError where there are none, UsageError naming file and line for what is not three numbers.
    """
    place = find(find(folder, "saiaprtc12ok"), "benchmark")
    files = sorted(place.glob("saiapr_tc-12/*/labels.txt"))
    if not files:
        raise WorkError(
            f"{place} holds no saiapr_tc-12/<NN>/labels.txt; unpack saiaprtc12ok.part1.rar of ImageCLEF into {folder}."
        )
    labels: dict[int, set[int]] = {}
    for file in files:
        for line, text in enumerate(read_lines(file), 1):
            words = text.split()
            if not words:
                continue
            if len(words) != 3 or not all(word.isdigit() for word in words) or words[2] == "0":
                raise UsageError(f"{file}, line {line}: {text!r} is not an image, a region and a label counted from 1.")
            labels.setdefault(int(words[0]), set()).add(int(words[2]))
    return labels


def read_names(folder: Path) -> dict[int, str]:
    """Return the names of the label ids from wlist.txt, {} where that file is absent."""
    file = find(find(folder, "saiaprtc12ok"), "benchmark") / "wlist.txt"
    if not file.is_file():
        return {}
    rows = [line.split(None, 1) for line in read_lines(file, "cp1252")]
    return {int(row[0]): row[1].strip() if len(row) > 1 else "" for row in rows if row and row[0].isdigit()}


def label_matrix(ids: list[int], regions: dict[int, set[int]]) -> tuple[np.ndarray, list[int]]:
    """Return labels (n, C) uint8 and the sorted label ids that occur."""
    known = sorted({label for image in ids for label in regions.get(image, ())})
    return indicators((regions.get(image, ()) for image in ids), known), known
