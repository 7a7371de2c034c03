"""What `hashzoo data` does, as functions that return data: names are looked up here, the work is hashzoo.data's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hashzoo.data import inventory
from hashzoo.data.roots import data_root
from hashzoo.plugins import registry
from hashzoo.runner.progress import Reporter, stage
from hashzoo.specs import Dataset, Protocol


def list_datasets() -> list[dict[str, Any]]:
    """Return name, summary, modalities, protocols and state of every dataset."""
    reg = registry()
    return inventory.list_datasets([reg.get("datasets", name) for name in reg.names("datasets")], data_root())


def prepare(name: str, options: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Download (where the dataset can), verify and decode what a protocol (or a dataset's first one) needs."""
    dataset, protocol = _find(name)
    return inventory.prepare(dataset, protocol, data_root(), stage(reporter, "decode"), **options)


def check(name: str, options: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Return the report on a protocol's splits: sizes, overlaps, unlabelled items, duplicates."""
    dataset, protocol = _find(name)
    return inventory.check(dataset, protocol, data_root(), stage(reporter, "decode"), **options)


def data_path(name: str | None) -> list[str]:
    """Return the data root, or the paths at which a dataset's files are looked for (none if it is embedded)."""
    if name is None:
        return [str(data_root())]
    found = inventory.data_path(registry().get("datasets", name), data_root())
    return [file["path"] for file in found["files"]]


def _find(name: str) -> tuple[Dataset, Protocol]:
    reg = registry()
    if name in reg.names("datasets"):
        dataset: Dataset = reg.get("datasets", name)
        return dataset, dataset.protocols[0]
    return reg.protocol(name)
