"""The benchmarks run, on their smallest input; their figures are not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_benchmark_writes_its_figures(tmp_path):
    pytest.importorskip("faiss")
    output = tmp_path / "figures.json"
    command = [
        sys.executable,
        str(BENCHMARKS / "bench_evaluation.py"),
        "--sections",
        "growth",
        "--largest",
        "10000",
        "--output",
        str(output),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(output.read_text())["growth"][0]["database"] == 10_000
    assert "| 1,000 | 10,000 |" in output.with_suffix(".md").read_text()


def test_the_benchmark_of_parts_compares_them_with_the_whole(tmp_path):
    output = tmp_path / "parts.md"
    sizes = ["--items", "2000", "--queries", "5", "--parts", "2", "--workers", "1"]
    command = [sys.executable, str(BENCHMARKS / "bench_parts.py"), *sizes, "--output", output.name]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert "| `map` |" in output.read_text(encoding="utf-8")


def test_the_benchmark_of_training_writes_both_tables(tmp_path):
    output = tmp_path / "training.md"
    steps = ["--methods", "greedyhash", "--bits", "8", "--epochs", "3"]
    images = ["--backbone", "smallcnn", "--images", "16", "--side", "32", "--batch", "8", "--rounds", "1"]
    command = [sys.executable, str(BENCHMARKS / "bench_training.py"), *steps, *images, "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    page = output.read_text(encoding="utf-8")
    assert "| greedyhash | sgd, batch 128 | 5 |" in page  # two layers forward, two weights and the codes backward
    assert "| hashzoo |" in page
    assert "| plain loop, 2 workers that load |" in page
