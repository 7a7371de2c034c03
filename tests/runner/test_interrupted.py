"""A run that is killed goes on where it stopped and gives the record of an unbroken run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hashzoo.results.record import read_record, same_result
from hashzoo.testing.distribution import write_distribution

PLUGIN = """
from hashzoo import Component, Method, Paper, Recipe, hookimpl

@hookimpl
def hashzoo_register_losses():
    return [Component("{name}-loss", "hashzoo_{name}:build")]

@hookimpl
def hashzoo_register_methods():
    paper = Paper("{name}-2026", "t", "a", "v", 2026)
    recipe = Recipe(epochs=6, batch_size=50, lr=0.01, optimizer="adam")
    return [Method("{name}", paper, "{name}-loss", "linear", recipe, trainer="gradient")]

def build(problem):
    import torch
    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.classifier = torch.nn.Linear(problem.bits, problem.num_classes)
        def forward(self, output, batch):
            noise = torch.randn_like(output.relaxed)  # drawn: a resumed run has to draw the same
            target = batch.labels.argmax(1)
            scores = self.classifier(output.relaxed + noise)
            return {{"classification": torch.nn.functional.cross_entropy(scores, target)}}
    return Loss()
"""

RUNNER = """
import os, signal, sys
from pathlib import Path
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run
from hashzoo.training.checkpoints import Checkpoints

out, moment = Path(sys.argv[1]), sys.argv[2]
Checkpoints.due = lambda self: True

class Killer:
    def begin(self, stage, total):
        self.stage = stage.split()[0]
        if moment == self.stage:
            os.kill(os.getpid(), signal.SIGKILL)
    def advance(self, done, note=""):
        if moment == f"{self.stage}-{done}":
            os.kill(os.getpid(), signal.SIGKILL)
    def say(self, text):
        pass

settings = {"epochs": 6, "batch_size": 50, "lr": 0.01}
run(RunRequest(method="noisy", bits=(16,), settings=settings, device="cpu", precision="fp32", out=out), Killer())
"""


def start(tmp_path: Path, out: Path, moment: str) -> int:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]),
    }
    environment["OMP_NUM_THREADS"] = "1"
    program = [sys.executable, "-c", RUNNER, str(out), moment]
    return subprocess.run(program, env=environment, timeout=240, check=False).returncode


@pytest.fixture
def unbroken(tmp_path: Path) -> Path:
    write_distribution(tmp_path / "site", "hashzoo-noisy", PLUGIN.format(name="noisy"))
    assert start(tmp_path, tmp_path / "unbroken", "never") == 0
    (path,) = (tmp_path / "unbroken").glob("*/bits-016/seed-0/record.json")
    return path


def test_a_killed_run_goes_on_and_gives_the_same_record(tmp_path: Path, unbroken: Path) -> None:
    out = tmp_path / "broken"
    for moment in ("train-2", "train-4", "encode"):
        assert start(tmp_path, out, moment) == -signal.SIGKILL
    assert start(tmp_path, out, "never") == 0
    (path,) = out.glob("*/bits-016/seed-0/record.json")
    assert same_result(read_record(path), read_record(unbroken))
    assert (path.parent / "history.jsonl").read_text() == (unbroken.parent / "history.jsonl").read_text()
    for name in ("model.safetensors", "codes.npz"):
        assert (path.parent / name).read_bytes() == (unbroken.parent / name).read_bytes()
