"""The datasets by name: list them, say where their files belong, load, prepare and check their splits."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hashzoo.data.roots import cache_root, data_root
from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.plugins.options import check_options, resolve
from hashzoo.specs import Dataset, Protocol, Splits

if TYPE_CHECKING:
    from hashzoo.data.checks import SplitReport
    from hashzoo.plugins import Registry

Progress = Callable[[int, int], None]
"""Called as progress(done, total) while images are decoded."""


def find(name: str, registry: Registry | None = None) -> tuple[Dataset, Protocol]:
    """Return the dataset and protocol of a protocol's id or alias, or of a dataset's name (its first protocol)."""
    if registry is None:
        from hashzoo.plugins import registry as installed

        registry = installed()
    if name in registry.names("datasets"):
        dataset: Dataset = registry.get("datasets", name)
        return dataset, dataset.protocols[0]
    return registry.protocol(name)


# Listing
# ----------------------------------------------------------------------------------------------------------


def list_datasets(datasets: Iterable[Dataset] | None = None, root: Path | None = None) -> list[dict[str, Any]]:
    """Return one row per dataset (all that are registered): name, summary, modalities, protocols, homepage, `state`.

    `state` is "embedded" (nothing to fetch), "your own" (give the option path), "ready" (its files are under
    `root`, the data root) or "missing" (they are not; `files` says which).
    """
    if datasets is None:
        from hashzoo.plugins import registry

        reg = registry()
        datasets = [reg.get("datasets", name) for name in reg.names("datasets")]
    root = data_root() if root is None else root
    return [
        {
            "name": dataset.name,
            "summary": dataset.summary,
            "modalities": dict(dataset.modalities),
            "protocols": [protocol.id for protocol in dataset.protocols],
            "homepage": dataset.homepage,
            "state": _state(dataset, root),
            "files": files_of(dataset, root),
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
        "files": files_of(dataset, root),
    }


def _state(dataset: Dataset, root: Path) -> str:
    if dataset.files:
        return "ready" if all(file["exists"] for file in files_of(dataset, root)) else "missing"
    own = any(protocol.sizes == (0, 0, 0) for protocol in dataset.protocols)  # others are rules over one's own copy
    return "your own" if own else "embedded"


def files_of(dataset: Dataset, root: Path) -> list[dict[str, Any]]:
    """Return where each file that a dataset states is expected, and whether it is there."""
    return [{"path": str(root / name), "exists": (root / name).exists()} for name in dataset.files]


# Loading
# ----------------------------------------------------------------------------------------------------------


def load_splits(
    dataset: Dataset, protocol: Protocol, root: Path, progress: Progress | None = None, **options: Any
) -> Splits:
    """Return the table of a dataset and the rows that a protocol makes query, train and database.

    `root` is the data root. A loader may take `progress` as its third parameter; all parameters after that are
    its options.

    Raises UsageError for an option the dataset does not have and for options that cannot be met, WorkError where
    the data are missing or damaged or are not those whose sha256 the protocol names.
    """
    from hashzoo.data.splits import require_pinned

    splits = load_unpinned(dataset, protocol, root, progress, options)
    require_pinned(splits, protocol)
    return splits


def load_unpinned(
    dataset: Dataset, protocol: Protocol, root: Path, progress: Progress | None, options: Mapping[str, Any]
) -> Splits:
    """Load as `load_splits` does, without comparing with what the protocol names."""
    if protocol.dataset != dataset.name:
        raise UsageError(
            f"Protocol {protocol.id} belongs to dataset {protocol.dataset}, not to {dataset.name}; "
            f"choose one of {', '.join(known.id for known in dataset.protocols)}."
        )
    load = loader_of(dataset)
    given = (protocol, root, progress) if takes_progress(load) else (protocol, root)
    check_options(load, f"Dataset {dataset.name!r}", len(given), options)
    if not any(options.get(given) for given in ("path", "download", "lists_only")):
        _require_files(dataset, protocol, root, "download" in inspect.signature(load).parameters)
    return load(*given, **options)  # type: ignore[no-any-return] # what a loader returns is known by contract only


def takes_progress(load: Callable[..., Any]) -> bool:
    """Return whether a loader's third parameter is `progress`."""
    return list(inspect.signature(load).parameters)[2:3] == ["progress"]


def loader_of(dataset: Dataset) -> Callable[..., Any]:
    """Return the function that loads a dataset's protocols."""
    return resolve(dataset.load, f"Dataset {dataset.name!r}")


def _accepts(dataset: Dataset, option: str) -> bool:
    return option in inspect.signature(loader_of(dataset)).parameters


def _require_files(dataset: Dataset, protocol: Protocol, root: Path, downloads: bool) -> None:
    missing = [file["path"] for file in files_of(dataset, root) if not file["exists"]]
    if not missing:
        return
    what = "a file which does not exist" if len(missing) == 1 else f"{len(missing)} files which do not exist"
    fetch = f" fetch it with `hashzoo data prepare {protocol.id}`," if downloads else ""
    where = f" ({dataset.homepage})" if dataset.homepage else ""
    raise WorkError(
        f"Dataset {dataset.name!r} needs {what}, expected at {missing[0]}; put it there{where},{fetch} set "
        "HASHZOO_DATA, or give the option path."
    )


def image_preparation(name: str, options: Mapping[str, Any], shape: Sequence[int]) -> tuple[str, bool]:
    """Return how a dataset given `options` brought images to one size, and whether to that of `shape` (H, W, 3).

    "squash" and False for a dataset whose images had their size already, or whose loader has no option `fit`.
    """
    from hashzoo.plugins import registry

    parameters = inspect.signature(loader_of(registry().get("datasets", name))).parameters
    given = {key: parameters[key].default for key in ("fit", "stored_size") if key in parameters} | dict(options)
    side = given.get("stored_size")
    return str(given.get("fit", "squash")), "fit" in given and list(shape[:2]) == [side, side]


# Preparing and checking
# ----------------------------------------------------------------------------------------------------------


def prepare(
    dataset: Dataset, protocol: Protocol, root: Path, progress: Progress | None = None, **options: Any
) -> dict[str, Any]:
    """Fetch a dataset's files where its loader is able to, decode its images into the cache, check its split.

    Returns what `check` returns, and `seconds`. Raises WorkError where the files are missing and cannot be fetched.
    """
    started = time.perf_counter()
    if _accepts(dataset, "download"):
        root.mkdir(parents=True, exist_ok=True)
        options = {"download": True, **options}
    report = check(dataset, protocol, root, progress, **options)
    return {**report, "seconds": time.perf_counter() - started}


def check(
    dataset: Dataset, protocol: Protocol, root: Path, progress: Progress | None = None, **options: Any
) -> dict[str, Any]:
    """Load a protocol's splits and return the fields of `checks.SplitReport`, with the inputs' shapes and types.

    Where a dataset has lists, and images that cannot all be read, the report is that of the lists, with the images'
    fault among its errors.
    """
    from hashzoo.data.checks import check_splits

    fault = ""
    try:
        splits = load_unpinned(dataset, protocol, root, progress, options)
    except WorkError as error:
        if not _accepts(dataset, "lists_only") or options.get("lists_only"):
            raise
        fault = str(error)
        try:
            splits = load_unpinned(dataset, protocol, root, progress, {**options, "lists_only": True})
        except HashzooError:
            raise error from None
    inputs = {
        name: {"shape": list(array.shape), "dtype": str(array.dtype)} for name, array in splits.table.inputs.items()
    }
    report: SplitReport = check_splits(splits, protocol, *([fault] if fault else []))
    return {
        "dataset": dataset.name,
        "inputs": inputs,
        "fingerprint": splits.table.fingerprint,
        **report.as_dict(),
    }
