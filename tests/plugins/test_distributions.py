"""What every distribution of this repository keeps to: one layout, a README that says all, specs that are whole."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hashzoo.plugins import Plugin, registry
from hashzoo.plugins.options import resolve

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


def plugins_of(folder: Path) -> list[Plugin]:
    found = [plugin for plugin in registry().plugins if plugin.distribution == folder.name]
    if not found:
        pytest.skip("it is not installed")
    return found


def brought(folder: Path, kind: str) -> list[Any]:
    return [item for plugin in plugins_of(folder) for item in plugin.items.get(kind, ())]


def options_of(folder: Path) -> Iterator[tuple[str, Any, str]]:
    """Yield each option of what a distribution brings to a method: its name, its default, the builder's docstring."""
    for kind in ("losses", "hash_layers", "fitters", "trainers"):
        for component in brought(folder, kind):
            if component.name.endswith("/"):
                continue  # a family hands options on to what has names for them
            build = resolve(component.build, f"The component {component.name!r}")
            for option, parameter in inspect.signature(build).parameters.items():
                if option not in ("problem", "feature_dim"):
                    yield option, parameter.default, build.__doc__ or ""


def is_shown(default: Any, shown: str) -> bool:
    """Whether a README shows a default: as it is, or a number rounded to the digits that are shown."""
    if shown == str(default):
        return True
    digits = len(shown.partition(".")[2])
    return isinstance(default, float) and digits >= 5 and f"{default:.{digits}f}" == shown


@pytest.mark.parametrize("folder", PLUGINS, ids=[folder.name for folder in PLUGINS])
def test_a_readme_has_every_method_and_every_option_with_its_default(folder: Path) -> None:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for method in brought(folder, "methods"):
        assert f"`{method.name}`" in readme
    for option, default, explained in options_of(folder):
        shown = re.findall(rf"^\| `{option}` \| `(.*?)` \|", readme, re.MULTILINE)
        assert any(is_shown(default, text) for text in shown), (option, default, shown)
        assert re.search(rf"^ {{8}}{option}: \S", explained, re.MULTILINE), option


def test_the_options_are_found() -> None:
    names = {option for folder in PLUGINS for option, *_ in options_of(folder)}
    assert {"gamma", "quantization_weight", "anchors"} <= names


@pytest.mark.parametrize("folder", PLUGINS, ids=[folder.name for folder in PLUGINS])
def test_methods_and_claims_are_whole(folder: Path) -> None:
    fitters = {fitter.name for fitter in brought(folder, "fitters")}
    methods = {method.name: method for method in brought(folder, "methods")}
    for method in methods.values():
        assert all(setting.source for setting in method.settings.values()), method.name
        if method.training == "gradient":
            assert set(method.settings) == {"scratch", "frozen"}, method.name
        else:
            assert (method.training, method.loss, method.recipe) == ("fit", "", None), method.name
            assert method.fitter in fitters, method.name
    known = set(registry().names("methods"))
    for claim in brought(folder, "claims"):
        assert claim.better in methods
        assert claim.worse in known - {claim.better}
