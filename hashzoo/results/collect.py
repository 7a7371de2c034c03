"""Finding records: in run directories and among the accepted ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashzoo.errors import UsageError, WorkError
from hashzoo.files import json_sha256
from hashzoo.results.record import Record, read_record
from hashzoo.results.settings import method_config
from hashzoo.results.text import plain

PATTERNS = ("record.json", "bits-*-seed-*.json")
"""Names of record files in run directories and among the accepted records."""


@dataclass(frozen=True)
class Found:
    """A record and the file it was read from."""

    path: Path
    record: Record


def collect(paths: Iterable[Path]) -> list[Found]:
    """Read every record in the given files and folders, sorted by path.

    An accepted copy is left out where the run's own record is there too. Raises UsageError for a path that
    does not exist, and WorkError naming the files for records that cannot be read or of which two say the
    same thing was measured.
    """
    found = []
    files, faults = _search(paths)
    for path in files:
        try:
            found.append(Found(path, read_record(path)))
        except WorkError as error:
            faults.append(str(error))
    if faults:
        counted = f"{len(faults)} of {len(found) + len(faults)} records cannot be read:\n" if len(faults) > 1 else ""
        raise WorkError(counted + "\n".join(faults))
    own = {f.record.record_sha256 for f in found}
    kept = [f for f in found if f.record.origin_sha256 not in own]
    refuse_duplicates(kept)
    return kept


def _search(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Return record files, and a sentence for every folder or record that is there and cannot be read."""
    files: dict[Path, Path] = {}
    faults: list[str] = []
    for path in paths:
        if path.is_dir():
            for place, folders, names in os.walk(path, onerror=lambda error: faults.append(_unreadable(error))):
                for file in (Path(place, name) for name in (*folders, *names)):
                    if not any(file.match(pattern) for pattern in PATTERNS):
                        continue
                    if file.is_file():
                        files.setdefault(file.resolve(), file)
                    else:
                        faults.append(f"{file} has the name of a record and is no file that can be read; move it away.")
        elif path.is_file():
            files.setdefault(path.resolve(), path)
        elif path.exists():
            raise UsageError(f"{path} is neither a file nor a folder; give run directories or record files.")
        else:
            raise UsageError(f"There is no file or folder {path}; give run directories or record files.")
    return sorted(files.values()), faults


def _unreadable(error: OSError) -> str:
    return f"{error.filename} cannot be listed ({error.strerror}); make it readable or leave it out."


def refuse_duplicates(found: Iterable[Found]) -> None:
    """Raise WorkError, naming both files, where two records measured the same thing."""
    first: dict[str, Path] = {}
    for item in found:
        key = json_sha256(identity(item.record))
        if key in first:
            raise WorkError(
                f"{first[key]} and {item.path} are records of the same run ({describe(item.record)}); "
                "remove one or leave its folder out."
            )
        first[key] = item.path


def identity(record: Record) -> dict[str, Any]:
    """Return what tells one measurement from another; two records that agree in it are duplicates."""
    return {
        "method": record.method,
        "protocol": record.protocol,
        "split": record.split_sha256,
        "backbone": record.backbone,
        "frozen": record.frozen,
        "regime": record.regime,
        "bits": record.bits,
        "seed": record.seed,
        "convention": record.convention,
        "ties": record.ties,
        "config": method_config(record),
    }


def describe(record: Record) -> str:
    """Return a record in words: "dch, cifar10-5k, alexnet finetune, 16 bits, seed 0"."""
    bits = f"{record.bits} bits" if record.bits else "features"
    trained = f"{record.method}, {record.protocol}, {record.backbone_name} {record.regime}"
    return plain(f"{trained}, {bits}, seed {record.seed}")
