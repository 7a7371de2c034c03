"""Which of the layouts of lists a folder or file has, and its lists: recognised by what is there, never guessed.

lists   a list file per part: train.txt, test.txt or query.txt, database.txt; `<set>_Train.txt`, `<set>_Query.txt`,
        `<set>_DB.txt`; HashNet's parts train.txt, test0.txt .. test7.txt, database0.txt .. database7.txt
        (numbers from 0 or 1 on, none left out)
pairs   `<part>_img.txt` with the paths and `<part>_label.txt` or `<part>_label_onehot.txt` with the labels
single  one list without parts, alone or as img.txt with targets.txt: the split is drawn
table   a .csv, .tsv or .parquet with a column of paths and columns of labels, and maybe one of parts
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hashzoo.data.lists import COMPRESSED, ItemList, chain, paired_list, read_list
from hashzoo.data.splits import PARTS
from hashzoo.data.table_files import ENDINGS as TABLES
from hashzoo.data.table_files import TableColumns, read_table
from hashzoo.errors import UsageError, unknown_name

WORDS = {
    "train": ("train", "training"),
    "query": ("query", "queries", "test"),
    "database": ("database", "db", "gallery", "retrieval"),
}
"""How parts are called in file names, columns and folders, in lower case."""
LAYOUTS = ("lists", "pairs", "single", "table")
T = TypeVar("T")
_TARGETS = ("targets", "label", "labels", "img_label", "label_onehot")


@dataclass(frozen=True)
class Wanted:
    """What a user says of the lists: the layout, the file of each part, and the columns of a table ("": as found)."""

    layout: str = ""
    files: Mapping[str, str] | None = None
    columns: TableColumns = field(default_factory=TableColumns)


def find_lists(path: Path, wanted: Wanted) -> dict[str, ItemList]:
    """Return the lists at `path` by part, or {"": the one list} where it has no parts.

    Raises UsageError where nothing is recognised, where several layouts or several files for one part are, and where
    a part has no list.
    """
    if wanted.layout and wanted.layout not in LAYOUTS:
        raise unknown_name("layout of lists", wanted.layout, LAYOUTS)
    named = {part: name for part, name in (wanted.files or {}).items() if name}
    if named and (wanted.layout or path.is_file()):
        options = ", ".join(f"{part}_list" for part in named)
        other = f"layout={wanted.layout} is given" if wanted.layout else f"{path} is one file"
        raise UsageError(
            f"The lists of the parts are named ({options}), and {other}; leave one out, and give path= the folder of "
            "the lists named."
        )
    if path.is_file():
        layout = "table" if path.suffix.lower() in TABLES else "single"
        if wanted.layout not in ("", layout):
            raise UsageError(
                f"{path} is one file and layout={wanted.layout} is one of folders; leave it out, or give a folder."
            )
        if layout == "table":
            return read_table(path, wanted.columns)
        return {"": read_list(path)}
    if not path.is_dir():
        raise UsageError(f"There is no {path}; give path= a folder of lists, one list, or a table.")
    if named:
        return _named(path, named)
    files = _text_files(path)
    found: dict[str, Callable[[], dict[str, ItemList]]] = {}
    if plain := _by_part(files, _part_of):
        found["lists"] = lambda: _read_parts(path, plain)
    if paired := _by_part(files, lambda stem: _part_of(stem.removesuffix("_img")) if stem.endswith("_img") else None):
        found["pairs"] = lambda: {part: _pair(path, files, stems, part) for part, stems in paired.items()}
    if "img" in files and (targets := [name for name in _TARGETS if name in files]):
        found["single"] = lambda: {"": paired_list(files["img"], files[_only(targets, path, "the labels")])}
    tables = sorted(file for file in path.iterdir() if file.suffix.lower() in TABLES and file.is_file())
    if tables:
        found["table"] = lambda: read_table(_only(tables, path, "the table"), wanted.columns)
    if wanted.layout:
        found = {name: read for name, read in found.items() if name == wanted.layout}
    if not found:
        looked = ", ".join(sorted(file.name for file in path.iterdir())[:10]) or "nothing"
        raise UsageError(
            f"{path} holds no lists that are recognised ({looked}); expected train.txt, test.txt or query.txt and "
            "database.txt, or a table, or say which they are with train_list=, query_list= and database_list=."
        )
    if len(found) > 1:
        raise UsageError(
            f"{path} can be read in several ways ({', '.join(found)}); say which with layout=, for example "
            f"layout={next(iter(found))}."
        )
    return next(iter(found.values()))()


def require_parts(lists: Mapping[str, ItemList], path: Path, *, database_is_train: bool = False) -> dict[str, ItemList]:
    """Return train, query and database in this order, or raise UsageError that says which is not there."""
    parts = dict(lists)
    if database_is_train and "train" in parts:
        parts["database"] = parts["train"]
    missing = [part for part in PARTS if part not in parts]
    if missing:
        raise UsageError(
            f"{path} has no list for {' and '.join(missing)}; say which file it is with {missing[0]}_list=FILE"
            + (", or database_list=train where the training items are searched." if "database" in missing else ".")
        )
    return {part: parts[part] for part in PARTS}


def _text_files(folder: Path) -> dict[str, Path]:
    """Return the text files of a folder by their name without ending, in lower case."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        name = file.name
        for ending in COMPRESSED:
            name = name.removesuffix(ending)
        if not name.lower().endswith((".txt", ".lst", ".list")) or not file.is_file():
            continue
        stem = name.rsplit(".", 1)[0].lower()
        if stem in found:
            raise UsageError(f"{folder} holds {found[stem].name} and {file.name}, which say the same; remove one.")
        found[stem] = file
    return found


def _part_of(stem: str) -> str | None:
    """Return the part that a file name speaks of: "train", "coco_query", "database3"."""
    word = re.sub(r"\d+$", "", stem.rsplit("_", 1)[-1])
    return next((part for part, words in WORDS.items() if word in words), None)


def _by_part(files: Mapping[str, Path], part_of: Callable[[str], str | None]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for stem in files:
        part = part_of(stem)
        if part is not None:
            found.setdefault(part, []).append(stem)
    return found


def _read_parts(folder: Path, parts: Mapping[str, list[str]]) -> dict[str, ItemList]:
    files, lists = _text_files(folder), {}
    for part, stems in parts.items():
        lists[part] = chain([read_list(files[stem]) for stem in _in_order(stems, folder, part)])
    return lists


def _in_order(stems: list[str], folder: Path, part: str) -> list[str]:
    """Return the files of one part: one, or numbered ones in the order of their numbers, from 0 or 1 without a gap."""
    numbered = {stem: re.fullmatch(r"(.*?)(\d+)", stem) for stem in stems}
    if len(stems) > 1 and all(numbered.values()):
        matches = [match for match in numbered.values() if match is not None]
        by_number = {int(match[2]): match[0] for match in matches}
        if len({match[1] for match in matches}) == 1 and len(by_number) == len(stems):
            first, last = min(by_number), max(by_number)
            if first > 1:
                raise UsageError(
                    f"{folder} has several files for the {part} part ({', '.join(sorted(stems))}), and their numbers "
                    f"do not begin at 0 or 1; name those that belong together, in order, with {part}_list=FILE,FILE."
                )
            missing = next((number for number in range(first, last) if number not in by_number), None)
            if missing is not None:
                raise UsageError(
                    f"{folder} has {by_number[first]} to {by_number[last]} for the {part} part and no "
                    f"{matches[0][1]}{missing}; add it, or name the files, in order, with {part}_list=FILE,FILE."
                )
            return [by_number[number] for number in sorted(by_number)]
    return [_only(stems, folder, f"the {part} part")]


def _pair(folder: Path, files: Mapping[str, Path], stems: list[str], part: str) -> ItemList:
    images = _only(stems, folder, f"the {part} part")
    base = images.removesuffix("_img")
    labels = [f"{base}{ending}" for ending in ("_label", "_label_onehot") if f"{base}{ending}" in files]
    if not labels:
        raise UsageError(f"{files[images]} has no labels beside it; expected {base}_label.txt.")
    return paired_list(files[images], files[_only(labels, folder, f"the labels of the {part} part")])


def _only(found: list[T], folder: Path, what: str) -> T:
    """Return the only thing found; several are refused, because any choice would be a guess."""
    if len(found) > 1:
        names = ", ".join(sorted(str(getattr(one, "name", one)) for one in found))
        raise UsageError(
            f"{folder} has several files for {what} ({names}); name one with an option or move the others."
        )
    return found[0]


def _named(folder: Path, named: Mapping[str, str]) -> dict[str, ItemList]:
    return {
        part: chain([read_list(folder / name.strip()) for name in str(files).split(",")])
        for part, files in named.items()
        if not (part == "database" and files == "train")
    }
