"""What is the same in every distribution of this repository is the same in every file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

PLUGINS = sorted((Path(__file__).parents[2] / "plugins").glob("hashzoo-*"))
REFERENCE = "hashzoo-greedyhash"


def project(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", PLUGINS, ids=[folder.name for folder in PLUGINS])
def test_a_distribution_is_laid_out_as_all_are(folder: Path) -> None:
    own, common = project(folder), project(folder.parent / REFERENCE)
    assert own["build-system"] == common["build-system"]
    for field in ("requires-python", "license", "license-files", "readme", "authors", "urls"):
        assert own["project"].get(field) == common["project"].get(field), field
    assert own["project"]["name"] == folder.name
    module = folder.name.replace("-", "_")
    assert module in {target.partition(":")[0] for target in own["project"]["entry-points"]["hashzoo"].values()}
    assert own["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [module]
    assert any(need.startswith("hashzoo>=0.2,<0.3") for need in own["project"]["dependencies"])
    for name in ("README.md", "CHANGELOG.md", "LICENSE"):
        assert (folder / name).is_file(), name
    assert (folder / module / "py.typed").is_file()
    assert list((folder / "tests").glob("test_*.py"))
