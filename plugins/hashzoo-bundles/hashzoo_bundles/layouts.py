"""Which arrays of which files are images, texts and labels: the layouts of the bundles in circulation.

Nothing is guessed between two layouts: where a file or folder fits several, it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hashzoo import UsageError
from hashzoo.data import open_arrays

PARTS = ("train", "query", "database")
ENDINGS = (".mat", ".h5", ".hdf5", ".npz")

_IMAGES = ("images", "IAll", "image", "XAll")
_TEXTS = ("YAll", "TAll", "text", "tags")
_LABELS = ("LAll", "label", "labels")
_IN_PARTS = (
    {
        "train": ("ImgTrain", "TagTrain", "LabTrain"),
        "query": ("ImgQuery", "TagQuery", "LabQuery"),
        "database": ("ImgDataBase", "TagDataBase", "LabDataBase"),
    },
    {"train": ("VDatabase", "YDatabase", "databaseL"), "query": ("VTest", "YTest", "testL")},
    {"train": ("XDatabase", "YDatabase", "databaseL"), "query": ("XTest", "YTest", "testL")},
    {
        "train": ("train_imgs_deep", "train_text", "train_imgs_labels"),
        "query": ("test_imgs_deep", "test_text", "test_imgs_labels"),
    },
)


@dataclass(frozen=True)
class Place:
    """An array in a file."""

    file: Path
    name: str


@dataclass(frozen=True)
class Layout:
    """Where images, texts and labels are, for every part (one part "" where the file has none of its own).

    `rows` are lists of row numbers, where these stand in files beside the arrays. `named`: the images
    are names of files.
    """

    parts: Mapping[str, tuple[Place, Place, Place]]
    rows: Mapping[str, Path] = field(default_factory=dict)
    named: bool = False


def find_layout(path: Path, *, features: bool, name: str = "") -> Layout:
    """Return the layout of a file or folder; `name` chooses among several sets in a folder by how their files begin.

    Raises UsageError where there is none, or more than one.
    """
    found = _in_file(path) if path.is_file() else _in_folder(path, features=features, name=name)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{path} holds {len(found)} bundles; give name= the beginning of the files of one, or its file."
        )
    raise UsageError(
        f"{path} holds no bundle that is known: images (or IAll, XAll) with YAll (or TAll) and LAll in one .mat or .h5 "
        "file, ImgTrain and so on, <set>-{iall,yall,lall}.mat, imgList*.mat with tagList*.mat and labelList*.mat, "
        "index.mat with caption.mat and label.mat, or tags.npy with label.npy."
    )


def _names(file: Path) -> set[str]:
    with open_arrays(file) as content:
        return set(content)


def _in_file(file: Path) -> list[Layout]:
    names = _names(file)
    for parts in _IN_PARTS:
        if all(name in names for chosen in parts.values() for name in chosen):
            places = {part: tuple(Place(file, name) for name in chosen) for part, chosen in parts.items()}
            return [Layout(places)]  # type: ignore[arg-type] # three names each
    chosen = [_one_of(kind, names, file) for kind in (_IMAGES, _TEXTS, _LABELS)]
    if all(chosen):
        return [Layout({"": tuple(Place(file, name) for name in chosen)})]  # type: ignore[dict-item] # three
    return []


def _one_of(kinds: tuple[str, ...], names: set[str], file: Path) -> str:
    found = [kind for kind in kinds if kind in names]
    if len(found) > 1:
        raise UsageError(f"{file} holds {' and '.join(found)}, of which one is expected; remove the other.")
    return found[0] if found else ""


def _in_folder(folder: Path, *, features: bool, name: str) -> list[Layout]:
    if not folder.is_dir():
        raise UsageError(f"There is no {folder}; give path= the file or folder of a bundle.")
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name.startswith(name))
    found = [*_cleared(files, features=features), *_torchcmh(files), *_triple(files), *_npy(files)]
    if found:
        return found
    return [layout for file in files if file.suffix.lower() in ENDINGS for layout in _in_file(file)]


def _cleared(files: list[Path], *, features: bool) -> list[Layout]:
    """Return the sets <set>-iall.mat (or -xall-vgg.mat, -iall-vgg.mat), -yall.mat, -lall.mat."""
    layouts = []
    for labels in (file for file in files if file.stem.lower().endswith(("-lall", "-lall-clean", "-lall-rand"))):
        stem, _, tail = labels.stem.lower().rpartition("-lall")
        kinds = ("xall-vgg", "iall-vgg") if features else ("iall",)
        images = [_sibling(files, f"{stem}-{kind}{tail}") for kind in kinds]
        texts = _sibling(files, f"{stem}-yall{tail}")
        image = next((file for file in images if file is not None), None)
        if image is not None and texts is not None:
            places = (Place(image, "XAll" if features else "IAll"), Place(texts, "YAll"), Place(labels, "LAll"))
            layouts.append(Layout({"": places}))
    return layouts


def _sibling(files: list[Path], stem: str) -> Path | None:
    return next((file for file in files if file.stem.lower() == stem and file.suffix.lower() == ".mat"), None)


def _torchcmh(files: list[Path]) -> list[Layout]:
    layouts = []
    for labels in (file for file in files if file.stem.startswith("labelList") and file.suffix == ".mat"):
        tail = labels.stem.removeprefix("labelList")
        images, texts = _sibling(files, f"imglist{tail}"), _sibling(files, f"taglist{tail}")
        if images is not None and texts is not None:
            places = (
                Place(images, _first(images, ("FAll", "imgs", "IAll"))),
                Place(texts, _first(texts, ("YAll", "tags"))),
                Place(labels, _first(labels, ("LAll", "labels"))),
            )
            layouts.append(Layout({"": places}, named=True))
    return layouts


def _triple(files: list[Path]) -> list[Layout]:
    by_name = {file.name: file for file in files}
    texts = by_name.get("caption.mat") or by_name.get("caption.txt")
    if not {"index.mat", "label.mat"} <= by_name.keys() or texts is None:
        return []
    index, labels = by_name["index.mat"], by_name["label.mat"]
    places = (
        Place(index, _first(index, ("index", "imgs", "FAll"))),
        Place(texts, "" if texts.suffix == ".txt" else _first(texts, ("caption", "tags", "YAll"))),
        Place(labels, _first(labels, ("category", "LAll", "labels", "label"))),
    )
    return [Layout({"": places}, named=True)]


def _npy(files: list[Path]) -> list[Layout]:
    by_name = {file.name: file for file in files}
    images = [file for file in files if file.stem.endswith("_vgg19") and file.suffix == ".npy"]
    if not {"tags.npy", "label.npy"} <= by_name.keys() or not images:
        return []
    names = {"train": "train_num.npy", "query": "test_num.npy", "database": "database_num.npy"}
    rows = {part: by_name[name] for part, name in names.items() if name in by_name}
    return [
        Layout({"": (Place(image, ""), Place(by_name["tags.npy"], ""), Place(by_name["label.npy"], ""))}, rows=rows)
        for image in images
    ]


def _first(file: Path, names: tuple[str, ...]) -> str:
    found = _names(file)
    name = next((name for name in names if name in found), None)
    if name is None:
        raise UsageError(f"{file} holds {', '.join(sorted(found)) or 'no arrays'}; expected {' or '.join(names)}.")
    return name
