"""The archives of the MIRFLICKR page: mirflickr25k.zip (v3b) and mirflickr25k_annotations_v080.zip, unpacked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hashzoo import UsageError, WorkError
from hashzoo.data import (
    indicators,
    read_lines,
)

IMAGES = 25_000
TAG_AT_LEAST = 20
"""In how many images a tag occurs that is part of the text: the rule of doc/common_tags.txt."""

LABELS = (
    "animals", "baby", "bird", "car", "clouds", "dog", "female", "flower", "food", "indoor", "lake", "male", "night",
    "people", "plant_life", "portrait", "river", "sea", "sky", "structures", "sunset", "transport", "tree", "water",
)  # fmt: skip
"""The potential labels; the 14 of RELEVANT have a stricter second set, `<label>_r1`."""

RELEVANT = (
    "baby", "bird", "car", "clouds", "dog", "female", "flower", "male", "night", "people", "portrait", "river", "sea",
    "tree",
)  # fmt: skip

ALL_LABELS = tuple(sorted([*LABELS, *(f"{name}_r1" for name in RELEVANT)]))
"""The 38 label columns of DeepHash-pytorch's lists."""


def image_folder(folder: Path) -> Path:
    """Return the folder of the images im1.jpg ... below, or as, the folder given."""
    return folder / "mirflickr" if (folder / "mirflickr").is_dir() else folder


def annotation_folder(folder: Path) -> Path | None:
    """Return the folder of the annotation archive, which has no top folder of its own, or None.

    Raises UsageError where there are several.
    """
    found = sorted(
        {file.parent for pattern in ("animals.txt", "*annotations*/animals.txt") for file in folder.glob(pattern)}
    )
    if len(found) > 1:
        raise UsageError(
            f"{folder} holds several folders of annotations ({', '.join(place.name for place in found)}); keep one."
        )
    return found[0] if found else None


def read_labels(folder: Path, names: Sequence[str] = LABELS, images: int = IMAGES) -> np.ndarray:
    """Return labels (images, C) uint8 from the files `<label>.txt` of image numbers, counted from 1.

    Raises WorkError for a missing file, UsageError naming file and line for what is no image number.
    """
    labels = np.zeros((images, len(names)), dtype=np.uint8)
    for column, name in enumerate(names):
        file = folder / f"{name}.txt"
        if not file.is_file():
            raise WorkError(f"{file} is missing; unpack mirflickr25k_annotations_v080.zip into {folder}.")
        for line, text in enumerate(read_lines(file), 1):
            value = text.strip()
            if not value.isdigit() or not 1 <= int(value) <= images:
                raise UsageError(
                    f"{file}, line {line}: {value!r} is no image number; images are counted from 1 to {images:,}."
                )
            labels[int(value) - 1, column] = 1
    return labels


def read_tags(folder: Path, images: int = IMAGES) -> list[list[str]]:
    """Return the cleaned tags of every image, from meta/tags/tags<number>.txt; WorkError where files are missing."""
    place = folder / "meta" / "tags"
    missing = [number for number in range(1, images + 1) if not (place / f"tags{number}.txt").is_file()]
    if missing:
        raise WorkError(
            f"{len(missing):,} of {images:,} files of tags are missing in {place}, the first is tags{missing[0]}.txt; "
            "unpack mirflickr25k.zip again, with its folder meta."
        )
    files = (place / f"tags{number}.txt" for number in range(1, images + 1))
    return [[tag for line in read_lines(file, errors="replace") if (tag := line.strip())] for file in files]


def common_tags(folder: Path, tags: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], str]:
    """Return the tags that texts are made of and a note: doc/common_tags.txt, or the same rule where it is absent.

    The rule: tags of at least 20 images, by falling number of images, then by alphabet.
    """
    file = folder / "doc" / "common_tags.txt"
    if file.is_file():
        names = tuple(words[0] for line in read_lines(file) if (words := line.split()))
        if not names or len(set(names)) != len(names):
            raise UsageError(f"{file} names no tags or one twice; unpack mirflickr25k.zip again.")
        return names, ""
    counts = Counter(tag for image in tags for tag in set(image))
    names = tuple(sorted((tag for tag, n in counts.items() if n >= TAG_AT_LEAST), key=lambda tag: (-counts[tag], tag)))
    return names, f"{file.name} is absent, so the {len(names):,} tags of at least {TAG_AT_LEAST} images were counted."


def tag_rows(tags: Sequence[Sequence[str]], names: Sequence[str]) -> np.ndarray:
    """Return (n, V) float32, 1 where an image has the tag."""
    return indicators(tags, names, np.float32)
