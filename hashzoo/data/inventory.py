"""What `hashzoo data list | path | prepare | check` print, as plain data."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hashzoo.data.roots import cache_root
from hashzoo.plugins.options import resolve
from hashzoo.specs import Dataset, Protocol


def list_datasets(datasets: Iterable[Dataset], root: Path) -> list[dict[str, Any]]:
    """Return one row per dataset: name, summary, modalities, protocols, homepage, and `state`.

    `state` is "embedded" (nothing to fetch), "your own" (give the option path), "ready" (its files are under
    `root`) or "missing" (they are not; `files` says which).
    """
    return [
        {
            "name": dataset.name,
            "summary": dataset.summary,
            "modalities": dict(dataset.modalities),
            "protocols": [protocol.id for protocol in dataset.protocols],
            "homepage": dataset.homepage,
            "state": _state(dataset, root),
            "files": _files(dataset, root),
        }
        for dataset in sorted(datasets, key=lambda item: item.name)
    ]


def data_path(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Return where a dataset's files are expected and whether they are there, and where its caches go."""
    return {
        "dataset": dataset.name,
        "root": str(root),
        "cache": str(cache_root()),
        "state": _state(dataset, root),
        "files": _files(dataset, root),
    }


def prepare(
    dataset: Dataset,
    protocol: Protocol,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Fetch a dataset's files where its loader is able to, decode its images into the cache, check its split.

    Returns what `check` returns, and `seconds`. Raises WorkError where the files are missing and cannot be fetched.
    """
    started = time.perf_counter()
    if "download" in inspect.signature(resolve(dataset.load, f"Dataset {dataset.name!r}")).parameters:
        root.mkdir(parents=True, exist_ok=True)
        options = {"download": True, **options}
    report = check(dataset, protocol, root, progress, **options)
    return {**report, "seconds": time.perf_counter() - started}


def check(
    dataset: Dataset,
    protocol: Protocol,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Load a protocol's splits and return the fields of `checks.SplitReport`, with the inputs' shapes and types."""
    from hashzoo.data.checks import check_splits
    from hashzoo.data.loading import load_splits

    splits = load_splits(dataset, protocol, root, progress, **options)
    inputs = {
        name: {"shape": list(array.shape), "dtype": str(array.dtype)} for name, array in splits.table.inputs.items()
    }
    return {
        "dataset": dataset.name,
        "inputs": inputs,
        "fingerprint": splits.table.fingerprint,
        **check_splits(splits, protocol).as_dict(),
    }


def _state(dataset: Dataset, root: Path) -> str:
    if dataset.files:
        return "ready" if all(file["exists"] for file in _files(dataset, root)) else "missing"
    own = all(protocol.sizes == (0, 0, 0) for protocol in dataset.protocols)
    return "your own" if own else "embedded"


def _files(dataset: Dataset, root: Path) -> list[dict[str, Any]]:
    return [{"path": str(root / name), "exists": (root / name).exists()} for name in dataset.files]
