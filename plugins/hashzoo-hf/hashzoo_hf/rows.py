"""Rows of a Hugging Face data set: opened by name or from local files, columns checked, labels and texts read."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo import HashzooError, UsageError, WorkError, unknown_name
from hashzoo.data import (
    indicators,
    multi_hot,
    one_hot,
    read_file,
)

_LOCAL = {".parquet": "parquet", ".arrow": "arrow"}


@dataclass(frozen=True)
class Rows:
    """The rows of one or several splits, one after the other; `sizes` by split, in their order."""

    splits: Mapping[str, Any]

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each split."""
        return {name: len(split) for name, split in self.splits.items()}

    @property
    def first(self) -> Any:
        """The first split."""
        return next(iter(self.splits.values()))

    def column(self, name: str) -> list[Any]:
        """Return the values of a column over all splits."""
        return [value for split in self.splits.values() for value in split[name]]

    def fingerprint(self) -> str:
        """Return what the library says identifies the content."""
        found = [str(getattr(split, "_fingerprint", "")) for split in self.splits.values()]
        if not all(found):
            raise WorkError(
                "This version of the library datasets does not say what identifies its rows (`_fingerprint`); run "
                "`pip install --upgrade datasets`."
            )
        return " ".join(found)

    def image_bytes(self, name: str, row: int) -> bytes:
        """Return the file of an image, by its row over all splits; OSError where it cannot be read."""
        for split in self.splits.values():
            if row < len(split):
                stored = split[row][name]
                if stored is None or (stored["bytes"] is None and not stored["path"]):
                    raise FileNotFoundError(f"row {row} of the column {name}")
                content: bytes = stored["bytes"] if stored["bytes"] is not None else read_file(Path(stored["path"]))
                return content
            row -= len(split)
        raise IndexError(row)


def open_rows(path: str, root: Path, config: str, wanted: Sequence[str]) -> Rows:
    """Return the splits `wanted` of a data set by its name at the hub, or of local Parquet or Arrow files.

    A local folder holds `<split>.parquet`, `<split>-*.parquet` or `data/<split>-*.parquet`, as the hub stores them;
    files in other folders below it are not read.

    Without `wanted` it is the split "train", or the first one where there is none of this name.

    Raises UsageError for an unknown split or a path that is no text, WorkError where the data set cannot be loaded.
    """
    if not isinstance(path, str) or not path:
        raise UsageError(f"The option path must be a name at the Hugging Face hub or a local path, got {path!r}.")
    library = _library()
    local = next((place for place in (Path(path).expanduser(), root / path) if place.exists()), None)
    try:
        if local is None:
            found = library.load_dataset(path, config or None)
        else:
            builder, files = _local_files(local)
            found = library.load_dataset(builder, data_files=files)
    except HashzooError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        raise WorkError(
            f"The data set {path!r} cannot be loaded ({reason}); give path= its name at the Hugging Face hub, or a "
            "local folder of Parquet files."
        ) from error
    for name in wanted:
        if name not in found:
            raise unknown_name(f"split of {path}", name, list(found))
    usual = ["train"] if "train" in found else list(found)[:1]
    return Rows({name: found[name] for name in (wanted or usual)})


def _library() -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise UsageError("The data set `hf` needs the Hugging Face library: run `pip install datasets`.") from error


def _local_files(place: Path) -> tuple[str, dict[str, list[str]]]:
    folders = [folder for folder in (place, place / "data") if folder.is_dir()]
    below = sorted(file for folder in folders for kind in _LOCAL for file in folder.glob(f"*{kind}"))
    files = [place] if place.is_file() else [file for file in below if file.is_file()]
    builders = {_LOCAL.get(file.suffix) for file in files}
    if len(builders) != 1 or None in builders:
        what = "Parquet and Arrow files together" if len(builders) > 1 else "no Parquet or Arrow files"
        raise UsageError(
            f"{place} holds {what}; give path= a folder of one kind, in it or in its folder data, or a name at the hub."
        )
    splits: dict[str, list[str]] = {}
    for file in files:
        name = file.stem.split("-")[0]
        others = splits.setdefault(name, [])
        if others and (Path(others[0]).parent != file.parent or name in (Path(others[0]).stem, file.stem)):
            raise UsageError(f"{others[0]} and {file} both hold the split {name!r}; move one of them elsewhere.")
        others.append(str(file))
    return builders.pop() or "", splits


def require_columns(rows: Rows, names: Mapping[str, str], path: str) -> None:
    """Raise UsageError for an option that names no column, naming the columns that there are."""
    for option, name in names.items():
        if not name:
            columns = ", ".join(f"{column} ({kind})" for column, kind in rows.first.features.items())
            raise UsageError(f"Name the column of the {option}: {option}=COLUMN. {path} has {columns}."[:600])
        for split in rows.splits.values():
            if name not in split.column_names:
                raise unknown_name(f"column of {path}", name, split.column_names)


def without_decoding(rows: Rows, image: str) -> Rows:
    """Return the rows with the image column as files; UsageError where it is no column of images."""
    library = _library()
    kind = rows.first.features[image]
    is_image = isinstance(kind, library.Image)
    is_struct = isinstance(kind, dict) and {"bytes", "path"} <= set(kind)
    if not (is_image or is_struct or getattr(kind, "dtype", "") == "binary"):
        raise UsageError(f"The column {image!r} holds {kind}, not images; name the column of the images.")
    kept = {name: split.select_columns([image]) for name, split in rows.splits.items()}
    return Rows({name: split.cast_column(image, library.Image(decode=False)) for name, split in kept.items()})


def labels_of(rows: Rows, column: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels (n, C) uint8 and class names from class numbers, names, or lists of either (several labels).

    No label, also in a list: null, NaN, -1, an empty name.
    """
    kind = rows.first.features[column]
    inner = getattr(kind, "feature", kind[0] if isinstance(kind, list) and kind else kind)
    names = tuple(getattr(inner, "names", None) or ())
    values = rows.column(column)
    if inner is kind:
        if names:
            numbers = np.asarray([-1 if value is None else int(value) for value in values])
            return one_hot(numbers, len(names)), names
        if any(isinstance(value, str) for value in values):
            return multi_hot([np.asarray([value or "" for value in values])], column)
        return multi_hot([np.asarray([-1 if value is None else value for value in values])], column)
    lists = [value or [] for value in values]
    if not names and lists and len({len(value) for value in lists}) == 1 and _all_binary(lists):
        return multi_hot([np.asarray(lists)], column, rows=[len(lists)])
    lists = [[value for value in row if _is_label(value)] for row in lists]
    known = names or tuple(
        sorted({value for row in lists for value in row}, key=lambda value: (str(type(value)), value))
    )
    if not known:
        raise UsageError(f"No item has a label in the column {column!r}; retrieval cannot be measured without labels.")
    return indicators(lists, range(len(names)) if names else known), tuple(str(name) for name in known)


def _is_label(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value == value and value != -1  # NaN is not equal to itself


def _all_binary(lists: Sequence[Sequence[Any]]) -> bool:
    return len(lists[0]) > 1 and all(value in (0, 1) and not isinstance(value, str) for row in lists for value in row)


def texts_of(rows: Rows, column: str) -> list[str]:
    """Return the texts of a column; several sentences (a list, or dictionaries with a sentence) are joined."""

    def text(value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, Mapping):
            return " ".join(text(inner) for inner in value.values() if isinstance(inner, (str, list)))
        return value if isinstance(value, str) else " ".join(text(inner) for inner in value)

    kind = rows.first.features[column]
    if getattr(kind, "dtype", "string") not in ("string", "large_string", "dict", "list"):
        raise UsageError(f"The column {column!r} holds {kind}, not texts; name the column of the texts.")
    return [text(value) for value in rows.column(column)]
