"""What run directories hold: what was changed in each, how far it is, its headline values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from pydantic import ValidationError

from hashzoo.errors import UsageError, WorkError
from hashzoo.files import read_json
from hashzoo.plugins import registry
from hashzoo.results.config import RunConfig
from hashzoo.results.record import Record, read_record
from hashzoo.runner.cell import RunDirectory
from hashzoo.specs import Method


def list_runs(out: Path) -> list[dict[str, Any]]:
    """Return one row for each run directory below `out`, newest first.

    A row has name, method, protocol, backbone, regime, `changed` (what differs from the method's own settings), the
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
    begun = [path for path in folder.glob("bits-*/seed-*") if not (path / "record.json").is_file()]
    return {
        "name": folder.name,
        "method": config.method,
        "protocol": config.protocol_label,
        "backbone": "+".join(dict.fromkeys(part.name for part in config.backbones.values())),
        "regime": config.regime,
        "changed": changed_settings(config),
        "done": len(records),
        "begun": len(begun),
        "values": headline_values(records),
    }


def headline_values(records: list[Record]) -> dict[str, dict[int, float]]:
    """Return {metric: {bits: mean over seeds}} of the headline metric, in every direction that was measured."""
    found: dict[str, dict[int, list[float]]] = {}
    for record in records:
        for name, value in record.metrics.items():
            if name.rpartition("/")[2] == record.headline:
                found.setdefault(name, {}).setdefault(record.bits, []).append(value)
    return {name: {bits: mean(values) for bits, values in sorted(by.items())} for name, by in found.items()}


def changed_settings(config: RunConfig) -> dict[str, Any]:
    """Return the settings in which a run differs from its method's own, under the names that --set takes.

    Empty where the method's plugin is not installed, so that nothing can be compared.
    """
    reg = registry()
    try:
        method: Method = reg.get("methods", config.method)
    except UsageError:
        return {}
    setting = method.settings.get(config.regime)
    own: dict[str, Any] = {}
    for role in ("loss", "hash_layer", "trainer", "fitter"):
        part = getattr(config, role)
        if part is None:
            continue
        own[role] = getattr(method, role)
        options = {**(setting.options.get(role, {}) if setting else {}), **method.options.get(role, {})}
        own |= {f"{role}.{name}": value for name, value in options.items()}
    found = {role: part.name for role in ("loss", "hash_layer", "trainer", "fitter") if (part := getattr(config, role))}
    for role in list(found):
        found |= {f"{role}.{name}": value for name, value in getattr(config, role).options.items()}
    found |= {f"data.{name}": value for name, value in config.dataset.options.items()}
    recipe = setting.recipe if setting and setting.recipe else method.recipe if config.regime == "finetune" else None
    if recipe is not None and config.recipe is not None:
        own |= _flat(recipe)
        found |= _flat(config.recipe)
    return {name: value for name, value in found.items() if own.get(name) != value}


def _flat(recipe: Any) -> Mapping[str, Any]:
    values = {name: getattr(recipe, name) for name in recipe.__dataclass_fields__ if name != "schedule"}
    schedule = {f"schedule.{n}": getattr(recipe.schedule, n) for n in recipe.schedule.__dataclass_fields__}
    return {**values, **schedule}
