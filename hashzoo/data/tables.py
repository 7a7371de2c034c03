"""Small pieces that every loader needs: one-hot labels, fingerprints, checksums of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hashzoo.errors import UsageError, WorkError


def one_hot(classes: np.ndarray, num_classes: int) -> np.ndarray:
    """Return labels (n, C) uint8 from class indices (n,); -1 gives a row of zeros.

    >>> one_hot(np.array([1, -1]), 2).tolist()
    [[0, 1], [0, 0]]
    """
    labels = np.zeros((len(classes), num_classes), dtype=np.uint8)
    rows = np.flatnonzero(classes >= 0)
    labels[rows, classes[rows]] = 1
    return labels


def fingerprint_of(inputs: Mapping[str, np.ndarray]) -> str:
    """Return a sha256 over names, types, shapes and bytes of the inputs, modality by modality."""
    digest = hashlib.sha256()
    for modality in sorted(inputs):
        array = np.ascontiguousarray(inputs[modality])
        digest.update(f"{modality} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_sha256(path: Path, expected: str, what: str) -> None:
    """Raise WorkError when the file at `path` is not the one named by `expected`."""
    found = file_sha256(path)
    if found != expected:
        raise WorkError(
            f"{path} is not the {what} that is known here: its sha256 is {found[:16]}..., expected "
            f"{expected[:16]}...; fetch it again."
        )


def source_path(root: Path, path: str, default: str, what: str) -> Path:
    """Return where `what` lies: the option `path` if given, else `default` under the data root.

    Raises UsageError for a given path that does not exist, WorkError when the default one does not.
    """
    if path:
        chosen = Path(path).expanduser()
        if not chosen.exists():
            raise UsageError(f"There is no {chosen}, which the option path names for {what}; give an existing path.")
        return chosen
    chosen = root / default
    if not chosen.exists():
        raise WorkError(f"{what} is expected at {chosen}; put it there, set HASHZOO_DATA, or give the option path.")
    return chosen
