"""constraints.txt pins everything that an installation for tests pulls in, and oldest versions are safe ones."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
EXTRAS = tuple(re.findall(r'-e "\.\[([\w,]*test[\w,]*)\]"', (ROOT / "Makefile").read_text())[0].split(","))
"""What `make test` installs."""

EDITABLE = "editables"
"""hatchling asks for it only while it makes an editable wheel, so that no metadata names it."""


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    named = [line.partition("==") for line in lines if line and not line.startswith("#")]
    assert all(sign for _, sign, _ in named), "every line pins one version with =="
    assert len({canonicalize_name(name) for name, _, _ in named}) == len(named), "a distribution is pinned once"
    return {canonicalize_name(name): version for name, _, version in named}


def asked_for() -> list[str]:
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = [EDITABLE, *core["build-system"]["requires"], *core["project"]["dependencies"]]
    found += [line for extra in EXTRAS for line in core["project"]["optional-dependencies"][extra]]
    for path in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        plugin = tomllib.loads(path.read_text())
        found += [*plugin["build-system"]["requires"], *plugin["project"].get("dependencies", [])]
    return sorted({line for line in found if not line.startswith("hashzoo")})


def test_tests_are_run_with_every_extra() -> None:
    """What is not installed is skipped by its tests, and a green run would say nothing about it."""
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(EXTRAS) == set(core["project"]["optional-dependencies"])


def test_everything_required_directly_or_not_is_pinned() -> None:
    pinned, lacking = pins(), set()
    todo = [Requirement(line) for line in asked_for()]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), tuple(sorted(requirement.extras))
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        if name not in pinned:
            lacking.add(name)
        try:
            inner = metadata.distribution(name).requires or ()
        except metadata.PackageNotFoundError:
            continue  # an optional tool that is not installed here; its own pin is checked all the same
        todo += [
            part
            for part in map(Requirement, inner)
            if part.marker is None or any(part.marker.evaluate({"extra": extra}) for extra in ("", *extras))
        ]
    assert not lacking, f"constraints.txt lacks {', '.join(sorted(lacking))}"


def test_a_pin_is_not_below_what_is_asked() -> None:
    pinned = pins()
    for requirement in map(Requirement, asked_for()):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is None or requirement.specifier.contains(version), str(requirement)


@pytest.mark.parametrize(("name", "safe"), [("filelock", "3.20.1"), ("pillow", "10.3")])
def test_oldest_versions_allowed_have_no_known_hole(name: str, safe: str) -> None:
    """filelock before 3.20.1 truncates what a symbolic link in place of the lock names (CVE-2025-68146)."""
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (line,) = [Requirement(d) for d in core["project"]["dependencies"] if Requirement(d).name == name]
    floors = [Version(part.version) for part in line.specifier if part.operator == ">="]
    assert floors
    assert floors[0] >= Version(safe)
