"""Features and labels of one's own, from an `.npz` or `.mat` file.

Two forms are read. One array per modality plus labels: the split is drawn. One array per part, named in the order
train, query or train, query, database: the split is the file's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from hashzoo.data.drawing import draw_by_size, require_undrawn
from hashzoo.data.labels import NAMES as LABEL_NAMES
from hashzoo.data.labels import multi_hot
from hashzoo.data.options import whole_number
from hashzoo.data.readers import read_arrays
from hashzoo.data.roots import given_path
from hashzoo.data.splits import draw_counts, make_splits, proportional, strata
from hashzoo.data.tables import fingerprint_of
from hashzoo.errors import UsageError, unknown_name
from hashzoo.specs import Protocol, Splits, Table

_PARTS = ("train", "query", "database")
USUAL = {"features": ("X", "x", "feats", "embeddings", "vectors"), "labels": LABEL_NAMES}
"""Names under which tools store features and labels, for files that do not use ours."""


def load(
    protocol: Protocol,
    root: Path,
    *,
    path: str,
    features: str | Mapping[str, str] = "",
    labels: str = "",
    ids: str = "",
    queries: int | float = 0,
    train: int | float = 0,
    seed: int = 0,
    train_in_database: bool = False,
) -> Splits:
    """Return the Splits of the arrays in the file `path` (relative to the data root unless it exists as given).

    `features` names the array of each modality, (n, D) numbers: "X" where there is one modality, else
    "image=I,text=T"; "I_tr:I_te" names one array per part, train:query (the database is the train part) or
    train:query:database. `labels` and `ids` are named in the same way; labels are class numbers or names (n,), -1
    meaning none, or 0/1 rows (n, C); ids (n,) default to row numbers.

    Default names: `features`, or with several modalities the name of each; for parts `features_train`,
    `features_query` and, if it is in the file, `features_database`; likewise `labels`. Where there is no such array,
    the only one with another usual name is taken (X, embeddings, feats; label, targets, y and so on).

    A drawn split takes `queries` queries and `train` training items, numbers or shares, class by class in proportion
    (from all labelled items alike where the data are multi-label), by the sha256 of "arrays <seed>/<id>"; 0 chooses
    for you, see `draw_by_size`, and says what it chose. Unlabelled items go to the database. With parts, `train` draws
    that many training items from the train part, and 0 takes all of them.

    Features are given as they are, as float32: no scaling.

    Raises UsageError for arrays that are absent, do not fit each other or are not finite, and for numbers that
    cannot be met; WorkError for a damaged file.
    """
    file = given_path(path, root)
    content = _Content(file, read_arrays(file))
    if set(content.arrays) == {""}:
        raise UsageError(f"{file} holds one array without a name; save features and labels together in an .npz.")
    modalities = tuple(dict.fromkeys(modality for pair in protocol.pairs for modality in pair))
    names = _names_by_modality(features, modalities, content.arrays)
    parts = _count_parts([*names.values()])
    label_names = _split_names(labels) if labels else _default_names("labels", content.arrays)
    _require_as_many("labels", label_names, parts)
    inputs = {modality: content.features(modality, chosen) for modality, chosen in names.items()}
    lengths = [len(content.get(name)) for name in next(iter(names.values()))]
    given = [content.get(name) for name in label_names]
    label_matrix, class_names = multi_hot(given, ":".join(label_names), rows=lengths)
    item_ids = content.ids(_split_names(ids) if ids else (), lengths)
    _require_same_length({**inputs, "labels": label_matrix, **({"ids": item_ids} if ids else {})})
    table = Table(inputs, label_matrix, item_ids, fingerprint_of(inputs), class_names)
    seed_string = f"{protocol.id} {whole_number('seed', seed)}"
    if parts == 1:
        rows, notes = draw_by_size(
            item_ids, label_matrix, queries, train, seed_string, train_in_database=train_in_database
        )
        return make_splits(table, *rows, notes=notes)
    asked = {"queries": queries, "train_in_database": train_in_database, "seed": 0 if train else seed}
    require_undrawn(asked, "the file's own")
    return _official(table, lengths, whole_number("train", train), seed_string)


@dataclass(frozen=True)
class _Content:
    path: Path
    arrays: Mapping[str, np.ndarray]

    def get(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            error = unknown_name(f"array in {self.path.name}", name, self.arrays)
            raise UsageError(f"{error} Name those to read with the options features, labels and ids.")
        return self.arrays[name]

    def features(self, modality: str, names: Sequence[str]) -> np.ndarray:
        """Return the rows of all parts, (n, D) float32."""
        parts = [self.get(name) for name in names]
        cast = []
        for name, part in zip(names, parts, strict=True):
            if part.ndim != 2 or part.dtype.kind not in "biuf":
                raise UsageError(
                    f"Array {name!r} for {modality} has shape {part.shape} and type {part.dtype}; features are "
                    "numbers of shape (n, D)."
                )
            if part.shape[1] != parts[0].shape[1]:
                raise UsageError(
                    f"Array {name!r} has {part.shape[1]} columns and {names[0]!r} has {parts[0].shape[1]}; all parts "
                    f"of {modality} need the same."
                )
            with np.errstate(over="ignore"):
                cast.append(part.astype(np.float32, copy=False))
            bad = np.flatnonzero(~np.isfinite(cast[-1]).all(axis=1))
            if len(bad):
                large = np.isfinite(part[bad]).all()
                what = "numbers beyond 3.4e38, too large for float32," if large else "NaN or infinity"
                raise UsageError(
                    f"Array {name!r} holds {what} in {len(bad):,} rows, the first at row {bad[0]}; correct or remove "
                    "these rows."
                )
        return np.concatenate(cast)

    def ids(self, names: Sequence[str], rows: Sequence[int]) -> np.ndarray:
        """Return the id of every row of all parts, row numbers where no array of ids is named."""
        if names:
            _require_as_many("ids", names, len(rows))
            joined = np.asarray([str(item).strip() for name in names for item in self.get(name).ravel()])
            if len(np.unique(joined)) != len(joined):
                raise UsageError(f"The ids in {':'.join(names)} repeat; every item needs its own.")
            return joined
        return np.asarray([f"{row:06d}" for row in range(sum(rows))])


def _names_by_modality(
    features: str | Mapping[str, str], modalities: Sequence[str], arrays: Mapping[str, np.ndarray]
) -> dict[str, tuple[str, ...]]:
    if not features:
        if len(modalities) == 1:
            return {modalities[0]: _default_names("features", arrays)}
        return {modality: _default_names(modality, arrays) for modality in modalities}
    if isinstance(features, str):
        entries = [entry.strip() for entry in features.split(",")]
        if len(modalities) == 1 and len(entries) == 1 and "=" not in entries[0]:
            return {modalities[0]: _split_names(entries[0])}
        if not all("=" in entry for entry in entries):
            form = ",".join(f"{modality}=NAME" for modality in modalities)
            raise UsageError(f"The option features is {features!r}; it has the form {form!r}.")
        features = dict(entry.split("=", 1) for entry in entries)
    unknown = [name for name in features if name not in modalities]
    if unknown:
        raise unknown_name("modality here", unknown[0], modalities)
    missing = [modality for modality in modalities if modality not in features]
    if missing:
        raise UsageError(f"The option features names no array for {', '.join(missing)}; name one per modality.")
    return {modality: _split_names(features[modality]) for modality in modalities}


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(":"))


def _default_names(name: str, arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    parts = tuple(f"{name}_{part}" for part in _PARTS if f"{name}_{part}" in arrays)
    if name in arrays:
        return (name,)
    if parts:
        for needed in (f"{name}_{part}" for part in _PARTS[:2]):
            if needed not in parts:
                raise UsageError(
                    f"The file holds {' and '.join(parts)} and no {needed}, and parts need train and query (without a "
                    f"database, that is the train part); add it, or name the arrays with the option {name}=A:B."
                )
        return parts
    usual = [known for known in USUAL.get(name, ()) if known in arrays]
    if len(usual) > 1:
        raise UsageError(
            f"Several arrays could hold the {name} ({', '.join(usual)}); name one with the option {name}=."
        )
    return (usual[0],) if usual else (name,)


def _count_parts(names: Sequence[Sequence[str]]) -> int:
    counts = {len(chosen) for chosen in names}
    if len(counts) != 1 or not counts <= {1, 2, 3}:
        raise UsageError(
            f"The features name {' and '.join(map(str, sorted(counts)))} arrays per modality; name one (drawn split), "
            "two (train:query) or three (train:query:database), the same for each."
        )
    return counts.pop()


def _require_as_many(what: str, names: Sequence[str], parts: int) -> None:
    if len(names) != parts:
        raise UsageError(
            f"The features have {parts} array(s) per modality and the {what} {len(names)} ({':'.join(names)}); "
            "name the same parts for both."
        )


def _require_same_length(arrays: Mapping[str, np.ndarray]) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        listed = ", ".join(f"{name} {count:,}" for name, count in lengths.items())
        raise UsageError(f"The arrays differ in their number of rows ({listed}); give one row per item in each.")


def _official(table: Table, lengths: Sequence[int], train: int, seed: str) -> Splits:
    bounds = np.cumsum([0, *lengths])
    rows = [np.arange(start, stop) for start, stop in pairwise(bounds)]
    whole, query = rows[0], rows[1]
    database = rows[2] if len(rows) == 3 else whole
    if not train:
        return make_splits(table, whole, query, database)
    classes = strata(table.labels[whole])
    sizes = np.bincount(classes[classes >= 0], minlength=1)
    if train > sizes.sum():
        raise UsageError(f"{train:,} training items were asked, and the train part has {sizes.sum():,} labelled ones.")
    chosen = proportional(sizes, train)
    counts = {label: (0, int(count)) for label, count in enumerate(chosen)}
    drawn, _, _ = draw_counts(table.ids[whole], classes, counts, seed, train_in_database=False)
    return make_splits(table, whole[drawn], query, database)
