"""Whether validation foretells the board, on methods made up so that the answer is known."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "tuning_predicts.py"
STUDY = {"bits": [32], "trials": 20, "metric": "map", "protocol": "digits-1k"}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("tuning_predicts", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_gains_that_agree_and_those_that_do_not_are_told(script: ModuleType) -> None:
    ahead = [script.Pair(f"up{n}", 0.5, 0.5 + n / 100, 0.4, 0.4 + n / 100, True) for n in range(1, 6)]
    found = [
        *ahead,
        script.Pair("down", 0.3, 0.36, 0.3, 0.28, True),
        script.Pair("same", 0.6, 0.6, 0.6, 0.59, True),  # its own setting was chosen
        script.Pair("closed", 0.7, 0.7, 0.7, 0.7, False),
    ]
    text = script.page(STUDY, Path("study.json"), {32: found})
    assert "8 methods, floors left out" in text
    assert "- 32 bits: down (+6.0, -2.0)" in text
    row = next(line for line in text.splitlines() if line.startswith("| 32 | +"))
    assert row.startswith("| 32 | +3.5 | +2.2 | 5 of 6 | 0.14 [")  # by hand: 1 - 6 * 30 / (6 * 35) = 1 / 7


def test_directions_count_as_their_mean_as_in_a_trial(script: ModuleType) -> None:
    metrics = ({"a-to-b/map": 0.2, "b-to-a/map": 0.4, "a-to-b/map@h2": 0.9}, {"a-to-b/map": 0.3, "b-to-a/map": 0.7})
    records = [SimpleNamespace(bits=32, seed=seed, metrics=found) for seed, found in enumerate(metrics)]
    assert script.value(records, "map") == pytest.approx(0.4)


def test_the_committed_page_names_every_method_of_the_committed_study_that_lost() -> None:
    page = (PATH.parent / "results" / "tuning_digits.md").read_text(encoding="utf-8")
    assert "Better on validation and worse on the board" in page
    assert "- 32 bits: cibhash (+4.9, -2.6), dpsh (+2.9, -1.0), sdh (+1.7, -0.9)" in page
