"""Small pieces that every loader needs: fingerprints, checksums of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hashzoo.errors import WorkError


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
