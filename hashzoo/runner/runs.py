"""What run directories hold: what was changed in each, how far it is, its headline values."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

from pydantic import ValidationError

from hashzoo.errors import UsageError, WorkError
from hashzoo.files import read_json
from hashzoo.plugins import registry
from hashzoo.results.config import RunConfig
from hashzoo.results.record import Record, read_record
from hashzoo.results.settings import changes
from hashzoo.runner.cell import STAGE_FILES, RunDirectory


def list_runs(out: Path) -> list[dict[str, Any]]:
    """Return one row for each run directory below `out`, newest first.

    A row has name, method, protocol, backbone, regime, `tuned` (how its settings were searched for, "": they were
    not), `changed` (what differs from the method's own settings), the
    cells that are done and begun, and `values`: the mean over seeds of the headline metric by bits. A directory that
    cannot be read has its `fault` instead.
    """
    if not out.is_dir():
        raise UsageError(f"There is no folder {out}; hashzoo run makes it, or give the folder that holds your runs.")
    folders = [folder for folder in out.iterdir() if (folder / "config.json").is_file()]
    return [_row(folder) for folder in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True)]


def read_run(path: Path) -> tuple[dict[str, Any], list[Record]]:
    """Return what `list_runs` says of a run directory, a cell or a single record, and its records."""
    if (path / "config.json").is_file():
        return _run(path)
    file = path / STAGE_FILES["evaluate"] if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        raise UsageError(
            f"{path} is no run directory and no cell, and nothing registered has that name; hashzoo runs {path} lists "
            "the runs in it."
        )
    record = read_record(file)
    return _described(str(path), record.config, [record]), [record]


def _row(folder: Path) -> dict[str, Any]:
    try:
        return _run(folder)[0]
    except WorkError as error:
        return {"name": folder.name, "fault": " ".join(str(error).split())[:200]}


def _run(folder: Path) -> tuple[dict[str, Any], list[Record]]:
    """Return a run directory's row and records."""
    try:
        raw = read_json(folder / "config.json")
        config = RunConfig.model_validate({name: value for name, value in raw.items() if name != "precision"})
    except (ValidationError, AttributeError) as error:
        raise WorkError(f"{folder / 'config.json'} is damaged: {error}; restore it, or repeat the run.") from error
    records = [read_record(path) for path in RunDirectory(folder).records()]
    begun = [path for path in RunDirectory(folder).folders() if not (path / "record.json").is_file()]
    return _described(folder.name, config, records, len(begun)), records


def _described(name: str, config: RunConfig, records: list[Record], begun: int = 0) -> dict[str, Any]:
    return {
        "name": name,
        "method": config.method,
        "protocol": config.protocol_label,
        "backbone": "+".join(dict.fromkeys(part.name for part in config.backbones.values())),
        "regime": config.regime,
        "tuned": config.tuned,
        "changed": changes(config, registry()),
        "done": len(records),
        "begun": begun,
        "values": headline_values(records),
    }


def headline_values(records: list[Record]) -> dict[str, dict[int, float]]:
    """Return {metric: {bits: mean over seeds}} of the headline metric, in every direction that was measured."""
    found: dict[str, dict[int, list[float]]] = {}
    for record in records:
        for name, value in record.headlines.items():
            found.setdefault(name, {}).setdefault(record.bits, []).append(value)
    return {name: {bits: mean(values) for bits, values in sorted(by.items())} for name, by in found.items()}
