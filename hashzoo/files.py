"""Files written through a temporary name, read with a sentence when unusable; canonical JSON and its hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hashzoo.errors import WorkError


def canonical_json(value: Any) -> str:
    """Return JSON in canonical form: sorted keys, no spaces, no NaN (ValueError).

    >>> canonical_json({"b": [1.0, 2], "a": "ä"})
    '{"a":"ä","b":[1.0,2]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def json_sha256(value: Any) -> str:
    """Return the sha256 of a JSON value in canonical form."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; what was written under it becomes the file where the block succeeds.

    Nothing is left behind where it fails. The name is nobody else's, on another machine of a shared folder either.
    """
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file through a temporary name, so that it is never seen half written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise WorkError(
            f"Could not write {path}: {error.strerror}; free space or make the folder writable and repeat the command."
        ) from error


def read_text(path: Path) -> str:
    """Read a UTF-8 file; one that is missing, unreadable or not text is a WorkError that names it."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise WorkError(f"{path} cannot be read: {error.strerror}; give an existing, readable file.") from error
    except UnicodeDecodeError as error:
        raise WorkError(f"{path} is not a text file; restore it or make it again.") from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON, readable, through a temporary name."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; a damaged file is a WorkError that names it."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise WorkError(
            f"{path} is not complete JSON ({error}): it was cut short or edited; restore it, or move it away and "
            "repeat the command."
        ) from error
