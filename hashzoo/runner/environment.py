"""Versions, processor, device and threads of this machine; for records and for bug reports."""

from __future__ import annotations

import functools
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import hashzoo

CORE_DISTRIBUTIONS = (
    "hashzoo", "torch", "torchvision", "timm", "numpy", "numba", "pandas", "pluggy", "accelerate",
    "safetensors", "scikit-learn", "scipy", "pillow", "pydantic",
)  # fmt: skip


def versions(extra: tuple[str, ...] = ()) -> dict[str, str]:
    """Return {distribution: version} of what decides a number; absent ones are left out.

    hashzoo says its own: the metadata of an editable install keep the version that was installed first.
    """
    found: dict[str, str] = {"python": platform.python_version()}
    for name in (*CORE_DISTRIBUTIONS, *extra):
        try:
            found[name] = hashzoo.__version__ if name == "hashzoo" else _version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def _version(distribution: str) -> str:
    """Return a version, which does not change while a process runs."""
    return metadata.version(distribution)


def processor() -> str:
    """Return the processor's name, from the operating system."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe(device: str) -> dict[str, Any]:
    """Return the environment of a run on `device`: system, processor, threads, accelerator."""
    import torch

    environment: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "device": device,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
    if device.startswith("cuda"):
        environment["accelerator"] = torch.cuda.get_device_name(device)
        environment["cuda"] = torch.version.cuda
    return environment


def doctor_report() -> dict[str, Any]:
    """Return all that a bug report needs: versions, device, threads, folders, plugins and what is wrong with them."""
    from hashzoo.data.roots import cache_root, data_root
    from hashzoo.plugins import registry

    reg = registry()
    report: dict[str, Any] = {"versions": versions(), "executable": sys.executable}
    try:
        from hashzoo.runner.devices import choose_device

        report["environment"] = describe(choose_device("auto"))
    except Exception as error:  # noqa: BLE001 -- doctor reports a broken torch instead of failing on it
        report["environment"] = {"error": f"{type(error).__name__}: {error}"}
    report["folders"] = {}
    for name, folder in (("data", data_root()), ("cache", cache_root())):
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.exists() else 0
        report["folders"][name] = {"path": str(folder), "exists": folder.exists(), "megabytes": round(size / 1e6, 1)}
    report["plugins"] = [
        {"name": p.name, "distribution": p.distribution, "version": p.version, "status": p.status,
         "error": p.error, "remedy": p.remedy}
        for p in reg.plugins
    ]  # fmt: skip
    return report
