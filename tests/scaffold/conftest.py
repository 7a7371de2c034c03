"""Environments of their own for tests that install: everything of this one is visible in them, without network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def core_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core as a wheel, built from this tree as it is."""
    folder = tmp_path_factory.mktemp("core")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "hashzoo", source / "hashzoo", ignore=shutil.ignore_patterns("__pycache__"))
    (source / "README.md").touch()
    build = ["wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *build, str(source)], check=True)
    return next(folder.glob("hashzoo-*.whl"))


@pytest.fixture(scope="session")
def offline(core_wheel: Path) -> dict[str, str]:
    """The environment in which pip builds without isolation and finds nothing but the core's wheel."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HASHZOO", "PYTHON", "PIP", "VIRTUAL_ENV", "COV"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(core_wheel.parent),
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the variable so: no isolation
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def environment(tmp_path: Path, core_wheel: Path) -> Path:
    """A fresh environment with the core's wheel; returns its Python."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    share(folder, core_wheel)
    return folder / "bin" / "python"


def share(environment: Path, core_wheel: Path) -> None:
    """Stand in for the package index: show the dependencies that are installed here, and install the core's wheel."""
    site = next(environment.glob("lib/python*/site-packages"))
    parents = [path for path in sys.path if path.endswith("site-packages")]
    (site / "parent.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in parents))
    python = str(environment / "bin" / "python")
    if (site / "setuptools").exists():  # older Pythons bring a setuptools that is too old for torch
        uninstall = ["uninstall", "--quiet", "--yes", "setuptools"]
        subprocess.run([sys.executable, "-m", "pip", "--python", python, *uninstall], check=True)
    install = ["install", "--quiet", "--no-index", "--no-deps", "--ignore-installed", str(core_wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *install], check=True)
