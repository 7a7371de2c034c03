"""A temporary site directory on sys.path, into which tests put small distributions with real metadata."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hashzoo.testing.distribution import write_distribution

GOOD = """
    from hashzoo import Component, Method, Paper, Recipe, hookimpl

    @hookimpl
    def hashzoo_register_losses():
        return [Component("{name}", "{module}_loss:build")]

    @hookimpl
    def hashzoo_register_methods():
        paper = Paper("{name}-2020", "A title", "A. Author", "A venue", 2020)
        return [Method("{name}", paper, loss="{name}", hash_layer="linear", recipe=Recipe(1, 2, 0.1))]
"""


def good_source(name: str) -> str:
    """Source of a plugin with one method and one loss, both called `name`."""
    return GOOD.format(name=name, module=name.replace("-", "_"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("HASHZOO_PLUGINS", raising=False)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Callable[..., Path]:
    def write(name: str, source: str | None = None, version: str = "1.0", point: str = "") -> Path:
        return write_distribution(site, name, source or good_source(name.removeprefix("hashzoo-")), version, point)

    return write
