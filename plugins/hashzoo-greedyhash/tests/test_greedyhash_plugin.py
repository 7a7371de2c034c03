"""GreedyHash's specs: recipe, published values, README."""

from __future__ import annotations

from pathlib import Path

import hashzoo_greedyhash
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_greedyhash.hashzoo_register_methods()}


def test_recipes_are_the_released_codes() -> None:
    recipe = METHODS["greedyhash"].recipe
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay, recipe.batch_size) == ("sgd", 0.9, 5e-4, 32)
    assert (recipe.lr, recipe.backbone_lr_scale, recipe.epochs) == (1e-3, 1.0, 50)
    assert (recipe.schedule.every, recipe.schedule.gamma, recipe.schedule.unit) == (30, 0.1, "epoch")
    unsupervised = METHODS["greedyhash-unsupervised"].recipe
    assert (unsupervised.lr, unsupervised.backbone_lr_scale, unsupervised.epochs) == (1e-4, 0.0, 60)
    assert unsupervised.schedule.name == "constant"


def test_the_unsupervised_method_says_so() -> None:
    assert METHODS["greedyhash"].supervision == "supervised"
    assert METHODS["greedyhash-unsupervised"].supervision == "unsupervised"


def test_published_values() -> None:
    tables = {table.id: table for table in hashzoo_greedyhash.hashzoo_register_paper_tables()}
    cells = {(row.method, row.bits): row.value for table in tables.values() for row in table.rows}
    assert "greedyhash-2018-cifar10-I" in tables
    assert cells["greedyhash", 48] in (pytest.approx(0.822), pytest.approx(0.944))
