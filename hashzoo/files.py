"""Text files of the results stage: written through a temporary name, read with a sentence when unusable."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from hashzoo.errors import WorkError


def write_text(path: Path, text: str) -> None:
    """Write a file through a temporary name, so that it is never seen half written."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
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
