"""docs/plugins.md, typed along: every file it asks for is written, every command is run, in order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins.md"


@dataclass(frozen=True)
class Step:
    """A command, or a file to write."""

    command: str = ""
    path: str = ""
    text: str = ""


def steps() -> list[Step]:
    found = []
    for language, body in re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        if language == "console":
            for line in body.splitlines():
                assert line.startswith("$ "), f"{line!r} is no command"
                found.append(Step(command=line.removeprefix("$ ")))
        elif language == "python" and body.startswith("# file: "):
            first, _, rest = body.partition("\n")
            found.append(Step(path=first.removeprefix("# file: "), text=rest))
    return found


def script(folder: Path, core_wheel: Path) -> str:
    """The tutorial as one shell script; each command is echoed, and the first that fails ends it."""
    lines = ["set -e"]
    for number, step in enumerate(steps()):
        if step.path:
            source = folder / f"file-{number}"
            source.write_text(step.text, encoding="utf-8")
            lines.append(f"cp {source} {step.path}")
            continue
        lines += [f"echo '== {number}'", step.command]
        if made := re.search(r"-m venv (\S+)", step.command):
            paths = f"Path({made[1]!r}), Path({str(core_wheel)!r})"
            share = f"from pathlib import Path; import conftest; conftest.share({paths})"
            lines.append(f'PYTHONPATH={Path(__file__).parent} {sys.executable} -c "{share}"')
    return "\n".join(lines) + "\n"


@pytest.mark.install
def test_the_tutorial_works_as_written(tmp_path, core_wheel, offline):
    work = tmp_path / "work-folder"
    work.mkdir()
    environment = {
        **offline,
        "HASHZOO_DATA": str(tmp_path / "data"),
        "HASHZOO_CACHE": str(tmp_path / "cache"),
    }
    # other plugins that are installed here are none of the tutorial's; nothing answers to the name before this line
    install = "pip install -e hashzoo-twin-hash\n"
    text = script(tmp_path, core_wheel).replace(install, install + "export HASHZOO_PLUGINS=twin-hash\n")
    done = subprocess.run(["bash"], input=text, capture_output=True, text=True, cwd=work, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    outputs = dict(re.findall(r"^== (\d+)\n(.*?)(?=^== |\Z)", done.stdout, flags=re.DOTALL | re.MULTILINE))
    said = {step.command: outputs[str(number)] for number, step in enumerate(steps()) if step.command}
    assert re.search(r"twin-hash +hashzoo-twin-hash 0.1.0 +ok", said["hashzoo plugins"])
    assert "failed" not in said["hashzoo check twin-hash"]
    assert "passed" in said["hashzoo check twin-hash"]
    assert said["hashzoo leaderboard"].count("twin-hash") >= 1
    assert "lsh" in said["hashzoo leaderboard"]
    strict = said["clean/bin/hashzoo --strict plugins"]
    assert re.search(r"twin-hash +hashzoo-twin-hash 0.1.0 +ok", strict)
    assert "twin-hash" in said["clean/bin/hashzoo leaderboard clean-runs"]
    (record,) = (work / "clean-runs").rglob("record.json")
    plugins = json.loads(record.read_text())["plugins"]
    assert plugins["loss"]["distribution"] == "hashzoo-twin-hash"
    assert len(plugins["loss"]["sha256"]) == 64
    # the editable install and the wheel hold the same files, so both records name the same code
    others = [json.loads(path.read_text())["plugins"].get("loss") for path in (work / "runs").rglob("record.json")]
    assert plugins["loss"]["editable"] is False
    assert {**plugins["loss"], "editable": True} in others


def test_every_block_of_the_tutorial_is_known():
    """A block in another language, or a Python block that is neither written nor an excerpt, would go untested."""
    blocks = re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert {language for language, _ in blocks} == {"console", "python", "text"}
    excerpts = [body for language, body in blocks if language == "python" and not body.startswith("# file: ")]
    assert len(excerpts) == 3
    for body in excerpts:
        compile(body, "excerpt", "exec")
        assert "conformance(" in body or "hashzoo_expected_failures" in body or "Range(" in body


def test_names_in_the_tutorial_exist():
    from hashzoo.testing import CHECKS, COMPONENT_CHECKS

    text = PAGE.read_text(encoding="utf-8")
    assert "loss_ignores_batch_order" in text
    assert "loss_ignores_batch_order" in CHECKS
    assert "datasets" in COMPONENT_CHECKS
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (PAGE.parent / link).exists(), link
