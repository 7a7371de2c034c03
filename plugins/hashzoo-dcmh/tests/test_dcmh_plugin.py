"""DCMH's specs: recipe, published values, README."""

from __future__ import annotations

import inspect
from pathlib import Path

import hashzoo_dcmh
import pytest
from hashzoo_dcmh.losses import DCMHLoss

from hashzoo.training import schedule_factor

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
(DCMH,) = hashzoo_dcmh.hashzoo_register_methods()


def test_recipe_is_the_papers_and_the_released_codes() -> None:
    recipe = DCMH.recipe
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay, recipe.batch_size) == ("sgd", 0.0, 5e-4, 128)
    assert recipe.epochs == 500
    rates = [recipe.lr * schedule_factor(recipe.schedule, epoch, 1, 500) for epoch in range(500)]
    # the MATLAB code's logspace(-1.5, -3, 500) at epochs 1, 100, 250 and 500
    assert [rates[e - 1] for e in (1, 100, 250, 500)] == pytest.approx([0.0316, 0.0159, 0.0056, 0.0010], rel=0.02)


def test_loss_defaults_are_the_papers() -> None:
    defaults = {name: p.default for name, p in inspect.signature(DCMHLoss).parameters.items()}
    assert (defaults["gamma"], defaults["eta"]) == (1.0, 1.0)
    assert "loss" not in DCMH.options
    assert DCMH.modalities == ("image", "text")
    assert DCMH.options["hash_layer"] == {"bias_std": 0.01}


def test_published_values() -> None:
    tables = {table.id: table for table in hashzoo_dcmh.hashzoo_register_paper_tables()}
    assert set(tables) == {"dcmh-2017-table3", "dcmh-2017-table4"}
    tasks = {row.task for row in tables["dcmh-2017-table3"].rows}
    assert tasks == {"image-to-text", "text-to-image"}
    assert any(row.method == "dcmh" for row in tables["dcmh-2017-table3"].rows)
