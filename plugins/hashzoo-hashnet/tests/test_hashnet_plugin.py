"""HashNet's hash layer and specs: continuation, recipe, variants, published values, README."""

from __future__ import annotations

from pathlib import Path

import hashzoo_hashnet
import pytest
import torch
from hashzoo_hashnet.hash_layers import ContinuationHashLayer

from hashzoo import Problem, UsageError

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_hashnet.hashzoo_register_methods()}
PROBLEM = Problem(bits=8, num_classes=3, num_train=100)


def betas(epochs: int, **options: object) -> list[float]:
    layer = ContinuationHashLayer(5, PROBLEM, **options)
    found = []
    for epoch in range(epochs):
        layer.start_epoch(epoch, epochs)
        found.append(layer.beta.item())
    return found


def test_ten_stages_of_equal_length_from_one_to_the_last_slope() -> None:
    found = betas(30)
    assert found[0] == 1.0
    assert found[-1] == pytest.approx(10.0)
    assert found == sorted(found)
    assert [found.count(value) for value in sorted(set(found))] == [3] * 10
    steps = [after / before for before, after in zip(found[::3], found[3::3], strict=False)]
    assert steps == pytest.approx([10.0 ** (1 / 9)] * 9)


def test_few_epochs_still_reach_large_slopes() -> None:
    assert betas(1) == [1.0]
    assert betas(3, last_beta=4.0, stages=3) == pytest.approx([1.0, 2.0, 4.0])
    assert betas(4, stages=1) == [1.0] * 4
    for epochs in range(2, 12):  # the last slope is reached with fewer epochs than stages, too
        found = betas(epochs)
        assert found[0] == 1.0
        assert found[-1] == pytest.approx(10.0)
        assert found == sorted(found)


def test_sqrt_is_the_released_codes_slope() -> None:
    # the code: sqrt(1 + 0.005 t) at iteration t = 0, 200, 400, ... of 10,000; here 50 epochs stand for its 50 blocks
    expected = [(1.0 + 0.005 * t) ** 0.5 for t in range(0, 10_000, 200)]
    assert betas(50, schedule="sqrt") == pytest.approx(expected)
    assert betas(100, schedule="sqrt")[1::2] == pytest.approx(expected)


def test_without_continuation_the_slope_stays_one() -> None:
    assert betas(7, schedule="none") == [1.0] * 7


def test_relaxed_is_tanh_of_the_slope_and_codes_do_not_depend_on_it() -> None:
    torch.manual_seed(0)
    layer = ContinuationHashLayer(5, PROBLEM, std=1.0)
    features = torch.randn(20, 5)
    z = features @ layer.linear.weight.T + layer.linear.bias
    layer.start_epoch(0, 10)
    first, codes = layer(features)
    layer.start_epoch(9, 10)
    last, again = layer(features)
    assert torch.allclose(first, torch.tanh(z))
    assert torch.allclose(last, torch.tanh(10.0 * z), atol=1e-5)
    assert torch.equal(codes, again)
    assert torch.equal(codes, torch.where(z >= 0, 1.0, -1.0))
    assert last.abs().mean() > first.abs().mean()


def test_a_loaded_layer_has_the_slope_it_was_saved_with() -> None:
    layer, other = (ContinuationHashLayer(5, PROBLEM) for _ in range(2))
    layer.start_epoch(9, 10)
    other.load_state_dict(layer.state_dict())
    assert other.beta.item() == pytest.approx(10.0)


@pytest.mark.parametrize(
    "options", [{"schedule": "linear"}, {"stages": 0}, {"stages": 2.5}, {"last_beta": 0.5}, {"std": -1.0}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"at least|Known"):
        ContinuationHashLayer(5, PROBLEM, **options)


def test_recipe_is_the_released_codes() -> None:
    recipe = METHODS["hashnet"].recipe
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay, recipe.batch_size) == ("sgd", 0.9, 5e-4, 256)
    assert recipe.lr * recipe.backbone_lr_scale == pytest.approx(5e-5)
    assert recipe.backbone_lr_scale == pytest.approx(1 / 10)
    assert (recipe.schedule.every, recipe.schedule.gamma, recipe.schedule.unit) == (2000, 0.5, "step")
    assert recipe.epochs * 10_000 / 256 == pytest.approx(10_000)  # iterations on 10,000 train images


def test_variants_differ_as_the_paper_says() -> None:
    assert METHODS["hashnet-w"].options["loss"]["weights"] == "none"
    assert METHODS["hashnet-c"].options["loss"]["similarity"] == "jaccard"
    assert METHODS["hashnet-sgn"].options["hash_layer"]["schedule"] == "none"
    assert {(method.loss, method.hash_layer) for method in METHODS.values()} == {("hashnet", "hashnet")}


def test_published_values() -> None:
    (table,) = hashzoo_hashnet.hashzoo_register_paper_tables()
    cells = {(row.method, row.dataset, row.bits): row.value for row in table.rows}
    assert cells["hashnet", "ImageNet-100", 48] == pytest.approx(0.6633)
