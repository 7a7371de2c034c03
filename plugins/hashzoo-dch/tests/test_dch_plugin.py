"""DCH's specs: recipe, variants, published values, README."""

from __future__ import annotations

from pathlib import Path

import hashzoo_dch
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_dch.hashzoo_register_methods()}


def test_recipe_is_the_papers_and_the_released_codes() -> None:
    recipe = METHODS["dch"].recipe
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay, recipe.batch_size) == ("sgd", 0.9, 5e-4, 128)
    assert recipe.lr * recipe.backbone_lr_scale == pytest.approx(0.005)
    assert recipe.backbone_lr_scale == pytest.approx(1 / 10)
    assert recipe.epochs == pytest.approx(2000 * 128 / 5000, abs=1)  # 2,000 iterations on 5,000 images
    assert recipe.bias_lr_scale == 2.0


def test_variants_differ_as_the_paper_says() -> None:
    assert METHODS["dch-q"].options == {"loss": {"quantization_weight": 0.0}}
    assert METHODS["dch-c"].loss == "dch-c"
    assert METHODS["dch-e"].options == {"loss": {"distance": "euclidean"}}
    assert {method.hash_layer for method in METHODS.values()} == {"tanh"}


def test_published_values() -> None:
    tables = {table.id: table for table in hashzoo_dch.hashzoo_register_paper_tables()}
    assert set(tables) == {"dch-2018-table1", "dch-2018-table2"}
    cells = {(row.method, row.dataset, row.bits): row.value for row in tables["dch-2018-table1"].rows}
    assert cells["dch", "CIFAR-10", 48] == pytest.approx(0.8071)
    assert tables["dch-2018-table1"].metric == "map@h2-reranked"  # its code ranks the ball by real values
    ablation = {row.method for row in tables["dch-2018-table2"].rows}
    assert ablation == set(METHODS)
