"""The compatibility promise: a plugin written for interface N loads in N and, with a warning, in N + 1."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

import hashzoo
from hashzoo import hookspecs, specs
from hashzoo.plugins import KINDS, registry

PAST = Path(__file__).with_name("past")
NOUNS = ("Batch", "Claim", "Command", "Component", "Dataset", "HashOutput", "Method", "Metric", "Paper",
         "PaperRow", "PaperTable", "Problem",
         "Protocol", "Range", "Recipe", "Retrieval", "Schedule", "Setting", "Splits", "Table")  # fmt: skip


def past(version: int) -> str:
    return (PAST / f"api_{version}.py").read_text(encoding="utf-8")


def load(install, source: str):
    install("hashzoo-past", source)
    return next(p for p in registry().plugins if p.distribution == "hashzoo-past")


def test_the_previous_versions_sample_is_kept():
    for version in (specs.API_VERSION - 1, specs.API_VERSION):
        assert f"hashzoo_api = {version}" in past(version)


def test_a_plugin_of_the_previous_version_loads_with_a_warning(install):
    plugin = load(install, past(specs.API_VERSION - 1))
    assert plugin.status == "ok", plugin.line()
    (note,) = plugin.notes
    assert f"written for plugin interface {specs.API_VERSION - 1}, which interface {specs.API_VERSION + 1} will" in note
    assert "pip install --upgrade hashzoo-past" in note
    assert registry().build("losses", "past", None).forward is not None


def test_a_plugin_of_this_version_loads_without_a_word(install):
    plugin = load(install, past(specs.API_VERSION))
    assert (plugin.status, plugin.notes) == ("ok", ())
    assert set(plugin.items) == set(KINDS)
    assert len(plugin.hooks) == len(KINDS)


def test_this_versions_plugin_will_load_in_the_next(install, monkeypatch):
    monkeypatch.setattr(specs, "API_VERSION", specs.API_VERSION + 1)
    plugin = load(install, past(specs.API_VERSION - 1))
    assert plugin.status == "ok"
    assert "will refuse" in plugin.notes[0]


def test_a_plugin_two_versions_old_is_refused_with_a_sentence(install, monkeypatch):
    monkeypatch.setattr(specs, "API_VERSION", 3)
    plugin = load(install, past(1))
    assert plugin.status == "broken"
    assert f"was written for plugin interface 1, and hashzoo {hashzoo.__version__} loads 2 and 3" in plugin.error
    assert plugin.items == {}


def test_a_plugin_that_states_nothing_counts_as_version_one(install, monkeypatch):
    source = past(1).replace("hashzoo_api = 1\n", "")
    monkeypatch.setattr(specs, "API_VERSION", 1)
    assert load(install, source).notes == ()
    monkeypatch.setattr(specs, "API_VERSION", 2)
    from hashzoo.plugins import find_sources, load_plugin

    found = next(s for s in find_sources() if s.distribution == "hashzoo-past")
    assert "written for plugin interface 1" in load_plugin(found).notes[0]


def test_a_deprecated_hook_or_argument_warns_in_the_listing(install, monkeypatch):
    import pluggy

    marker = pluggy.HookspecMarker("hashzoo")
    spec = marker(warn_on_impl=DeprecationWarning("hashzoo_register_losses goes away in interface 3; use x"))
    monkeypatch.setattr(hookspecs, "hashzoo_register_losses", spec(lambda: None))
    plugin = load(install, past(2))
    assert plugin.status == "ok"
    assert "DeprecationWarning" in plugin.notes[0]
    assert "goes away in interface 3" in plugin.notes[0]


def test_an_old_plugin_runs_end_to_end(install, tmp_path):
    import hashzoo

    load(install, past(1))
    records = hashzoo.run(
        "past", protocol="past-old", out=tmp_path / "runs", evaluators=("retrieval", "past"), device="cpu"
    )
    (record,) = records
    assert record.metrics["map"] > 0.6  # chance is 0.25
    assert 0.0 < record.metrics["past_share_of_ones"] < 1.0
    assert record.plugins["loss"].distribution == "hashzoo-past"
    assert len(record.plugins["loss"].sha256) == 64


def surface() -> dict[str, object]:
    """What a plugin can rely on: hooks, and the fields of each noun with whether they must be given."""
    nouns = {}
    for name in NOUNS:
        fields = dataclasses.fields(getattr(specs, name))
        absent = dataclasses.MISSING
        nouns[name] = {f.name: f.default is absent and f.default_factory is absent for f in fields}
    from hashzoo.training.job import TrainData, TrainJob

    job = [f.name for f in dataclasses.fields(TrainJob)]
    data = [name for name in vars(TrainData) if not name.startswith("_")]
    return {
        "trainer": sorted([*job, *data]),
        "hooks": sorted(name for name in dir(hookspecs) if name.startswith("hashzoo_")),
        "nouns": nouns,
    }


def test_the_interface_only_grows():
    """Every hook and field of this interface version stays; a new field has a default. Else raise API_VERSION."""
    promised = json.loads((PAST / f"api_{specs.API_VERSION}.json").read_text(encoding="utf-8"))
    found = surface()
    assert set(promised["hooks"]) <= set(found["hooks"])
    assert set(promised["trainer"]) <= set(found["trainer"])
    for noun, fields in promised["nouns"].items():
        for field, required in fields.items():
            assert field in found["nouns"][noun], f"{noun}.{field} is gone"
            assert required or not found["nouns"][noun][field], f"{noun}.{field} has lost its default"
        for field, required in found["nouns"][noun].items():
            assert field in fields or not required, f"{noun}.{field} is new and has no default"
        kept = [field for field in found["nouns"][noun] if field in fields]
        assert kept == list(fields), f"the order of {noun}'s fields has changed"


def test_the_docs_state_the_promise():
    text = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    assert re.search(rf"hashzoo_api = {specs.API_VERSION}\b", text)


def test_our_own_plugins_use_promised_modules_only():
    root = Path(__file__).parents[2]
    promised = set(re.findall(r"`(hashzoo\.[a-z_.]+)`", (root / "docs" / "plugins.md").read_text(encoding="utf-8")))
    sources = [*root.glob("plugins/*/hashzoo_*/**/*.py"), *root.glob("docs/examples/**/*.py")]
    sources += root.glob("hashzoo/templates/**/*.jinja")
    used = {m for path in sources for m in re.findall(r"from (hashzoo\.[a-z_.]+) import", path.read_text("utf-8"))}
    assert len(sources) > 12
    assert used <= promised


@pytest.mark.parametrize("stated", ["True", "1.0", "None"])
def test_a_version_that_is_no_number_is_refused(install, stated):
    plugin = load(install, past(1).replace("hashzoo_api = 1", f"hashzoo_api = {stated}"))
    assert "not a whole number" in plugin.error
