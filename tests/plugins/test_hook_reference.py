"""docs/hooks.md is what the hookspecs say; every hook is documented and used by a real plugin."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from hashzoo import hookspecs
from hashzoo.plugins import KINDS, registry

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = [name for name in dir(hookspecs) if name.startswith("hashzoo_register")]


def make_hooks():
    spec = importlib.util.spec_from_file_location("make_hooks", DOCS / "make_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_hookspecs_say():
    assert (DOCS / "hooks.md").read_text(encoding="utf-8") == make_hooks().page(), "run python docs/make_hooks.py"


def test_the_check_notices_a_changed_page(tmp_path, monkeypatch, capsys):
    module = make_hooks()
    monkeypatch.setattr(module, "PAGE", tmp_path / "hooks.md")
    assert module.main(["--check"]) == 1
    assert "run python docs/make_hooks.py" in capsys.readouterr().err
    assert module.main([]) == 0
    assert module.main(["--check"]) == 0
    module.PAGE.write_text(module.PAGE.read_text() + "\n")
    assert module.main(["--check"]) == 1


def test_the_script_runs_by_itself():
    done = subprocess.run([sys.executable, str(DOCS / "make_hooks.py"), "--check"], check=False, cwd=DOCS.parent)
    assert done.returncode == 0


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_heading_with_its_signature(hook):
    text = (DOCS / "hooks.md").read_text(encoding="utf-8")
    assert f"\n## {hook}\n" in text
    assert f"    {hook}() -> Iterable[" in text
    assert inspect.getdoc(getattr(hookspecs, hook)) in text


def test_every_hook_is_used_by_a_real_plugin():
    """By a built-in one, which goes through the same hooks, and by an example in the docs."""
    used = {hook for plugin in registry().plugins if plugin.builtin for hook in plugin.hooks}
    assert used | {"hashzoo_register_losses", "hashzoo_register_claims"} == set(HOOKS)  # these come from methods only
    examples = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "examples").rglob("*.py"))
    for kind in KINDS.values():
        assert f"def {kind.hook}():" in examples or kind.singular == "hash layer"


HANDED = ["TrainJob", "TrainData", "Checkpoints", "Codes", "GradientTrainer", "Engine", "Task", "Range"]


@pytest.mark.parametrize("name", [*HANDED, "Life of a loss", "What a fitter is handed", "What a loader raises"])
def test_what_a_plugin_is_handed_has_a_heading(name):
    assert f"\n### {name}\n" in (DOCS / "hooks.md").read_text(encoding="utf-8")
