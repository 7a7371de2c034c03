"""Load the splits of a protocol, whoever registered its dataset."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hashzoo.data.splits import require_pinned
from hashzoo.errors import UsageError
from hashzoo.plugins.options import check_options, resolve
from hashzoo.specs import Dataset, Protocol, Splits

Progress = Callable[[int, int], None]
"""Called as progress(done, total) while images are decoded."""


def load_splits(
    dataset: Dataset, protocol: Protocol, root: Path, progress: Progress | None = None, **options: Any
) -> Splits:
    """Return the table of a dataset and the rows that a protocol makes query, train and database.

    `root` is the data root. A loader may take `progress` as its third parameter; all parameters after that are
    its options.

    Raises UsageError for an option the dataset does not have and for options that cannot be met, WorkError where
    the data are missing or damaged or are not those whose sha256 the protocol names.
    """
    if protocol.dataset != dataset.name:
        raise UsageError(
            f"Protocol {protocol.id} belongs to dataset {protocol.dataset}, not to {dataset.name}; "
            f"choose one of {', '.join(known.id for known in dataset.protocols)}."
        )
    what = f"Dataset {dataset.name!r}"
    load = resolve(dataset.load, what)
    given = (protocol, root, progress) if takes_progress(load) else (protocol, root)
    check_options(load, what, len(given), options)
    splits = load(*given, **options)
    require_pinned(splits, protocol)
    return splits  # type: ignore[no-any-return] # what a loader returns is known by contract only


def takes_progress(load: Callable[..., Any]) -> bool:
    """Return whether a loader's third parameter is `progress`."""
    return list(inspect.signature(load).parameters)[2:3] == ["progress"]
