"""The machine that figures were taken on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from typing import Any

from hashzoo.data.images import cores
from hashzoo.runner.environment import processor

__all__ = ["cores", "machine", "processor", "sentence"]


def machine(*packages: str) -> dict[str, Any]:
    """Describe the machine as it is now, with the versions of packages that are installed."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": processor(),
        "cores": cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version for name in packages if (version := _version(name))},
        "load_before": round(os.getloadavg()[0], 2),
    }


def sentence(about: dict[str, Any]) -> str:
    """Return what `machine` found, in words."""
    versions = "".join(f", {name} {version}" for name, version in about["versions"].items())
    return (
        f"{about['date']}: {about['cpu']}, {about['cores']} cores (load before {about['load_before']}), "
        f"{about['system']}, Python {about['python']}{versions}."
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
