"""Lists of entry points that are malformed, or that name a plugin twice, break nothing but themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo.plugins import Plugin, registry
from hashzoo.plugins.describe import list_rows, plugin_rows
from hashzoo.plugins.sources import find_sources, plugin_file_hash
from hashzoo.testing import write_distribution

SOURCE = (
    "from hashzoo import Component, hookimpl\n"
    "@hookimpl\ndef hashzoo_register_losses():\n    return [Component('oddloss', 'a:b')]\n"
)


def install(site: Path, text: str, name: str = "hashzoo-odd") -> list[Plugin]:
    write_distribution(site, name, SOURCE)
    (next(site.glob("*.dist-info")) / "entry_points.txt").write_text(text)
    return [plugin for plugin in registry().plugins if plugin.distribution == name]


@pytest.mark.parametrize("text", ["[hashzoo]\nodd\n", "[hashzoo]\nodd = \n", "[hashzoo]\nodd = ../x:y z\n"])
def test_a_malformed_list_is_named_and_the_others_go_on(site, text):
    (plugin,) = install(site, text)
    assert plugin.status == "broken"
    assert "hashzoo-odd 1.0" in plugin.line()
    assert plugin_file_hash(plugin) is not None
    assert any(row["distribution"] == "hashzoo-odd" for row in plugin_rows())
    assert any(row["name"] == "lsh" for row in list_rows("methods"))


def test_a_malformed_list_can_be_left_out(site):
    install(site, "[hashzoo]\nodd\n")
    assert all(not source.selected for source in find_sources("") if source.distribution == "hashzoo-odd")


def test_a_stranger_with_a_malformed_list_is_none_of_ours(site):
    assert install(site, "[console_scripts]\nodd\n", "stranger") == []


def test_an_entry_point_named_twice_is_one(site):
    (plugin,) = install(site, "[hashzoo]\nodd = hashzoo_odd\nodd = hashzoo_odd\n")
    assert plugin.status == "ok"


def test_one_thing_under_two_entry_points_is_listed(site):
    plugins = install(site, "[hashzoo]\na = hashzoo_odd\nb = hashzoo_odd\n")
    assert {plugin.status for plugin in plugins} == {"clash"}
    assert [row["name"] for row in list_rows("losses") if "oddloss" in row["name"]] == ["hashzoo-odd:oddloss"]
