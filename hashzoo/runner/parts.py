"""A part of a database to be counted, as work that any process can do, and the folder in which all parts meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashzoo import __version__
from hashzoo.errors import WorkError
from hashzoo.evaluation.arrays_in import file_of
from hashzoo.evaluation.counting.parts import Part
from hashzoo.files import json_sha256
from hashzoo.runner.reevaluate import count_part

FILES = ("query", "database", "query_labels", "database_labels")
"""Options of `hashzoo evaluate` that name files."""


@dataclass(frozen=True)
class PartRequest:
    """Count part `part` of `parts` (from 1) of a database into the file `output`.

    `options` are those of `hashzoo evaluate` that say what is counted, its files as absolute paths. `device` is what
    the kernel torch counts on; "auto" leaves it to the kernel.
    """

    part: int
    parts: int
    output: Path
    options: Mapping[str, Any]
    kernel: str = "auto"
    device: str = "auto"

    @property
    def label(self) -> str:
        """The part in words."""
        return f"part {self.part} of {self.parts}"

    @property
    def is_counted(self) -> bool:
        """Whether its file is there and whole."""
        try:
            found = Part.load(self.output) if self.output.is_file() else None
        except WorkError:
            return False  # cut short or damaged: it is counted again
        return found is not None and (found.part, found.parts) == (self.part, self.parts)

    def do(self, threads: int = 0, wait: bool = True) -> None:
        """Count it; threads of torch make no difference to counts, and nothing is waited for."""
        kernel = self.kernel if self.device == "auto" else f"{self.kernel}:{self.device}"
        count_part((self.part, self.parts), self.output, {**self.options, "kernel": kernel})


def part_requests(parts: int, folder: Path, options: Mapping[str, Any]) -> list[PartRequest]:
    """Return the requests of all parts, whose files are in a folder of their own below `folder`.

    Its name holds a digest of all that decides the counts: the files with their sizes and the times of their last
    change, what is read of them, the number of parts and hashzoo's version. What was counted of other files, or of
    these before they changed, is therefore in another folder.
    """
    paths = {name: options[name].absolute() for name in FILES if options.get(name) is not None}
    read = {name: options.get(name) for name in ("bits", "names", "leave_self_out")}
    states = {name: _state(path) for name, path in paths.items()}
    digest = json_sha256({**states, **read, "parts": parts, "version": __version__})
    where = folder.absolute() / f"{file_of(paths['database']).stem}_{digest[:8]}"
    kernel, _, device = str(options["kernel"]).partition(":")
    return [
        PartRequest(
            number,
            parts,
            where / f"part-{number:0{len(str(parts))}}-of-{parts}.npz",
            {**paths, **read},
            kernel,
            device or "auto",
        )
        for number in range(1, parts + 1)
    ]


def _state(path: Path) -> list[Any]:
    try:
        found = file_of(path).stat()
    except OSError as error:
        raise WorkError(f"{path} cannot be read: {error.strerror}; give an existing file.") from error
    return [str(path), found.st_size, found.st_mtime_ns]
