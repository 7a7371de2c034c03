"""`hashzoo new`: a complete distribution, and a sentence for every name that cannot be."""

from __future__ import annotations

import ast
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hashzoo import specs
from hashzoo.errors import UsageError, WorkError
from hashzoo.plugins import registry
from hashzoo.scaffold import KINDS_MADE, TEMPLATES, new_plugin
from hashzoo.testing import check_component, check_method, write_distribution

FILES = {
    ".github/workflows/publish.yml",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "hashzoo_my_method/__init__.py",
    "hashzoo_my_method/hash_layers.py",
    "hashzoo_my_method/losses.py",
    "hashzoo_my_method/py.typed",
    "pyproject.toml",
    "tests/test_conformance.py",
    "tests/test_losses.py",
    "tests/test_plugin.py",
}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return new_plugin("my-method", tmp_path, author='Ada "L" O\'Example')


def test_a_complete_distribution(made):
    assert made.name == "hashzoo-my-method"
    assert {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()} == FILES
    project = tomllib.loads((made / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "hashzoo-my-method"
    assert project["entry-points"] == {"hashzoo": {"my-method": "hashzoo_my_method"}}
    assert project["authors"] == [{"name": 'Ada "L" O\'Example'}]
    assert project["license"] == "MIT"
    assert 'Ada "L" O\'Example' in (made / "LICENSE").read_text(encoding="utf-8")


def test_nothing_of_the_template_is_left(made):
    for path in made.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert "{%" not in text
            assert "jinja" not in text
            assert not re.search(r"(?<!\$)\{\{", text)
            assert "__module__" not in text
    assert "${{ matrix.python }}" in (made / ".github/workflows/publish.yml").read_text(encoding="utf-8")


def test_the_python_is_python_and_states_the_interface(made):
    for path in made.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))
    text = (made / "hashzoo_my_method" / "__init__.py").read_text(encoding="utf-8")
    assert f"hashzoo_api = {specs.API_VERSION}\n" in text


def test_the_readme_says_what_the_recipe_says(made):
    readme = (made / "README.md").read_text(encoding="utf-8")
    for part in ("## Objective", "## Recipe", "Eq. (1)", "Section 4", "hashzoo run --method my-method", "Paper:"):
        assert part in readme


def test_the_workflow_tests_and_publishes(made):
    text = (made / ".github/workflows/publish.yml").read_text(encoding="utf-8")
    for part in ("release:", "types: [published]", "needs: test", "pytest", "python -m build", "id-token: write"):
        assert part in text


def test_the_method_conforms_untouched(made, monkeypatch):
    """What `pip install -e` would register, from hand-made metadata (test_generated_tests installs it)."""
    monkeypatch.delenv("HASHZOO_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(str(made))
    (write_distribution(made, "hashzoo-my-method", "", version="0.1.0", point="my-method = hashzoo_my_method")).unlink()
    plugin = registry().owner("methods", "my-method")
    assert (plugin.status, plugin.notes) == ("ok", ()), plugin.line()
    failed = {r.check: r.message for r in check_method("my-method") if r.status == "failed"}
    assert list(failed) == ["paper_is_cited"]
    assert "still the template's 'Title of the paper'; fill it in" in failed["paper_is_cited"]
    for name in [name for name in sys.modules if name.startswith("hashzoo_my_method")]:
        del sys.modules[name]


LISTED = {"fit": "methods", "cross-modal": "methods", "dataset": "datasets", "evaluator": "evaluators",
          "trainer": "trainers", "command": "commands"}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS_MADE)
def test_every_kind_conforms_and_is_clean(tmp_path, monkeypatch, kind):
    """But for the title, which only the author knows; ruff with the settings that come with it."""
    made = new_plugin("my-own", tmp_path, kind=kind, title="A title")
    ruff = [sys.executable, "-m", "ruff"]
    assert subprocess.run([*ruff, "check", "--no-cache", "."], cwd=made, check=False).returncode == 0
    assert subprocess.run([*ruff, "format", "--no-cache", "--check", "."], cwd=made, check=False).returncode == 0
    if kind == "method":
        return  # test_the_method_conforms_untouched
    monkeypatch.delenv("HASHZOO_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(str(made))
    (write_distribution(made, "hashzoo-my-own", "", version="0.1.0", point="my-own = hashzoo_my_own")).unlink()
    try:
        plugin = registry().owner(LISTED[kind], "my-own")
        assert (plugin.status, plugin.notes) == ("ok", ()), plugin.line()
        results = check_method("my-own") if LISTED[kind] == "methods" else []
        results = results or (check_component(LISTED[kind], "my-own") if kind != "command" else [])
        assert {r.check: r.message for r in results if r.status == "failed"} == {}
    finally:
        for name in [name for name in sys.modules if name.startswith("hashzoo_my_own")]:
            del sys.modules[name]


@pytest.mark.install
def test_the_generated_tests_pass_and_the_plugin_is_listed(made, environment, offline):
    python = str(environment)
    described = made / "hashzoo_my_method" / "__init__.py"
    described.write_text(described.read_text().replace("Title of the paper", "A title"))
    install = ["install", "--quiet", "--no-deps", "-e", str(made)]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *install], check=True, env=offline)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=made, env=offline, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    listed = subprocess.run(
        [python, "-m", "hashzoo", "plugins"], env=offline, capture_output=True, text=True, check=True
    )
    assert re.search(r"my-method +hashzoo-my-method 0.1.0 +ok", listed.stdout)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("MyMethod", "not kebab-case; .* for example 'mymethod'"),
        ("my_method", "not kebab-case; .* for example 'my-method'"),
        ("my method", "for example 'my-method'"),
        ("2fast", "beginning with a letter, for example 'my-method'"),
        ("-x", "not kebab-case"),
        ("x-", "not kebab-case"),
        ("", "not kebab-case"),
        ("../x", "not kebab-case"),
        ("hashzoo-x", "leave it out, for example 'x'"),
        ("hashzoo", "repeats 'hashzoo'"),
        ("class", "'class' is a keyword of Python"),
        ("lsh", "already is a method 'lsh', in hashzoo"),
        ("tanh", "already is a hash layer 'tanh', in hashzoo"),
    ],
)
def test_a_bad_name_is_a_sentence(tmp_path, name, says):
    with pytest.raises(UsageError, match=says):
        new_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_an_installed_plugin_has(tmp_path, monkeypatch):
    monkeypatch.delenv("HASHZOO_PLUGINS", raising=False)
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))
    write_distribution(site, "hashzoo-taken", "raise ImportError")
    with pytest.raises(UsageError, match="A distribution hashzoo-taken is already installed"):
        new_plugin("taken", tmp_path)


def test_a_folder_that_exists_is_left_alone(tmp_path):
    folder = tmp_path / "hashzoo-my-method"
    folder.mkdir()
    (folder / "precious").write_text("x")
    with pytest.raises(UsageError, match="already exists"):
        new_plugin("my-method", tmp_path)
    assert [path.name for path in folder.iterdir()] == ["precious"]


def test_a_parent_that_does_not_exist(tmp_path):
    with pytest.raises(UsageError, match="There is no folder"):
        new_plugin("my-method", tmp_path / "nowhere")


def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(WorkError, match=r"Could not write .* No space left on device; choose another --into"):
        new_plugin("my-method", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_template_is_package_data():
    """Every file of the template ends in .jinja (and so is in the wheel) and none hides behind a dot."""
    files = [path for path in TEMPLATES.rglob("*") if path.is_file()]
    assert {path.relative_to(TEMPLATES).parts[0] for path in files} == {"common", *KINDS_MADE}
    for path in files:
        assert path.suffix == ".jinja"
        assert not any(part.startswith(".") for part in path.relative_to(TEMPLATES).parts)
        assert not stat.S_IMODE(path.stat().st_mode) & 0o111


def test_the_command(tmp_path):
    from click.testing import CliRunner

    from hashzoo.cli.main import cli

    done = CliRunner().invoke(cli, ["new", "my-method", "--into", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "pip install -e" in done.output
    assert (tmp_path / "hashzoo-my-method" / "pyproject.toml").exists()
