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
from hashzoo.runner.cell import RunDirectory


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


def _row(folder: Path) -> dict[str, Any]:
    try:
        raw = read_json(folder / "config.json")
        config = RunConfig.model_validate({name: value for name, value in raw.items() if name != "precision"})
        records = [read_record(path) for path in RunDirectory(folder).records()]
    except (WorkError, ValidationError, AttributeError) as error:
        return {"name": folder.name, "fault": " ".join(str(error).split())[:200]}
    begun = [path for path in RunDirectory(folder).folders() if not (path / "record.json").is_file()]
    return {
        "name": folder.name,
        "method": config.method,
        "protocol": config.protocol_label,
        "backbone": "+".join(dict.fromkeys(part.name for part in config.backbones.values())),
        "regime": config.regime,
        "tuned": config.tuned,
        "changed": changes(config, registry()),
        "done": len(records),
        "begun": len(begun),
        "values": headline_values(records),
    }


def headline_values(records: list[Record]) -> dict[str, dict[int, float]]:
    """Return {metric: {bits: mean over seeds}} of the headline metric, in every direction that was measured."""
    found: dict[str, dict[int, list[float]]] = {}
    for record in records:
        for name, value in record.headlines.items():
            found.setdefault(name, {}).setdefault(record.bits, []).append(value)
    return {name: {bits: mean(values) for bits, values in sorted(by.items())} for name, by in found.items()}
