"""Small pieces that every loader needs: fingerprints, checksums of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hashzoo.errors import WorkError
from hashzoo.files import file_sha256

_LISTED = 5  # how many files one message names


def fingerprint_of(inputs: Mapping[str, np.ndarray]) -> str:
    """Return a sha256 over names, types, shapes and bytes of the inputs, modality by modality."""
    digest = hashlib.sha256()
    for modality in sorted(inputs):
        array = np.ascontiguousarray(inputs[modality])
        digest.update(f"{modality} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def require_sha256(path: Path, expected: str, what: str) -> None:
    """Raise WorkError when the file at `path` is not the one named by `expected`."""
    found = file_sha256(path)
    if found != expected:
        raise WorkError(
            f"{path} is not the {what} that is known here: its sha256 is {found[:16]}..., expected "
            f"{expected[:16]}...; fetch it again."
        )


def require_files(found: Mapping[str, bytes], known: Mapping[str, str], what: str, remedy: str) -> None:
    """Raise WorkError naming the first of the `known` files that are missing in `found`, or have another sha256.

    `known` are the first digits of the sha256 of every file by name; `what` they are and the `remedy` are for people.
    """
    missing = [name for name in known if name not in found]
    other = [
        name
        for name, digest in known.items()
        if name in found and not hashlib.sha256(found[name]).hexdigest().startswith(digest)
    ]
    for names, wrong in ((missing, "are missing"), (other, "are not those that are known here (by their sha256)")):
        if names:
            more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
            listed = ", ".join(names[:_LISTED])
            raise WorkError(f"{len(names):,} of {len(known):,} {what} {wrong}: {listed}{more}; {remedy}.")
