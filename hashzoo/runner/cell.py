"""A cell of a run, one (bits, seed): the finished one as users read it, and its folder while the stages fill it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import Codes, codes_sha256, load_codes
from hashzoo.files import file_sha256, read_json, write_json, write_text
from hashzoo.results.evidence import by_query, pairs_of
from hashzoo.results.record import Record, read_record

if TYPE_CHECKING:
    import numpy as np

    from hashzoo.runner.build import EndToEnd

STAGE_FILES = {"train": "model.safetensors", "encode": "codes.npz", "evaluate": "record.json"}
LOCK = ".lock"
TRIES = 100
"""How often a folder is made that another process removes before it is held."""
DESCRIBED = ("split.json", "config.json")
"""What a run directory holds beside its cells."""


class Cell:
    """A finished cell: `Cell("runs/<name>/bits-048/seed-0")`.

    Its record, its codes (checked against the record once) and its values by query are read when they are first asked
    for. Raises UsageError where the folder holds no record.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / STAGE_FILES["evaluate"]).is_file():
            raise UsageError(
                f"{self.path} holds no {STAGE_FILES['evaluate']}; give one finished cell of a run such as "
                "runs/<name>/bits-048/seed-0."
            )

    def __repr__(self) -> str:
        return f"Cell({str(self.path)!r})"

    @cached_property
    def record(self) -> Record:
        """What was measured."""
        return read_record(self.path / STAGE_FILES["evaluate"])

    @cached_property
    def codes(self) -> dict[str, Codes]:
        """The codes by part and modality ("query.image", "database.image"); WorkError if they are not the record's."""
        codes = load_codes(self.path / STAGE_FILES["encode"])
        if codes_sha256(codes) != self.record.codes_sha256:
            raise WorkError(
                f"{self.path}: codes.npz is not the file that the record was made from; run it again with "
                "--overwrite always."
            )
        return codes

    @property
    def pairs(self) -> dict[str, tuple[Codes, Codes]]:
        """Query and database codes of every direction measured: {"": ...}, or {"image-to-text": ..., ...}."""
        try:
            return pairs_of(self.record, self.codes)
        except WorkError as error:
            raise WorkError(f"{self.path}: {error}") from error

    @cached_property
    def queries(self) -> dict[str, np.ndarray]:
        """Values by query (Q,) of the headline metric of each direction, NaN where a query has none."""
        return self.by_query((self.record.headline,))

    def by_query(self, metrics: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Return the values by query (Q,) of metrics, under the record's names ("image-to-text/map")."""
        return by_query(self.record, self.pairs, metrics)

    def model(self) -> EndToEnd:
        """Return the trained model, in evaluation mode, called as model(modality, inputs) with the dataset's inputs.

        Only safetensors are read, so loading runs no code from the file. Raises WorkError where the file is not the
        one that was written, or the backbone's weights are not those of the record.
        """
        from hashzoo.runner.build import load_model

        if CellFolder(self.path).is_damaged("train"):
            raise WorkError(
                f"{self.path / STAGE_FILES['train']} is not the file that was written (damaged, or copied from "
                "elsewhere); restore it, or run the cell again with --overwrite always."
            )
        return load_model(self.record, self.path / STAGE_FILES["train"])


def cells_of(run: Path) -> list[Cell]:
    """Return the finished cells of a run directory, or the cell itself where one is given."""
    if (run / STAGE_FILES["evaluate"]).is_file():
        return [Cell(run)]
    cells = [Cell(path.parent) for path in RunDirectory(run).records()]
    if not cells:
        raise UsageError(f"{run} holds no finished run; give a run directory such as runs/<name>.")
    return cells


class CellFolder:
    """A cell's folder while it is filled.

    A stage is done when its file is there with the content that was written, made from exactly this upstream.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, stage: str) -> Path:
        """Path of a stage's output."""
        return self.path / STAGE_FILES[stage]

    def is_done(self, stage: str, fingerprint: str) -> bool:
        """Whether the stage's output is there, made from exactly this upstream."""
        return self.file(stage).is_file() and self.noted(stage).get("fingerprint") == fingerprint

    def is_damaged(self, stage: str) -> bool:
        """Whether the stage's file is not the one that was written: cut short, damaged, or copied from elsewhere."""
        wanted = self.noted(stage).get("sha256")
        return wanted is not None and self.file(stage).is_file() and file_sha256(self.file(stage)) != wanted

    def mark_done(self, stage: str, fingerprint: str, seconds: float, upstream: Mapping[str, str]) -> None:
        """Note fingerprint, content, time and parts of the upstream of a stage whose file has just been written."""
        note = {
            "fingerprint": fingerprint,
            "seconds": round(seconds, 3),
            "upstream": dict(upstream),
            "sha256": file_sha256(self.file(stage)),
        }
        write_json(self.path / "stages.json", {**self._notes(), stage: note})

    def noted(self, stage: str) -> dict[str, Any]:
        """Return what was noted of a stage; empty where nothing was."""
        return self._notes().get(stage, {})

    def seconds(self) -> dict[str, float]:
        """Return how long each finished stage took, whichever command did it."""
        return {stage: noted["seconds"] for stage, noted in self._notes().items()}

    def clear(self) -> None:
        """Remove what stages left in the folder; the lock of whoever holds it stays.

        So does a checkpoint: it is there where a training was broken off, and the same one goes on from it.
        """
        try:
            for entry in self.path.iterdir() if self.path.exists() else ():
                if entry.name in (LOCK, "checkpoint"):
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        except OSError as error:
            raise WorkError(f"Could not remove {self.path}: {error.strerror}; make it writable.") from error

    def sweep(self) -> None:
        """Remove temporary files that a killed process left; the caller holds the lock."""
        for pattern in ("*.part", "checkpoint/*.part"):
            for left in self.path.glob(pattern):
                left.unlink(missing_ok=True)

    def set_aside(self) -> Path | None:
        """Keep a record that is about to be replaced, as record-<sha>.json beside it; return its path."""
        old = self.file("evaluate")
        if not old.is_file():
            return None
        kept = old.with_name(f"record-{file_sha256(old)[:8]}.json")
        old.replace(kept)
        return kept

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write history.jsonl: one line per epoch with the mean of each loss term."""
        lines = [json.dumps({"epoch": epoch + 1, **row}, sort_keys=True) for epoch, row in enumerate(rows)]
        write_text(self.path / "history.jsonl", "".join(line + "\n" for line in lines))

    @contextmanager
    def locked(self, wait: bool = False) -> Iterator[bool]:
        """Hold the cell for this process; give False where another one holds it, or `wait` for that one to end.

        The lock belongs to a process and ends with it, however it ends.
        """
        try:
            lock = self._acquire(wait)
        except OSError as error:
            raise WorkError(
                f"Could not write in {self.path}: {error.strerror or error}; choose another --out."
            ) from error
        if lock is None:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _acquire(self, wait: bool) -> FileLock | None:
        """Make the folder and hold its lock; None where another process holds it.

        A process whose run failed removes the folders that it left empty, perhaps between the two: both are tried
        again then.
        """
        for _ in range(TRIES - 1):
            with suppress(FileNotFoundError, FileExistsError):  # the second: gone again when mkdir looks at it
                return self._acquire_once(wait)
        return self._acquire_once(wait)

    def _acquire_once(self, wait: bool) -> FileLock | None:
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / LOCK, fallback_to_soft=False)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return None
        return lock

    def _notes(self) -> dict[str, dict[str, Any]]:
        path = self.path / "stages.json"
        noted = read_json(path) if path.exists() else {}
        if not isinstance(noted, dict) or not all(isinstance(value, dict) for value in noted.values()):
            raise WorkError(f"{path} is not what hashzoo wrote; restore it, or move it away and repeat the command.")
        return noted


class RunDirectory:
    """Folder of one configuration: <out>/<name>/bits-016/seed-0/..."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cell(self, bits: int, seed: int) -> CellFolder:
        """Return the folder of one (bits, seed)."""
        return CellFolder(self.path / f"bits-{bits:03d}" / f"seed-{seed}")

    def records(self) -> list[Path]:
        """Paths of all records written so far, sorted."""
        return [path for folder in self.folders() if (path := folder / STAGE_FILES["evaluate"]).is_file()]

    def folders(self) -> list[Path]:
        """Folders of the cells that are there, sorted; another process may remove one while they are looked for."""
        found: list[Path] = []
        with suppress(FileNotFoundError):
            for length in sorted(self.path.glob("bits-*")):
                with suppress(FileNotFoundError):
                    found += sorted(length.glob("seed-*"))
        return found

    def require_new(self) -> None:
        """Raise UsageError where records are there already (overwrite "never")."""
        if self.records():
            raise UsageError(
                f"{self.path} already holds {len(self.records())} record(s); use --overwrite missing to add what is "
                "missing, --overwrite always to make all of it again, or another --out."
            )

    def describe(self, files: Mapping[str, Any]) -> None:
        """Write files of JSON that describe the run."""
        for name, value in files.items():
            write_json(self.path / name, value)

    def is_described(self) -> bool:
        """Whether the files that describe the run are there."""
        return all((self.path / name).is_file() for name in DESCRIBED)

    def remove_if_empty(self) -> None:
        """Remove cells in which no stage was finished, and the folder itself where none is left.

        What another process holds, or has just begun, stays.
        """
        for folder in self.folders():
            with suppress(OSError, Timeout), FileLock(folder / LOCK, timeout=0, fallback_to_soft=False):
                if {entry.name for entry in folder.iterdir()} <= {LOCK}:
                    shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            for folder in self.path.glob("bits-*"):
                with suppress(OSError):
                    folder.rmdir()
            if self.path.is_dir() and not any(entry.is_dir() for entry in self.path.iterdir()):
                for name in DESCRIBED:
                    (self.path / name).unlink(missing_ok=True)
                self.path.rmdir()  # stays where it holds a file of somebody else
