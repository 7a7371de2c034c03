"""A run directory: config.json, split.json and a folder per (bits, seed), each stage's file beside its fingerprint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hashzoo.errors import UsageError, WorkError
from hashzoo.files import read_text, write_text

STAGE_FILES = {"train": "model.safetensors", "encode": "codes.npz", "evaluate": "record.json"}


def write_json(path: Path, value: Any) -> None:
    """Write JSON, readable, through a temporary name."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; a damaged file is a WorkError that names it."""
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise WorkError(
            f"{path} is not complete JSON ({error}): it was cut short or edited; delete it and repeat the command."
        ) from error


class Cell:
    """The folder of one (bits, seed); a stage is done when its file exists and its fingerprint is the expected one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, stage: str) -> Path:
        """Path of a stage's output."""
        return self.path / STAGE_FILES[stage]

    def is_done(self, stage: str, fingerprint: str) -> bool:
        """Whether the stage's output exists and was made from exactly this upstream."""
        return self.file(stage).exists() and self._noted().get(stage, {}).get("fingerprint") == fingerprint

    def mark_done(self, stage: str, fingerprint: str, seconds: float = 0.0) -> None:
        """Note the fingerprint of a stage whose file has just been put in place, and how long it took."""
        noted = {**self._noted(), stage: {"fingerprint": fingerprint, "seconds": round(seconds, 3)}}
        write_json(self.path / "stages.json", noted)

    def seconds(self) -> dict[str, float]:
        """Return how long each finished stage took, whichever command did it."""
        return {stage: noted["seconds"] for stage, noted in self._noted().items()}

    def clear(self) -> None:
        """Remove everything in the folder."""
        try:
            if self.path.exists():
                shutil.rmtree(self.path)
        except OSError as error:
            raise WorkError(f"Could not remove {self.path}: {error.strerror}; make it writable.") from error

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write history.jsonl: one line per epoch with the mean of each loss term."""
        lines = [json.dumps({"epoch": epoch + 1, **row}, sort_keys=True) for epoch, row in enumerate(rows)]
        write_text(self.path / "history.jsonl", "".join(line + "\n" for line in lines))

    def _noted(self) -> dict[str, dict[str, Any]]:
        path = self.path / "stages.json"
        noted = read_json(path) if path.exists() else {}
        if not isinstance(noted, dict) or not all(isinstance(value, dict) for value in noted.values()):
            raise WorkError(f"{path} is not what hashzoo wrote; delete it and repeat the command.")
        return noted


class RunDirectory:
    """Folder of one configuration: <out>/<name>/bits-016/seed-0/..."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cell(self, bits: int, seed: int) -> Cell:
        """Return the folder of one (bits, seed)."""
        return Cell(self.path / f"bits-{bits:03d}" / f"seed-{seed}")

    def records(self) -> list[Path]:
        """Paths of all records written so far, sorted."""
        return sorted(self.path.glob("bits-*/seed-*/record.json"))

    def prepare(self, overwrite: str) -> None:
        """Create the folder; with overwrite "never" refuse one that already holds records."""
        if overwrite == "never" and self.records():
            raise UsageError(
                f"{self.path} already holds {len(self.records())} record(s); use --overwrite missing to add what is "
                "missing, --overwrite always to make all of it again, or another --out."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkError(f"Could not create {self.path}: {error.strerror}; choose another --out.") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for this process; a second run on it is refused."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise WorkError(
                f"Another run is working in {self.path}; wait for it to end or choose another --out."
            ) from None
        except OSError as error:
            raise WorkError(f"Could not write in {self.path}: {error.strerror}; choose another --out.") from error
        try:
            yield
        finally:
            lock.release()
