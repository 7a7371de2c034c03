"""Broken distributions, really installed by pip into a fresh environment: every command still works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hashzoo.testing import write_distribution

pytestmark = pytest.mark.install

HEAD = "from hashzoo import Component, Method, Paper, Recipe, hookimpl\n"
BUILD = "hashzoo.training.loop:GradientTrainer"
LOSS = HEAD + "@hookimpl\ndef hashzoo_register_losses():\n    return [Component({!r}, '" + BUILD + "')]\n"
METHOD = HEAD + (
    "@hookimpl\ndef hashzoo_register_methods():\n"
    "    paper = Paper('x-2020', 'A title', 'A. Author', 'A venue', 2020)\n"
    "    return [Method({!r}, paper, loss={!r}, hash_layer='linear', recipe=Recipe(1, 2, 0.1))]\n"
)
DISTRIBUTIONS = {
    "hashzoo-noimport": "import a_missing_module\n",
    "hashzoo-raises": HEAD + "@hookimpl\ndef hashzoo_register_losses():\n    raise RuntimeError('bad luck')\n",
    "hashzoo-misspelt": HEAD + "@hookimpl\ndef hashzoo_register_loses():\n    return []\n",
    "hashzoo-taker": METHOD.format("lsh", "taker") + LOSS.format("taker"),
    "hashzoo-wrongtype": HEAD + "@hookimpl\ndef hashzoo_register_methods():\n    return ['a method']\n",
    "hashzoo-future": "hashzoo_api = 99\n" + LOSS.format("future"),
    "hashzoo-exits": "raise SystemExit(7)\n",
    "hashzoo-prints": "import sys\nprint('buy now')\nprint('really', file=sys.stderr)\n" + LOSS.format("prints"),
    "hashzoo-slow": "import os, time\ntime.sleep(float(os.environ.get('SLOW', 0)))\n" + LOSS.format("slow"),
    "hashzoo-hollow": METHOD.format("hollow", "hollow") + LOSS.format("hollow").replace(BUILD, "nowhere:build"),
    "hashzoo-twin-a": METHOD.format("twin", "twin") + LOSS.format("twin"),
    "hashzoo-twin-b": METHOD.format("twin", "twin") + LOSS.format("twin"),
}
BROKEN = {
    "hashzoo-noimport": (
        "import failed: ModuleNotFoundError: No module named 'a_missing_module'",
        "pip install a_missing",
    ),
    "hashzoo-raises": (
        "hashzoo_register_losses raised: RuntimeError: bad luck",
        "pip install --upgrade hashzoo-raises",
    ),
    "hashzoo-misspelt": ("unknown hook 'hashzoo_register_loses'", "rename it to hashzoo_register_losses"),
    "hashzoo-taker": ("the method 'lsh' is also registered by hashzoo", "write hashzoo-taker:lsh"),
    "hashzoo-wrongtype": ("returned 'a method' where a Method was expected", "report it to the authors"),
    "hashzoo-future": ("it needs plugin interface 99", "pip install --upgrade hashzoo"),
    "hashzoo-exits": ("import failed: SystemExit: 7", "pip uninstall hashzoo-exits"),
    "hashzoo-twin-a": ("the method 'twin' is also registered by hashzoo-twin-b", "write hashzoo-twin-a:twin"),
    "hashzoo-twin-b": ("the method 'twin' is also registered by hashzoo-twin-a", "write hashzoo-twin-b:twin"),
}


def wheel(folder: Path, name: str, source: str) -> Path:
    """A wheel of one module: what write_distribution leaves, and a WHEEL file, zipped."""
    site = folder / name
    write_distribution(site, name, source, version="1.2")
    info = next(site.glob("*.dist-info"))
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    path = folder / f"{name.replace('-', '_')}-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(site.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(site).as_posix())
    return path


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has everything of this one, and the broken distributions."""
    folder = tmp_path_factory.mktemp("isolation")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    found = folder / "env" / "bin" / "python"
    site = next((folder / "env").glob("lib/python*/site-packages"))
    parents = [path for path in sys.path if path.endswith("site-packages")]
    (site / "parent.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in parents))
    wheels = [wheel(folder, name, source) for name, source in DISTRIBUTIONS.items()]
    pip = [sys.executable, "-m", "pip", "--python", str(found), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, *map(str, wheels)], check=True)
    return found


@pytest.fixture
def hashzoo(python: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(*args: str, code: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HASHZOO", "PYTHON", "COV"))}
        environment |= {"HASHZOO_DATA": str(tmp_path / "data"), "HASHZOO_CACHE": str(tmp_path / "cache"), **env}
        root = str(Path(__file__).parents[2])
        environment["PYTHONPATH"] = root  # the core from this tree, whether or not it is installed
        return subprocess.run(
            [str(python), *(("-c", code) if code else ("-m", "hashzoo")), *args],
            capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
        )  # fmt: skip

    return call


def test_the_listing_names_each_with_its_remedy_in_one_line(hashzoo):
    done = hashzoo("plugins")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for name, (error, remedy) in BROKEN.items():
        (line,) = [line for line in lines if line.strip().startswith(f"{name} 1.2 (")]
        point = name.removeprefix("hashzoo-")
        for part in (f"({point} = {name.replace('-', '_')})", error, "Remedy: ", remedy):
            assert part in line
    assert "Traceback" not in done.stdout + done.stderr
    assert "printed to stdout at import: 'buy now'" in done.stdout


def test_the_listing_as_json(hashzoo):
    done = hashzoo("plugins", "--json")
    rows = {row["distribution"]: row for row in json.loads(done.stdout) if row["distribution"] in DISTRIBUTIONS}
    assert set(rows) == set(DISTRIBUTIONS)
    assert {name for name, row in rows.items() if row["status"] != "ok"} == set(BROKEN)
    assert rows["hashzoo-twin-a"]["status"] == "clash"


def test_strict_makes_it_an_exit_code(hashzoo):
    done = hashzoo("plugins", "--strict")
    assert done.returncode == 1
    done = hashzoo("--strict", "list", "methods")
    assert done.returncode == 1
    assert "hashzoo-noimport 1.2" in done.stderr
    assert "Traceback" not in done.stderr
    assert hashzoo("--strict", "list", "methods", HASHZOO_PLUGINS="prints,slow").returncode == 0


def test_an_unaffected_method_runs_with_one_warning(hashzoo, tmp_path):
    done = hashzoo("run", "--method", "random", "--bits", "16", "--out", "runs", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Warning") == 1
    assert f"{len(BROKEN)} plugins are not in order" in done.stderr
    assert "buy now" not in done.stdout + done.stderr
    assert "really" not in done.stdout + done.stderr
    assert len(list((tmp_path / "runs").rglob("record.json"))) == 1
    board = hashzoo("leaderboard", "runs")
    assert board.returncode == 0, board.stderr
    assert "random" in board.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("--version",),
        ("list", "methods"),
        ("list", "losses", "--json"),
        ("list", "protocols"),
        ("show", "lsh", "--kind", "methods"),
        ("data", "list"),
        ("doctor",),
        ("new", "another"),
    ],
    ids=" ".join,
)
def test_every_other_command_works(hashzoo, command):
    done = hashzoo(*command)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "buy now" not in done.stdout.replace("'buy now'", "") + done.stderr


def test_doctor_says_what_is_broken(hashzoo):
    found = hashzoo("doctor", "--json")
    rows = {row["distribution"]: row for row in json.loads(found.stdout)["plugins"]}
    assert rows["hashzoo-raises"]["error"] == BROKEN["hashzoo-raises"][0]


def test_a_name_of_two_distributions(hashzoo):
    done = hashzoo("show", "twin", "--kind", "methods")
    assert done.returncode == 2
    assert "hashzoo-twin-a 1.2" in done.stderr
    assert "'hashzoo-twin-b:twin'" in done.stderr
    picked = hashzoo("show", "hashzoo-twin-b:twin", "--kind", "methods", "--json")
    assert picked.returncode == 0, picked.stderr
    assert "hashzoo-twin-b" in picked.stdout


def test_a_method_of_a_broken_plugin_says_so(hashzoo):
    done = hashzoo("run", "--method", "noimport")
    assert done.returncode == 2
    assert "There is no method 'noimport'" in done.stderr
    assert "A plugin that may bring it is broken: hashzoo-noimport 1.2" in done.stderr


def test_a_builder_that_cannot_be_imported_is_a_sentence(hashzoo):
    done = hashzoo("run", "--method", "hollow", "--out", "runs")
    assert done.returncode == 1
    assert "'hollow'" in done.stderr
    assert "cannot be loaded from 'nowhere:build' (ModuleNotFoundError: No module named 'nowhere')" in done.stderr
    assert "Traceback" not in done.stderr


def test_selection_and_trace(hashzoo):
    code = "import hashzoo.plugins.loading as loading\nloading.SLOW_IMPORT = 0.1\n"
    code += "from hashzoo.cli import main\nmain()"
    chosen = {"HASHZOO_PLUGINS": "slow,hashzoo-prints", "SLOW": "0.2"}
    done = hashzoo("--trace-plugins", "plugins", code=code, **chosen)
    assert done.returncode == 0, done.stderr
    traced = [line for line in done.stderr.splitlines() if "ms" in line]
    (slow,) = [line for line in traced if line.endswith("hashzoo-slow (slow)") and " import " in line]
    assert float(slow.split()[0]) >= 200
    assert any(line.split()[2:] == ["hashzoo_register_losses", "hashzoo-prints", "(prints)"] for line in traced)
    assert not any("hashzoo-raises" in line for line in traced)
    took = re.findall(r"note: import took (\d+\.\d) s", done.stdout)
    assert max(map(float, took)) >= 0.2
    assert "skipped" in done.stdout


def test_an_empty_selection_loads_none(hashzoo):
    done = hashzoo("--strict", "list", "methods", "--json", HASHZOO_PLUGINS="")
    assert done.returncode == 0, done.stderr
    assert {row["distribution"] for row in json.loads(done.stdout)} == {"hashzoo"}
