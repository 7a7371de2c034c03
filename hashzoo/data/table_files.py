"""Tables of images with labels: CSV, TSV and Parquet files with a column of paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hashzoo.data.lists import ItemList
from hashzoo.data.roots import regular_file
from hashzoo.errors import HashzooError, UsageError, WorkError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv", ".parquet")
PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img", "img_path")
LABELS = ("label", "labels", "class", "classes", "category", "categories", "tags")
PARTS = ("split", "part", "subset", "fold")
SEVERAL = re.compile(r"[;|]")
"""What stands between several labels of one cell."""


@dataclass(frozen=True)
class TableColumns:
    """Names of the columns with paths, labels (several with commas) and parts; "" where they are to be recognised."""

    path: str = ""
    labels: str = ""
    part: str = ""


def read_table(file: Path, columns: TableColumns) -> dict[str, ItemList]:
    """Return the items of a table by part, or {"": all of them} where it has no column of parts.

    Labels are one column of class numbers or names, several of them in a cell separated by ";" or "|", or a column of
    0 and 1 for each class: all columns that are neither path nor part, unless they are named. A cell that is empty,
    null, NaN or infinite holds no label, and whole floats are class numbers: 0.0 is "0".

    Raises UsageError, naming file and line, for columns that are not there or not clear, empty or null paths, other
    values than 0 and 1, and unknown parts.
    """
    from hashzoo.data.list_layouts import WORDS

    frame = _frame(file)
    path = _column(file, frame, columns.path, PATHS, "paths")
    part = _column(file, frame, columns.part, PARTS, "parts", optional=True)
    labels, class_names = _labels(file, frame, columns.labels, [name for name in (path, part) if name])
    null = np.flatnonzero(frame[path].isna())
    if len(null):
        raise UsageError(f"{file}, row {null[0] + 1}: column {path!r} is null; every row names one image.")
    paths = [str(value).strip().replace("\\", "/") for value in frame[path]]
    lines = np.arange(2, len(paths) + 2)
    if "" in paths:
        raise UsageError(f"{file}, line {lines[paths.index('')]}: column {path!r} is empty; every row names one image.")
    up = next((row for row, value in enumerate(paths) if ".." in value.split("/")), None)
    if up is not None:
        raise UsageError(f"{file}, line {lines[up]}: the path {paths[up]!r} has '..' in it; remove it.")
    if not part:
        return {"": ItemList(str(file), tuple(paths), labels, lines, class_names)}
    names = [str(value).strip().lower() for value in frame[part]]
    known = {word: name for name, words in WORDS.items() for word in words}
    found: dict[str, ItemList] = {}
    for word in dict.fromkeys(names):
        if word not in known:
            line = lines[names.index(word)]
            raise UsageError(f"{file}, line {line}: {word!r} is no part; use train, query (or test) and database.")
    for name in dict.fromkeys(known[word] for word in names):
        rows = np.flatnonzero([known[word] == name for word in names])
        chosen = tuple(paths[row] for row in rows)
        found[name] = ItemList(str(file), chosen, labels[rows], lines[rows], class_names)
    return found


def _frame(file: Path) -> pd.DataFrame:
    import pandas as pd

    regular_file(file)
    try:
        if file.suffix.lower() == ".parquet":
            frame = pd.read_parquet(file)
        else:
            separator = "\t" if file.suffix.lower() == ".tsv" else ","
            frame = pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ImportError as error:
        raise UsageError(f"{file} needs pyarrow: run `pip install pyarrow`, or save the table as .csv.") from error
    except HashzooError:
        raise
    except Exception as error:  # pandas and pyarrow raise many kinds for a damaged table
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise WorkError(f"{file} cannot be read as a table ({reason}); save it again.") from error
    if not len(frame):
        raise UsageError(f"{file} has no rows; a table names one image in each.")
    frame.columns = [str(name).strip() for name in frame.columns]
    twice = [name for name in frame.columns if list(frame.columns).count(name) > 1]
    if twice:
        raise UsageError(f"{file} has the column {twice[0]!r} twice; give every column a name of its own.")
    return frame


def _column(
    file: Path, frame: pd.DataFrame, named: str, usual: Sequence[str], what: str, *, optional: bool = False
) -> str:
    columns = [str(name) for name in frame.columns]
    if named:
        if named not in columns:
            raise unknown_name(f"column in {file}", named, columns)
        return named
    found = [name for name in columns if name.lower() in usual]
    if len(found) > 1 or (not found and not optional):
        seen = f"several columns could hold the {what}: {', '.join(found)}" if found else f"no column of {what}"
        option = "column" if what == "paths" else "part_column"
        raise UsageError(f"{file} has {seen} (columns: {_some(columns)}); name one with {option}=.")
    return found[0] if found else ""


def _some(columns: Sequence[str]) -> str:
    """Return the first names of columns, long ones cut: a damaged table may have one of a whole file."""
    return ", ".join(name[:40] for name in columns[:20])


def _labels(file: Path, frame: pd.DataFrame, named: str, taken: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels (n, C) uint8 with the names of their columns, or tuples of names (n,)."""
    columns = [str(name) for name in frame.columns]
    chosen = [name.strip() for name in named.split(",")] if named else []
    for name in chosen:
        if name not in columns:
            raise unknown_name(f"column in {file}", name, columns)
    if not chosen:
        usual = [name for name in columns if name.lower() in LABELS]
        chosen = usual if len(usual) == 1 else [name for name in columns if name not in taken]
    if len(chosen) > 1:
        return _zero_one(file, frame, chosen), tuple(chosen)
    if not chosen:
        raise UsageError(f"{file} has no column of labels (columns: {_some(columns)}); name them with label_columns=.")
    cells = np.empty(len(frame), dtype=object)
    cells[:] = [_words(value) for value in frame[chosen[0]]]
    return cells, ()


def _words(value: object) -> tuple[str, ...]:
    """Return the labels of one cell."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return tuple(word for word in map(_word, value) if word)
    return tuple(word.strip() for word in SEVERAL.split(_word(value)) if word.strip())


def _word(value: Any) -> str:
    """Return one label as text, "" for null, NaN and infinity."""
    import pandas as pd

    if pd.isna(value) or value in (np.inf, -np.inf):
        return ""
    whole = isinstance(value, (float, np.floating)) and value.is_integer()
    return str(int(value) if whole else value).strip()


def _zero_one(file: Path, frame: pd.DataFrame, chosen: Sequence[str]) -> np.ndarray:
    labels = np.zeros((len(frame), len(chosen)), dtype=np.uint8)
    for column, name in enumerate(chosen):
        for row, value in enumerate(frame[name]):
            text = str(value).strip().lower()
            if text not in ("0", "1", "0.0", "1.0", "false", "true"):
                raise UsageError(
                    f"{file}, line {row + 2}: column {name!r} holds {str(value)!r}, and columns of labels hold 0 and "
                    "1; name the columns of labels with label_columns=."
                )
            labels[row, column] = text in ("1", "1.0", "true")
    return labels
