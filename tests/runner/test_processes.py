"""Two processes train as one does: the loss sees the whole batch, and only the main process writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hashzoo.results.record import read_record
from hashzoo.testing.distribution import write_distribution

PLUGIN = """
from hashzoo import Component, Method, Paper, Recipe, hookimpl

@hookimpl
def hashzoo_register_losses():
    return [Component("twins-loss", "hashzoo_twins:build")]

@hookimpl
def hashzoo_register_methods():
    recipe = Recipe(epochs=2, batch_size=75, lr=0.01, optimizer="adam")
    return [Method("twins", Paper("twins-2026", "t", "a", "v", 2026), "twins-loss", "linear", recipe)]

def build(problem):
    import torch
    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(0.1))
        def forward(self, output, batch):
            assert len(output.relaxed) == len(batch.labels) == len(batch.index)
            z, s = output.relaxed, (batch.labels @ batch.labels.T > 0).float()
            logits = self.scale * z @ z.T  # over all pairs of the batch
            pairwise = torch.nn.functional.binary_cross_entropy_with_logits(logits, s)
            return {"pairwise": pairwise, "quantization": 0.1 * (output.codes - z).square().mean()}
    return Loss()
"""
ARGUMENTS = (
    "-m", "hashzoo", "run", "-m", "twins", "--freeze-backbone", "-b", "smallcnn", "--bits", "8", "--device", "auto",
    "--precision", "fp32", "--set", "epochs=2", "--set", "batch_size=75", "--set", "lr=0.01", "--json", "--out",
)  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="torch's process launcher is not used there")
def test_two_processes_give_the_training_of_one(tmp_path: Path) -> None:
    write_distribution(tmp_path / "site", "hashzoo-twins", PLUGIN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HASHZOO_PLUGINS": "twins"}
    environment["CUDA_VISIBLE_DEVICES"] = ""  # auto has to find the processor, and both processes each other
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    histories, records = [], []
    for name, start in (("one", ()), ("two", launcher)):
        program = [sys.executable, *start, *ARGUMENTS, str(tmp_path / name)]
        done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)) == 1  # printed once
        (cell,) = (tmp_path / name).glob("*/bits-008/seed-0")
        histories.append([json.loads(line) for line in (cell / "history.jsonl").read_text().splitlines()])
        records.append(read_record(cell / "record.json"))
    assert len(histories[1]) == 2
    for one, two in zip(*histories, strict=True):  # 500 items: the last batch of 50 and pieces of 38 are among them
        assert two == pytest.approx(one, rel=1e-4)
    assert records[1].metrics["map"] == pytest.approx(records[0].metrics["map"], abs=2e-3)
    assert [record.environment["processes"] for record in records] == [1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="torch's process launcher is not used there")
def test_the_launcher_of_accelerate_that_imports_no_torchvision(tmp_path: Path) -> None:
    """As docs/scale.md has it: `accelerate launch` itself ends where torchvision was built for another torch."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    launcher = ("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1")
    asked = ("-m", "hashzoo", "run", "-m", "lsh", "--bits", "8", "--json", "--out", str(tmp_path))
    program = [sys.executable, *launcher, *asked]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["method"] == "lsh"
