"""Look-up by kind and name, clashes, families, building with checked options."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest

from hashzoo.errors import UsageError, WorkError
from hashzoo.plugins import KINDS, Plugin, Registry, load_plugin, plugin_file_hash, registry
from hashzoo.plugins.items import find_fault
from hashzoo.specs import Component, Dataset, Method, Paper, Protocol, Recipe, Setting

PAPER = Paper("x-2020", "A title", "A. Author", "A venue", 2020)


def method(name: str, **changes: object) -> Method:
    return replace(Method(name, PAPER, loss="l", hash_layer="h", recipe=Recipe(1, 2, 0.1)), **changes)


def bring(distribution: str, **items: object) -> Plugin:
    """A loaded plugin that brings the given items."""
    name = distribution.removeprefix("hashzoo-")
    return Plugin(name, distribution, "1.0", f"{name} = {name}", items={k: tuple(v) for k, v in items.items()})


def table(*plugins: Plugin) -> Registry:
    return Registry(plugins)


def test_every_hook_has_its_kind():
    from hashzoo import hookspecs

    hooks = {name for name in dir(hookspecs) if name.startswith("hashzoo_register")}
    assert {kind.hook for kind in KINDS.values()} == hooks


def test_unknown_names_and_kinds_offer_the_nearest():
    found = table(bring("hashzoo-a", methods=[method("dhn"), method("dch")]))
    with pytest.raises(UsageError, match=r"There is no method 'dhm'; did you mean 'dhn'"):
        found.get("methods", "dhm")
    with pytest.raises(UsageError, match=r"There is no kind 'method'; did you mean 'methods'"):
        found.get("method", "dhn")


class TestClash:
    found = table(
        bring("hashzoo-a", methods=[method("same"), method("a")], losses=[Component("l", "a:f")]),
        bring(
            "hashzoo-b",
            methods=[method("same")],
            losses=[Component("l", "b:f")],
            hash_layers=[Component("h", "b:h")],
        ),
        bring("hashzoo-c", hash_layers=[Component("h", "c:h")]),
    )

    def test_neither_wins_and_both_are_named(self):
        with pytest.raises(UsageError) as caught:
            self.found.get("methods", "same")
        for part in ("hashzoo-a 1.0", "hashzoo-b 1.0", "'hashzoo-a:same'", "'hashzoo-b:same'"):
            assert part in str(caught.value)

    def test_a_distribution_picks_one_with_its_own_components(self):
        picked = self.found.get("methods", "hashzoo-b:same")
        assert picked.loss == "hashzoo-b:l"
        assert self.found.get("losses", picked.loss).build == "b:f"
        assert self.found.owner("losses", picked.loss).distribution == "hashzoo-b"
        assert self.found.get("methods", "Hashzoo_A:same").loss == "hashzoo-a:l"

    def test_a_method_keeps_its_own_loss_where_only_the_loss_clashes(self):
        assert self.found.get("methods", "a").loss == "hashzoo-a:l"

    def test_a_component_of_others_stays_undecided(self):
        picked = self.found.get("methods", "a")
        assert picked.hash_layer == "h"
        with pytest.raises(UsageError, match=r"claimed by hashzoo-b 1.0 .* and hashzoo-c 1.0"):
            self.found.get("hash_layers", picked.hash_layer)

    def test_names_list_each_claim(self):
        assert self.found.names("methods") == ["a", "hashzoo-a:same", "hashzoo-b:same"]

    def test_both_are_reported_with_a_remedy(self):
        assert [p.status for p in self.found.failures] == ["clash"] * 3
        assert "the method 'same' is also registered by hashzoo-b 1.0" in self.found.failures[0].error
        assert "write hashzoo-a:same" in self.found.failures[0].remedy
        with pytest.raises(WorkError, match="3 plugin"):
            Registry(self.found.plugins, strict=True)

    def test_order_of_loading_decides_nothing(self):
        backwards = table(*reversed([replace(p, status="ok", troubles=()) for p in self.found.plugins]))
        with pytest.raises(UsageError, match="claimed by"):
            backwards.get("methods", "same")

    def test_three_claims(self):
        three = table(*(bring(f"hashzoo-{x}", losses=[Component("l", "m:f")]) for x in "abc"))
        with pytest.raises(UsageError, match=r"hashzoo-a.*hashzoo-b.*hashzoo-c"):
            three.get("losses", "l")


def test_a_name_of_the_core_stays_the_cores_and_the_claim_is_reported():
    found = table(
        bring(
            "hashzoo-evil",
            trainers=[Component("gradient", "evil:f")],
            methods=[method("e", trainer="gradient")],
        ),
        bring("hashzoo", trainers=[Component("gradient", "core:f")]),
    )
    assert found.get("trainers", "gradient").build == "core:f"
    assert found.get("trainers", "hashzoo-evil:gradient").build == "evil:f"
    assert found.get("methods", "e").trainer == "hashzoo-evil:gradient"
    assert found.names("trainers") == ["gradient", "hashzoo-evil:gradient"]
    assert [p.distribution for p in found.failures] == ["hashzoo-evil"]
    assert "trainer 'gradient' is also registered by hashzoo 1.0" in found.failures[0].error


def test_real_distributions_that_clash(install):
    install("hashzoo-first")
    install("hashzoo-second", (install("hashzoo-third").read_text()).replace("third", "first"))
    with pytest.raises(UsageError, match=r"'hashzoo-first:first' or 'hashzoo-second:first'"):
        registry().get("methods", "first")
    assert registry().get("methods", "third").name == "third"


def dataset(name: str, *protocols: Protocol) -> Dataset:
    return Dataset(name, {"image": "image"}, protocols, "m:f", backbones={"image": "tiny"})


class TestProtocols:
    found = table(
        bring(
            "hashzoo-a",
            datasets=[dataset("d", Protocol("d-1", "d", (1, 2, 3), aliases=("old",)), Protocol("d-2", "d", (1, 2, 3)))],
            backbones=[Component("tiny", "a:f")],
        ),
        bring("hashzoo-b", datasets=[dataset("e", Protocol("d-2", "e", (1, 2, 3), aliases=("old",)))]),
        bring("hashzoo-c", backbones=[Component("tiny", "c:f")]),
    )

    def test_by_id(self):
        owner, protocol = self.found.protocol("d-1")
        assert (owner.name, protocol.id) == ("d", "d-1")
        assert owner.backbones == {"image": "hashzoo-a:tiny"}
        assert self.found.protocols() == ["d-1", "hashzoo-a:d-2", "hashzoo-b:d-2"]

    def test_an_ambiguous_id_or_alias_names_both(self):
        with pytest.raises(UsageError, match=r"claimed by hashzoo-a:d-2 .* and hashzoo-b:d-2"):
            self.found.protocol("d-2")
        with pytest.raises(UsageError, match=r"claimed by hashzoo-a:d-1 .* and hashzoo-b:d-2"):
            self.found.protocol("old")
        assert self.found.protocol("hashzoo-b:d-2")[0].name == "e"
        assert self.found.protocol("hashzoo-b:old")[1].id == "d-2"

    def test_unknown(self):
        with pytest.raises(UsageError, match=r"There is no protocol 'd-3'; did you mean 'd-1'|'d-2'"):
            self.found.protocol("d-3")


def build_plain(problem, gamma=20.0, *, scale=1.0):
    return problem, gamma, scale


def build_any(name, **options):
    return name, options


def build_needy(problem, *, width):
    return problem, width


def build_defective(problem, gamma=1):
    return build_plain(problem, gama=gamma)


class TestBuild:
    found = table(
        bring(
            "hashzoo-a",
            losses=[
                Component("plain", build_plain),
                Component("needy", build_needy),
                Component("defective", build_defective),
                Component("absent", "no_such_module_here:f"),
                Component("lacking", "hashlib:no_such_function"),
                Component("constant", "string:digits"),
            ],
            backbones=[Component("timm/", build_any), Component("timm/exact", build_plain)],
            methods=[method("m")],
        )
    )

    def test_options_reach_the_builder(self):
        assert self.found.build("losses", "plain", "p", options={"scale": 3}) == ("p", 20.0, 3)
        assert self.found.build("losses", "needy", "p", options={"width": 3}) == ("p", 3)

    def test_unknown_option_lists_the_accepted(self):
        with pytest.raises(UsageError) as caught:
            self.found.build("losses", "plain", "p", options={"gama": 3})
        assert "no option 'gama'; did you mean 'gamma'? Accepted: gamma=20.0, scale=1.0." in str(caught.value)
        assert "'plain' of hashzoo-a 1.0" in str(caught.value)

    def test_what_the_core_fills_in_is_no_option(self):
        with pytest.raises(UsageError, match="no option 'problem'"):
            self.found.build("losses", "plain", "p", options={"problem": 3})

    def test_missing_required_option(self):
        with pytest.raises(UsageError, match=r"needs a value for 'width'. Accepted: width \(required\)"):
            self.found.build("losses", "needy", "p")

    def test_a_type_error_inside_the_builder_is_not_swallowed(self):
        with pytest.raises(TypeError, match="gama"):
            self.found.build("losses", "defective", "p")

    def test_builders_that_cannot_be_loaded(self):
        with pytest.raises(WorkError, match=r"'absent' of hashzoo-a 1.0 cannot be loaded .*NotFound"):
            self.found.build("losses", "absent", "p")
        with pytest.raises(WorkError, match="hashlib has no 'no_such_function'"):
            self.found.build("losses", "lacking", "p")
        with pytest.raises(WorkError, match="a str and cannot be called"):
            self.found.build("losses", "constant", "p")

    def test_families(self):
        assert self.found.build("backbones", "timm/resnet18.a1_in1k", options={"x": 1}) == (
            "resnet18.a1_in1k",
            {"x": 1},
        )
        assert self.found.build("backbones", "timm/hub:someone/model") == ("hub:someone/model", {})
        assert self.found.build("backbones", "hashzoo-a:timm/exact", "p") == ("p", 20.0, 1.0)
        assert self.found.get("backbones", "timm/x").name == "timm/"
        with pytest.raises(UsageError, match="family of backbones; add a name to it"):
            self.found.build("backbones", "timm/")

    def test_a_method_is_not_built(self):
        with pytest.raises(UsageError, match="A method is a description"):
            self.found.build("methods", "m")

    def test_options_are_checked_without_building(self):
        self.found.check_options("losses", "defective", {"gamma": 3})
        with pytest.raises(UsageError, match="no option 'gama'"):
            self.found.check_options("losses", "plain", {"gama": 3})
        self.found.check_options("backbones", "timm/x", {"anything": 1})

    def test_options_of_a_component(self):
        assert self.found.options("losses", "plain") == {"gamma": 20.0, "scale": 1.0}


class TestFileHash:
    def test_changes_with_a_byte_and_matches_a_hand_count(self, install):
        path = install("hashzoo-hashed")
        plugin = registry().owner("methods", "hashed")
        content = path.read_bytes()
        expected = hashlib.sha256(f"hashzoo_hashed.py\0{len(content)}\0".encode() + content).hexdigest()
        assert plugin_file_hash(plugin) == expected
        path.write_bytes(content + b"# one more\n")
        assert plugin_file_hash(plugin) != expected

    def test_of_a_package_covers_every_module_by_name(self, site, install):
        install("hashzoo-hashed")
        plugin = registry().owner("methods", "hashed")
        (site / "hashzoo_hashed.py").unlink()
        package = site / "hashzoo_hashed"
        (package / "inner").mkdir(parents=True)
        for name in ("__init__.py", "a.py", "inner/b.py"):
            (package / name).write_text(name)
        sys.modules.pop("hashzoo_hashed")
        first = plugin_file_hash(plugin)
        (package / "inner/b.py").rename(package / "inner/c.py")
        assert plugin_file_hash(plugin) != first != ""

    def test_of_the_core_is_stable(self):
        plugin = next(p for p in registry().plugins if p.builtin)
        assert len(plugin_file_hash(plugin)) == 64
        assert plugin_file_hash(plugin) == plugin_file_hash(plugin)

    def test_of_an_object_in_memory_is_empty(self):
        assert plugin_file_hash(bring("hashzoo-nowhere")) == ""


def test_registry_is_cached_until_the_path_changes(install, site, monkeypatch):
    first = registry()
    assert registry() is first
    monkeypatch.setattr(sys, "path", [*sys.path, str(site / "more")])
    assert registry() is not first


def test_loading_twice_gives_the_same(install):
    from hashzoo.plugins import find_sources

    install("hashzoo-again")
    source = next(s for s in find_sources() if s.distribution == "hashzoo-again")
    assert load_plugin(source).items == load_plugin(source).items


def test_json_form_is_plain(install):
    import json

    install("hashzoo-plain")
    plain = registry().owner("methods", "plain").as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["items"] == {"losses": ["plain"], "methods": ["plain"]}


def test_import_hashzoo_alone_loads_no_plugin_machinery():
    code = "import sys, hashzoo; print([m for m in sys.modules if m[:7] in ('hashzoo', 'pluggy', 'torch')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hashzoo']"


@pytest.mark.parametrize(
    ("kind", "item", "says"),
    [
        ("methods", method("m", settings={"frozne": Setting()}), "a setting for 'frozne' and not for one of finetune"),
        ("methods", method("m", settings={"frozen": Setting(options={"los": {}})}), "options are for 'los' and not"),
        ("methods", method("m", options={"los": {}}), "options are for 'los' and not for one of loss, hash_layer"),
        ("losses", Component("l", "a:f", requires={"backbone": "b"}), "requires a 'backbone' and not one of loss"),
    ],
)
def test_a_misspelt_part_or_regime_is_a_fault(kind, item, says):
    assert says in find_fault(kind, item)
    assert find_fault("methods", method("m", settings={"frozen": Setting(options={"loss": {}})})) == ""
    assert find_fault("losses", Component("l", "a:f", requires={"hash_layer": "h"})) == ""
