"""Imports run one way: data -> models -> training -> evaluation -> results, then runner, then the front ends."""

from __future__ import annotations

import ast
from pathlib import Path

import hashzoo

ROOT = Path(hashzoo.__file__).parent
LAYERS = {
    "errors": 0, "specs": 0, "centers": 1, "declared": 1, "files": 1, "torchvision_compat": 1, "losses": 1,
    "fitting": 1, "hookspecs": 1, "store": 2, "plugins": 2, "data": 3, "models": 4, "training": 5, "evaluation": 6,
    "results": 7,
    "runner": 8, "studies": 9, "testing": 9, "scaffold": 9, "site": 9, "api": 9, "cli": 10, "__main__": 11,
}  # fmt: skip
OWN = {"__version__"}
"""What `hashzoo` defines itself, below every layer."""


def imports_of(path: Path) -> set[str]:
    """First parts below `hashzoo` of what a file imports; what only a type checker reads is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "hashzoo":  # names loaded on first use, or modules
            homes = (hashzoo._HOME_OF.get(alias.name, f"hashzoo.{alias.name}") for alias in node.names)
            found |= {home.split(".")[1] for home in homes} - OWN
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hashzoo."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("hashzoo.")}
    return found


def test_no_module_imports_from_a_later_layer() -> None:
    files = [path for path in ROOT.rglob("*.py") if "templates" not in path.parts and path != ROOT / "__init__.py"]
    assert len(files) > 80
    wrong = []
    for path in files:
        here = path.relative_to(ROOT).parts[0].removesuffix(".py")
        wrong += [
            f"{path.relative_to(ROOT)} imports {there}" for there in imports_of(path) if LAYERS[there] > LAYERS[here]
        ]
    assert not wrong
