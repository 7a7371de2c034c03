"""Where data and caches live, and paths that users write: checked once, here, so that every reader says the same."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

import platformdirs

from hashzoo.errors import UsageError, WorkError


def data_root() -> Path:
    """Return the folder that holds data sets: `HASHZOO_DATA`, else the user's data folder of the platform."""
    return _root("HASHZOO_DATA", platformdirs.user_data_dir)


def cache_root() -> Path:
    """Return the folder of caches, which may be deleted at any time: `HASHZOO_CACHE`, else the platform's."""
    return _root("HASHZOO_CACHE", platformdirs.user_cache_dir)


def _root(variable: str, default: Any) -> Path:
    named = os.environ.get(variable)
    return expanded(named, variable) if named else Path(default("hashzoo"))


def expanded(path: Any, what: str) -> Path:
    """Return a path as a user writes it, with `~` put in full; `what` names it in the error.

    Raises UsageError for what is no path: a number, an empty text, a home of nobody, a name with a NUL.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"{what} must be a path, got the {type(path).__name__} {path!r}; put it in quotes.")
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise UsageError(f"{what} must be a path, got {text!r:.80}; give the name of a file or folder.")
    try:
        given = Path(text).expanduser()
        given.exists()
        return given
    except (OSError, ValueError) as error:  # longer than names can be, or not to be written in the system's encoding
        if isinstance(error, PermissionError):
            return Path(text).expanduser()
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"{what} is {text!r:.80}, which is no path here ({reason}); give another name.") from None
    except RuntimeError:
        raise UsageError(f"{what} is {text!r}, and there is no such user; write the path in full.") from None


def given_path(path: Any, root: Path, what: str = "The option path", *, default: str | None = None) -> Path:
    """Return where the path of an option points: as given where that exists, else below the data root.

    "" is the place `default` below the data root, where there is one.
    """
    if path == "" and default is not None:
        return root / default
    given = expanded(path, what)
    return given if given.exists() else root / given


def source_path(root: Path, path: Any, default: str, what: str) -> Path:
    """Return where `what` lies: the option `path` if given, else `default` under the data root.

    Raises UsageError for a given path that does not exist, WorkError when the default one does not.
    """
    if path != "":
        chosen = given_path(path, root, f"The option path for {what}")
        if not chosen.exists():
            raise UsageError(
                f"There is no {expanded(path, 'The option path')}, which the option path names for {what}; give an "
                "existing path."
            )
        return chosen
    chosen = root / default
    if not chosen.exists():
        raise WorkError(f"{what} is expected at {chosen}; put it there, set HASHZOO_DATA, or give the option path.")
    return chosen


def regular_file(path: Path) -> Path:
    """Return `path` if it is a file that can be read to its end; a folder, pipe or device is a UsageError."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}; give an existing one.") from None
    except (OSError, ValueError) as error:
        raise WorkError(f"{path} cannot be reached ({getattr(error, 'strerror', None) or error}).") from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path} is a folder and a file is needed; name the file in it.")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path} is a pipe, a socket or a device, not a file; copy its content into a file.")
    return path


def below(name: str, where: str) -> str:
    """Return a name with "/" that stays inside the folder or archive it is taken from; `where` is for the message.

    >>> below("a\\\\b.jpg", "list.txt, line 1")
    'a/b.jpg'
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or (parts and (parts[0].startswith("/") or parts[0].endswith(":"))):
        raise UsageError(f"{where}: the name {name!r} leads out of its folder; names with '..' or a root are refused.")
    return "/".join(parts)
