"""DHN's specs: recipe, variants, published values, README."""

from __future__ import annotations

from pathlib import Path

import hashzoo_dhn
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_dhn.hashzoo_register_methods()}


def test_recipe_is_the_papers_and_the_released_codes() -> None:
    recipe = METHODS["dhn"].recipe
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay, recipe.batch_size) == ("sgd", 0.9, 5e-4, 64)
    assert recipe.lr * recipe.backbone_lr_scale == pytest.approx(2e-5)
    assert recipe.backbone_lr_scale == pytest.approx(1 / 10)
    assert (recipe.schedule.every, recipe.schedule.gamma, recipe.schedule.unit) == (500, 0.5, "step")
    # 3,000 iterations of 64 on 5,000 images
    assert recipe.epochs == pytest.approx(3000 * 64 / 5000, abs=2)


def test_variants_differ_as_the_paper_says() -> None:
    assert METHODS["dhn-q"].options == {"loss": {"quantization_weight": 0.0}}
    assert METHODS["dhn-e"].loss == "dhn-e"
    assert METHODS["dhn-b"].ranking == "inner_product"
    assert METHODS["dhn-b"].loss == METHODS["dhn"].loss == "dhn"
    assert {method.hash_layer for method in METHODS.values()} == {"tanh"}


def test_published_values() -> None:
    (table,) = hashzoo_dhn.hashzoo_register_paper_tables()
    assert table.id == "dhn-2016-table1"
    cells = {(row.method, row.dataset, row.bits): row.value for row in table.rows}
    assert cells["dhn", "CIFAR-10", 48] == pytest.approx(0.621)
