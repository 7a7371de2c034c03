"""Any folder of images with one folder per class, also below folders for parts (train/cat, test/cat)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.data.image_cache import StoredImages, stored_images
from hashzoo.data.images import ENDINGS, ImageOptions, file_states, folder_files, is_image
from hashzoo.data.labels import one_hot
from hashzoo.data.list_layouts import WORDS
from hashzoo.data.options import number_or_share, refuse_given, whole_number, yes_or_no
from hashzoo.data.roots import expanded, given_path
from hashzoo.data.splits import draw_counts, make_splits
from hashzoo.errors import UsageError, WorkError, unknown_name
from hashzoo.specs import Protocol, Splits, Table

LAYOUTS = ("classes", "parts")
DRAW = {"queries_per_class": 100, "train_per_class": 500, "seed": 0, "train_in_database": False}
"""Options of the draw, with their defaults."""
_VALIDATION = ("val", "valid", "validation", "dev")


def load(
    protocol: Protocol,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    path: str,
    queries_per_class: int | float = 100,
    train_per_class: int | float = 500,
    seed: int = 0,
    train_in_database: bool = False,
    stored_size: int = 256,
    fit: str = "crop",
    layout: str = "",
    skip_damaged: bool = False,
    lists_only: bool = False,
) -> Splits:
    """Return the Splits of the images in `path`, a folder `<class>/<anything>.jpg` (sub-folders belong to the class).

    Hidden files and folders (".ipynb_checkpoints") are left out; so are links to folders below a class, and a note
    names these.

    Ids are the file names relative to `path`, with "/". In every class the images are ordered by the sha256 of
    "imagefolder <seed>/<id>"; the first `queries_per_class` are queries, the next `train_per_class` are training
    images, the rest is the database (with the training images too if `train_in_database`). Both are numbers, or shares
    of each class such as 0.1, so that classes may be of any size.

    Folders train/ and test/ (query/, or val/ where there is no other) above the classes are the parts, database/ too
    or else train/ is searched, and nothing is drawn. `layout`, "parts" or "classes", decides where that is not clear.

    Images that all have one size of at most `stored_size` are kept as they are, others become `stored_size` squares:
    `fit` "crop" keeps the aspect and cuts out the middle, "squash" does not. `skip_damaged` leaves out, and names, what
    cannot be read; `lists_only` opens no image.

    `path` is taken relative to the data root unless it is absolute or exists as given.

    Raises UsageError for a folder without classes, an empty class or numbers that cannot be met, WorkError naming
    the images that cannot be decoded and folders that cannot be opened.
    """
    quotas = {
        "queries_per_class": number_or_share("queries_per_class", queries_per_class),
        "train_per_class": number_or_share("train_per_class", train_per_class),
    }
    seed_string = f"{protocol.id} {whole_number('seed', seed)}"
    with_train = yes_or_no("train_in_database", train_in_database)
    options = ImageOptions.checked(stored_size, fit, skip_damaged, lists_only)
    folder = _folder(path, root)
    parts, notes = _parts(folder, layout)
    if parts:
        asked = {**quotas, "seed": seed, "train_in_database": train_in_database}
        refuse_given(asked, DRAW, "The parts are the folders' own and nothing is drawn")
        return _as_parted(folder, parts, options, notes, progress)
    names = _images_by_class(folder, "", notes)
    _counts({name: len(members) for name, members in names.items()}, quotas, folder)
    files = [name for members in names.values() for name in members]
    classes = np.repeat(np.arange(len(names)), [len(members) for members in names.values()])
    table, stored = _table(folder, files, classes, tuple(names), options, progress)
    kept = stored.kept(np.arange(len(files)))
    sizes = np.bincount(classes[kept], minlength=len(names))
    counts = _counts(dict(zip(names, sizes.tolist(), strict=True)), quotas, folder)
    drawn = draw_counts(table.ids[kept], classes[kept], counts, seed_string, train_in_database=with_train)
    return make_splits(table, *(kept[part] for part in drawn), notes=(*notes, *stored.notes))


def _folder(path: Any, root: Path) -> Path:
    folder = given_path(path, root)
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {expanded(path, 'path')}; give path= a folder that holds one folder of images per "
            "class."
        )
    return folder


def _table(
    folder: Path,
    files: list[str],
    classes: np.ndarray,
    names: tuple[str, ...],
    options: ImageOptions,
    progress: Callable[[int, int], None] | None,
) -> tuple[Table, StoredImages]:
    """Return the table of all images, and these with what was skipped."""
    if options.lists_only:
        stored = StoredImages(np.zeros((len(files), 0, 0, 3), dtype=np.uint8), "lists only")
    else:
        source = {"dataset": "imagefolder", **file_states(folder, files)}
        stored = stored_images(
            source, folder, lambda: folder_files(folder, files), options.size, progress, fit=options.fit,
            skip_damaged=options.skip_damaged,
        )  # fmt: skip
    table = Table({"image": stored.pixels}, one_hot(classes, len(names)), np.asarray(files), stored.fingerprint, names)
    return table, stored


# Classes
# ----------------------------------------------------------------------------------------------------------


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise WorkError(f"The folder {folder} cannot be opened ({error.strerror}); make it readable.") from error


def _images_by_class(folder: Path, part: str, notes: list[str]) -> dict[str, list[str]]:
    """Return the image names (relative to `folder`, sorted) of every class in folder/part, classes sorted by name.

    `notes` gets a sentence that names the linked folders, which are not followed.
    """
    above = folder / part
    classes = _folders(above)
    if not classes:
        raise UsageError(f"{above} holds no folders; imagefolder expects one folder of images per class in it.")
    closed: list[OSError] = []
    linked: list[str] = []
    names = {name: _images_below(folder, above / name, closed, linked) for name in classes}
    if closed:
        listed = "; ".join(f"{error.filename} ({error.strerror})" for error in closed[:20])
        raise WorkError(f"{len(closed):,} folders of images cannot be opened: {listed}; make them readable.")
    empty = [name for name, members in names.items() if not members]
    if empty:
        raise UsageError(
            f"There are no images in {', '.join(empty[:20])} of {above}; add some or remove these folders "
            f"(known endings: {', '.join(sorted(ENDINGS))})."
        )
    if linked:
        more = f" and {len(linked) - 20:,} more" if len(linked) > 20 else ""
        notes.append(f"Links to folders below a class are not followed: {', '.join(linked[:20])}{more}.")
    return names


def _images_below(folder: Path, class_folder: Path, closed: list[OSError], linked: list[str]) -> list[str]:
    """Return the images of a class, sorted; `closed` gets the folders that cannot be opened, `linked` the links."""
    names = []
    for base, folders, files in os.walk(class_folder, onerror=closed.append):
        below = Path(base).relative_to(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked += [(below / name).as_posix() for name in folders if (Path(base) / name).is_symlink()]
        names += [(below / file).as_posix() for file in files if is_image(file)]
    return sorted(names)


def _counts(sizes: Mapping[str, int], quotas: Mapping[str, int | float], folder: Path) -> dict[int, tuple[int, int]]:
    """Return queries and training items of every class, of a number or at least one of a share."""
    counts: dict[int, tuple[int, int]] = {}
    short = []
    for label, (name, size) in enumerate(sizes.items()):
        query, train = (quota if isinstance(quota, int) else max(round(quota * size), 1) for quota in quotas.values())
        counts[label] = (int(query), int(train))
        if query + train > size:
            short.append(f"{name} ({size:,})")
    if short:
        more = f" and {len(short) - 20:,} more" if len(short) > 20 else ""
        numbers = all(isinstance(quota, int) for quota in quotas.values())
        what = f"{sum(quotas.values()):,}" if numbers else " and ".join(f"{quota:g}" for quota in quotas.values())
        raise UsageError(
            f"{what} queries and training images were asked of every class of {folder}, and these have fewer: "
            f"{', '.join(short[:20])}{more}; lower queries_per_class or train_per_class, or give shares such as 0.1."
        )
    return counts


# Parts above the classes
# ----------------------------------------------------------------------------------------------------------


def _parts(folder: Path, layout: str) -> tuple[dict[str, str], list[str]]:
    """Return the folder of each part where the folders below are parts and not classes, and notes."""
    if layout and layout not in LAYOUTS:
        raise unknown_name("layout of image folders", str(layout), LAYOUTS)
    names = _folders(folder)
    found = {part: [name for name in names if name.lower() in words] for part, words in WORDS.items()}
    validation = [name for name in names if name.lower() in _VALIDATION]
    notes = []
    if not found["query"] and validation:
        found["query"] = validation
    elif validation:
        notes.append(f"The images in {', '.join(validation)} are in no part: {found['query'][0]} holds the queries.")
    if layout == "classes" or (not layout and not (found["train"] and found["query"])):
        return {}, []
    twice = {part: several for part, several in found.items() if len(several) > 1}
    others = [name for name in names if name not in {n for several in found.values() for n in several} | {*validation}]
    parts = {part: several[0] for part, several in found.items() if several}
    bare = [name for name in parts.values() if not _folders(folder / name)]
    missing = [part for part in ("train", "query") if part not in parts]
    for wrong, sentence in (
        (missing, "has no folder for"),
        ([n for several in twice.values() for n in several], "has several folders for one part:"),
        (others, "has folders for parts and, beside them,"),
        (bare, "has folders for parts, and no class folders in"),
    ):
        if wrong:
            raise UsageError(
                f"{folder} {sentence} {', '.join(wrong[:20])}; put one folder per class into train/ and test/ (or "
                "query/, val/, database/), or say layout=classes where these folders are the classes."
            )
    return parts, notes


def _as_parted(
    folder: Path,
    parts: Mapping[str, str],
    options: ImageOptions,
    notes: list[str],
    progress: Callable[[int, int], None] | None,
) -> Splits:
    """Return the Splits whose parts are the folders' own."""
    notes = [*notes]
    found = {part: _images_by_class(folder, name, notes) for part, name in parts.items()}
    classes = sorted({name for by_class in found.values() for name in by_class})
    files: list[str] = []
    labels: list[int] = []
    rows: dict[str, np.ndarray] = {}
    for part, by_class in found.items():
        begin = len(files)
        for name, members in by_class.items():
            files += members
            labels += [classes.index(name)] * len(members)
        rows[part] = np.arange(begin, len(files))
    table, stored = _table(folder, files, np.asarray(labels), tuple(classes), options, progress)
    rows = {part: stored.kept(members) for part, members in rows.items()}
    if "database" not in rows:
        notes = [*notes, f"There is no folder for the database, so the images in {parts['train']} are searched."]
    database = rows.get("database", rows["train"])
    read = f"Parts are the folders {', '.join(sorted(parts.values()))}; nothing was drawn."
    return make_splits(table, rows["train"], rows["query"], database, notes=(read, *notes, *stored.notes))
