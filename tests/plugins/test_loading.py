"""Every way in which one plugin can be wrong, with real entry-point metadata; the others must not notice."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import hashzoo
from hashzoo import specs
from hashzoo.errors import UsageError, WorkError
from hashzoo.plugins import Plugin, Registry, registry
from hashzoo.plugins.loading import SLOW_IMPORT


def plugin(name: str) -> Plugin:
    return next(p for p in registry().plugins if p.distribution == name)


HEAD = "from hashzoo import Component, Dataset, Method, Paper, Recipe, Setting, hookimpl\n"
HEAD += f"hashzoo_api = {specs.API_VERSION}\n"
LOSS_HOOK = HEAD + "@hookimpl\ndef hashzoo_register_losses():\n    "

BROKEN = {
    "missing-module": (
        "import a_module_that_is_not_there",
        "ModuleNotFoundError",
        "pip install a_module_that",
    ),
    "newer-core": ("from hashzoo.specs import Novelty", "ImportError: cannot import name", "upgrade hashzoo"),
    "newer-field": (
        "from hashzoo import Component\nComponent('x', 'm:f', novelty=1)",
        "TypeError: Component.__init__() got an unexpected keyword argument 'novelty'",
        "pip install --upgrade hashzoo hashzoo-newer-field",
    ),
    "syntax": ("def broken(:", "SyntaxError", "pip uninstall hashzoo-syntax"),
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3", "pip uninstall hashzoo-exits"),
    "divides": ("1 / 0", "ZeroDivisionError: division by zero", "pip install --upgrade hashzoo-divides"),
    "base": ("class E(BaseException): pass\nraise E('odd')", "E: odd", "pip uninstall"),
    "mute": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "E: (its message cannot be read)",
        "pip uninstall",
    ),
    "misspelt": (
        HEAD + "@hookimpl\ndef hashzoo_register_method():\n    return []",
        "unknown hook 'hashzoo_register_method'",
        "rename it to hashzoo_register_methods",
    ),
    "unmarked": (
        "def hashzoo_register_losses():\n    return []",
        "hook 'hashzoo_register_losses' is not marked",
        "put @hookimpl before",
    ),
    "arguments": (
        HEAD + "@hookimpl\ndef hashzoo_register_losses(registry):\n    return []",
        "PluginValidationError",
        "upgrade",
    ),
    "raises": (
        LOSS_HOOK + "raise RuntimeError('no luck')",
        "RuntimeError: no luck",
        "upgrade hashzoo-raises",
    ),
    "generator": (
        LOSS_HOOK + "yield Component('a-generated', 'm:f')\n    raise KeyError('late')",
        "hashzoo_register_losses raised: KeyError: 'late'",
        "upgrade",
    ),
    "none": (LOSS_HOOK + "return [None]", "returned None where a Component was expected", "authors"),
    "single": (LOSS_HOOK + "return Component('x', 'm:f')", "returned Component and not a list", "upgrade"),
    "text": (LOSS_HOOK + "return 'abc'", "returned str and not a list", "upgrade"),
    "wrong-kind": (
        LOSS_HOOK + "p = Paper('k', 't', 'a', 'v', 1)\n    return [p]",
        "returned Paper where a Component was expected",
        "authors",
    ),
    "bad-name": (LOSS_HOOK + "return [Component('a b', 'm:f')]", "whose name is 'a b'", "authors"),
    "bad-build": (LOSS_HOOK + "return [Component('ab', 'm.f')]", "whose build is 'm.f'", "authors"),
    "twice": (
        LOSS_HOOK + "return [Component('ab', 'm:f'), Component('ab', 'm:g')]",
        "returned loss 'ab' twice",
        "authors",
    ),
    "no-recipe": (
        HEAD + "@hookimpl\ndef hashzoo_register_methods():\n"
        "    return [Method('m', Paper('k', 't', 'a', 'v', 1), 'l', 'h', None)]",
        "method 'm' with training 'gradient' and no recipe",
        "authors",
    ),
    "no-mapping": (
        HEAD + "@hookimpl\ndef hashzoo_register_methods():\n"
        "    return [Method('m', Paper('k', 't', 'a', 'v', 1), 'l', 'h', Recipe(1, 1, 1.0), settings=None)]",
        "method 'm' whose settings is None and not a mapping",
        "authors",
    ),
    "no-protocol": (
        HEAD + "@hookimpl\ndef hashzoo_register_datasets():\n    return [Dataset('d', {}, (), 'm:f')]",
        "dataset 'd' without a protocol",
        "authors",
    ),
    "newer-api": (f"hashzoo_api = {specs.API_VERSION + 1}", "it needs plugin interface", "upgrade hashzoo,"),
    "worded-api": ("hashzoo_api = 'one'", "hashzoo_api is 'one'", "state hashzoo_api ="),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_explained_and_breaks_nothing_else(install, name):
    source, error, remedy = BROKEN[name]
    install(f"hashzoo-{name}", source, version="2.5")
    install("hashzoo-good")
    broken = plugin(f"hashzoo-{name}")
    assert broken.status == "broken"
    assert error in broken.error
    assert remedy in broken.remedy
    line = broken.line()
    assert "\n" not in line
    for part in (f"hashzoo-{name} 2.5", f"{name} = hashzoo_{name.replace('-', '_')}", error, "Remedy: "):
        assert part in line
    assert registry().get("methods", "good").loss == "good"
    assert plugin("hashzoo-good").status == "ok"
    assert [p.distribution for p in registry().failures] == [f"hashzoo-{name}"]
    assert f"hashzoo-{name} 2.5" in registry().warning()
    with pytest.raises(WorkError, match=f"hashzoo-{name} 2.5"):
        registry(strict=True)


def test_a_missing_attribute_of_the_entry_point(install):
    install("hashzoo-gone", "x = 1", point="gone = hashzoo_gone:plugin")
    assert "AttributeError" in plugin("hashzoo-gone").error
    assert "--force-reinstall hashzoo-gone" in plugin("hashzoo-gone").remedy


def test_a_missing_module_of_the_entry_point(install):
    install("hashzoo-gone", "x = 1", point="gone = hashzoo_elsewhere")
    assert "No module named 'hashzoo_elsewhere'" in plugin("hashzoo-gone").error
    assert "--force-reinstall hashzoo-gone" in plugin("hashzoo-gone").remedy


def test_one_raising_hook_leaves_the_plugins_other_hooks(install):
    source = LOSS_HOOK + "raise RuntimeError('no luck')\n@hookimpl\ndef hashzoo_register_trainers():\n"
    install("hashzoo-half", source + "    return [Component('slow', 'm:f'), 3]")
    assert registry().get("trainers", "slow").build == "m:f"
    assert len(plugin("hashzoo-half").troubles) == 2


def test_keyboard_interrupt_ends_loading(install):
    install("hashzoo-ctrl-c", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry()


def test_what_a_plugin_prints_is_kept_from_the_output(install, capfd):
    install(
        "hashzoo-loud",
        "import sys, warnings\nprint('hello\\nthere')\nprint('oops', file=sys.stderr)\n"
        "warnings.warn('old', DeprecationWarning)\n" + LOSS_HOOK + "print('hook'); return [Component('l', 'm:f')]",
    )
    loud = plugin("hashzoo-loud")
    assert loud.status == "ok"
    assert loud.notes == (
        "printed to stdout at import: 'hello'",
        "printed to stderr at import: 'oops'",
        "DeprecationWarning at import: old",
        "printed to stdout in hashzoo_register_losses: 'hook'",
    )
    assert capfd.readouterr() == ("", "")


def test_slow_import_is_noted(install, monkeypatch):
    assert SLOW_IMPORT == 2.0
    monkeypatch.setattr("hashzoo.plugins.loading.SLOW_IMPORT", 0.05)
    install("hashzoo-slow", "import time; time.sleep(0.06)\n" + LOSS_HOOK + "return []")
    took = re.fullmatch(r"import took (\d+\.\d) s.*", plugin("hashzoo-slow").notes[0])
    assert took
    assert float(took[1]) >= 0.1  # 0.06 and what a busy machine adds
    assert plugin("hashzoo-slow").notes[1] == "it registers nothing"


def test_trace_has_every_import_and_hook_with_its_time(install):
    install("hashzoo-traced", "import time; time.sleep(0.03)\n" + LOSS_HOOK + "time.sleep(0.05); return []")
    calls = {c.hook: c.seconds for c in registry().trace if c.plugin == "hashzoo-traced (traced)"}
    assert list(calls) == ["import", "registration", "hashzoo_register_losses"]
    assert calls["import"] >= 0.03
    assert calls["hashzoo_register_losses"] >= 0.05
    assert plugin("hashzoo-traced").seconds >= 0.08


def test_selection_by_entry_point_or_distribution(install, monkeypatch):
    for name in ("hashzoo-one", "hashzoo-two", "hashzoo-three"):
        install(name)
    monkeypatch.setenv("HASHZOO_PLUGINS", "one, Hashzoo_Two")
    status = {p.distribution: p.status for p in registry().plugins if not p.builtin}
    assert status.items() >= {"hashzoo-one": "ok", "hashzoo-two": "ok", "hashzoo-three": "skipped"}.items()
    assert "hashzoo_three" not in sys.modules
    with pytest.raises(UsageError, match="plugin hashzoo-three is left out by HASHZOO_PLUGINS"):
        registry().get("methods", "three")


def test_an_empty_selection_leaves_the_core_alone(install, monkeypatch):
    install("hashzoo-one")
    monkeypatch.setenv("HASHZOO_PLUGINS", "")
    assert all(p.builtin or p.status == "skipped" for p in registry().plugins)
    assert "digits" in registry().names("datasets")


def test_selection_of_what_is_not_installed(install, monkeypatch):
    install("hashzoo-one")
    monkeypatch.setenv("HASHZOO_PLUGINS", "onne")
    with pytest.raises(UsageError, match=r"no installed plugin .* 'onne'; did you mean 'one'"):
        registry()


def test_damaged_metadata_does_not_stop_the_others(install, site):
    install("hashzoo-good")
    install("hashzoo-bad", "raise RuntimeError")
    next(site.glob("hashzoo_bad-*.dist-info/METADATA")).write_bytes(b"")
    assert registry().get("methods", "good").name == "good"
    assert len(registry().failures) == 1


def test_unknown_method_names_the_broken_plugin_that_may_bring_it(install):
    install("hashzoo-lost", "raise ValueError('why')")
    with pytest.raises(UsageError, match=r"no method 'lost-q'.* broken: hashzoo-lost 1.0 .*ValueError: why"):
        registry().get("methods", "lost-q")


def test_builtins_are_in_order_and_listing_imports_no_torch():
    code = (
        "import sys, hashzoo.plugins as p\n"
        "r = p.registry()\n"
        "assert not r.failures, [f.line() for f in r.failures]\n"
        "assert sum(p.builtin for p in r.plugins) == 7, r.plugins\n"
        "from hashzoo.plugins.heavy import HEAVY\n"
        "assert not set(HEAVY) & set(sys.modules)\n"
        "print(len(r.names('methods')))"
    )
    env = {"HASHZOO_PLUGINS": "", "PYTHONPATH": str(Path(hashzoo.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3


def test_a_registry_of_nothing_answers():
    empty = Registry([])
    assert empty.names("losses") == []
    assert empty.warning() == ""
    with pytest.raises(UsageError, match=r"There is no loss 'x'\. Known: none"):
        empty.get("losses", "x")
