"""Datasets, protocols and their splits. `load_splits` is imported on first use, so that listing imports no numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashzoo.data.loading import load_splits

__all__ = ["load_splits"]


def __getattr__(name: str) -> Any:
    if name != "load_splits":
        raise AttributeError(f"module 'hashzoo.data' has no attribute {name!r}")
    from hashzoo.data.loading import load_splits

    return load_splits
