"""The benchmark runs, on its smallest input; its figures are not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_evaluation.py"


def test_the_benchmark_writes_its_figures(tmp_path):
    pytest.importorskip("faiss")
    output = tmp_path / "figures.json"
    command = [sys.executable, str(SCRIPT), "--sections", "growth", "--largest", "10000", "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(output.read_text())["growth"][0]["database"] == 10_000
    assert "| 1,000 | 10,000 |" in output.with_suffix(".md").read_text()
