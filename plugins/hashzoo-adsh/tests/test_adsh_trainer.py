"""ADSH's trainer: what it samples, hands back and refuses, through a whole run on the digits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hashzoo_adsh.trainer import ADSHTrainer
from safetensors.torch import load_file

import hashzoo
from hashzoo import Recipe, Schedule, UsageError

SMALL = {"epochs": 2, "trainer.sample": 150, "trainer.inner_epochs": 1}


def run(out: Path, **options: object) -> hashzoo.Cell:
    (record,) = hashzoo.run("adsh", dataset="digits", bits=(16,), settings=SMALL, out=out, metrics=("map",), **options)
    return hashzoo.Cell(record.path.parent)


def test_the_database_has_the_codes_that_were_learned(tmp_path: Path) -> None:
    cell = run(tmp_path / "a")
    state = load_file(cell.path / "model.safetensors")
    assert torch.equal(state["database.image"], state["loss.codes"])
    found = torch.as_tensor(np.unpackbits(cell.codes["database.image"].packed.view(np.uint8), axis=1)).sum()
    assert found in ((state["loss.codes"] > 0).sum(), (state["loss.codes"] < 0).sum())
    assert run(tmp_path / "b").record.codes_sha256 == cell.record.codes_sha256


def test_a_method_that_does_not_see_the_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        hashzoo.run("adsh-inductive", dataset="digits", bits=(16,), settings={"epochs": 1}, out=tmp_path, loss="adsh")


def test_the_rate_runs_over_the_steps_of_all_rounds() -> None:
    trainer = ADSHTrainer(sample=20, inner_epochs=3)
    recipe = Recipe(epochs=4, batch_size=8, lr=1.0, schedule=Schedule("cosine"))
    trainer.job = SimpleNamespace(recipe=recipe, data=range(300))
    trainer.database = range(500)
    rates = [trainer.rate(epoch, step) for epoch in range(4) for step in range(9)]
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.01


@pytest.mark.parametrize("options", [{"sample": 0}, {"inner_epochs": 0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        ADSHTrainer(**options)
