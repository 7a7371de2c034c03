"""CSQ's loss, centres and head against worked values, plain loops and saturated outputs."""

from __future__ import annotations

import math
from pathlib import Path

import hashzoo_csq
import pytest
import torch
from hashzoo_csq.hash_layers import CSQHashLayer
from hashzoo_csq.losses import CSQLoss

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import center_distances
from hashzoo.testing.processes import same_in_another_process

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
U = torch.tensor(
    [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]], dtype=torch.float64
)
SINGLE = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
SEVERAL = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]])


def problem(bits: int = 4, classes: int = 3) -> Problem:
    return Problem(bits=bits, num_classes=classes, num_train=100, multilabel=True)


def terms(loss: CSQLoss, z: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    return loss(HashOutput(z, z, z.detach().sign()), Batch({}, labels, torch.arange(len(z))))


def fixture(**options: object) -> CSQLoss:
    loss = CSQLoss(problem(), **options).double()
    loss.filler.copy_(torch.tensor([1.0, -1, 1, -1]))
    return loss


def test_worked_values() -> None:
    assert terms(fixture(), U, SINGLE)["center"].item() == pytest.approx(0.986460, abs=1e-6)
    assert terms(fixture(), U, SEVERAL)["center"].item() == pytest.approx(0.506812, abs=1e-6)
    squared = terms(fixture(quantization_weight=1.0), U, SINGLE)["quantization"]
    assert squared.item() == pytest.approx(0.318014, abs=1e-6)
    smooth = terms(fixture(quantization_weight=1.0, quantizer="log_cosh"), U, SINGLE)["quantization"]
    assert smooth.item() == pytest.approx(0.147636, abs=1e-6)


@pytest.mark.parametrize(
    ("labels", "first", "third"),
    [
        (SINGLE, (-0.020998, -0.086247, -0.010397, -0.096066), (-0.100273, 0.096066, -0.074836, 0.086247)),
        (SEVERAL, (-0.027997, 0.051671, -0.013862, 0.038579), (-0.133697, -0.038579, 0.066885, 0.114996)),
    ],
)
def test_worked_gradients(labels: torch.Tensor, first: tuple[float, ...], third: tuple[float, ...]) -> None:
    z = U.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(terms(fixture(), z, labels)["center"], z)
    assert gradient[0].tolist() == pytest.approx(first, abs=1e-6)
    assert gradient[2].tolist() == pytest.approx(third, abs=1e-6)


def test_equals_the_papers_form_in_a_plain_loop() -> None:
    loss, total = fixture(), 0.0
    for row, label in zip(U.tolist(), [0, 0, 1, 2], strict=True):
        for value, target in zip(row, loss.centers[label].tolist(), strict=True):
            h, c = 0.5 * (math.tanh(value) + 1.0), 0.5 * (target + 1.0)
            total -= c * math.log(h) + (1.0 - c) * math.log(1.0 - h)
    assert terms(loss, U, SINGLE)["center"].item() == pytest.approx(total / 16, rel=1e-9)


def test_a_saturated_wrong_bit_still_has_a_gradient() -> None:
    z = torch.full((1, 4), -40.0, requires_grad=True)
    value = terms(CSQLoss(problem()), z, SINGLE[:1])["center"]
    (gradient,) = torch.autograd.grad(value, z)
    assert value.item() == pytest.approx(80.0)
    assert gradient[0].tolist() == pytest.approx([-0.5] * 4)


def test_unlabelled_images_count_in_the_quantization_only() -> None:
    none = torch.zeros(4, 3)
    z = U.clone().requires_grad_()
    found = terms(fixture(), z, none)
    (gradient,) = torch.autograd.grad(found["center"], z)
    assert found["center"].item() == 0.0
    assert not gradient.any()
    assert found["quantization"].item() > 0


def test_centres_are_hadamards_where_the_paper_has_them_and_balanced_elsewhere() -> None:
    rows = CSQLoss(problem(16, 20)).centers
    assert center_distances(rows)[0] == 8.0
    torch.manual_seed(0)
    for bits, classes in ((48, 10), (16, 40)):  # no power of two; more than 2 K classes
        assert not CSQLoss(problem(bits, classes)).centers.sum(dim=1).any()
    paley = CSQLoss(problem(48, 10), centers="hadamard").centers
    assert center_distances(paley)[0] == 24.0
    with pytest.raises(UsageError, match="have 40"):
        CSQLoss(problem(16, 40), centers="hadamard")


def test_another_process_has_the_same_centres_and_a_loaded_loss_keeps_them() -> None:
    assert same_in_another_process(
        "import torch; from hashzoo import Problem; from hashzoo_csq.losses import CSQLoss; torch.manual_seed(3); "
        "loss = CSQLoss(Problem(48, 10, 100)); print(loss.centers.tolist(), loss.filler.tolist())"
    )
    torch.manual_seed(1)
    first = CSQLoss(problem(48, 10))
    torch.manual_seed(2)
    other = CSQLoss(problem(48, 10))
    assert not torch.equal(first.centers, other.centers)
    other.load_state_dict(first.state_dict())
    assert torch.equal(first.centers, other.centers)
    assert torch.equal(first.filler, other.filler)


def test_the_head_is_what_the_released_code_says() -> None:
    head = CSQHashLayer(6, problem(8), dropout=0.5)
    kinds = [type(part).__name__ for part in head.layers]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear"]
    assert [tuple(p.shape) for p in head.parameters() if p.ndim == 2] == [(6, 6), (6, 6), (8, 6)]
    assert len(CSQHashLayer(6, problem(8), layers=1).layers) == 1
    relaxed, codes = head.eval()(torch.randn(5, 6))
    assert torch.equal(codes, torch.where(relaxed >= 0, 1.0, -1.0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_odd_outputs_stay_finite(dtype: torch.dtype, value: float) -> None:
    z = torch.full((4, 64), value, dtype=dtype, requires_grad=True)
    for quantizer in ("squared", "log_cosh"):
        total = sum(terms(CSQLoss(problem(64), quantizer=quantizer), z, SEVERAL).values())
        (gradient,) = torch.autograd.grad(total, z)
        assert total.dtype == torch.float32
        assert torch.isfinite(total)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("options", [{"quantization_weight": -1.0}, {"quantizer": "cauchy"}, {"centers": "random"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"at least 0|Known"):
        CSQLoss(problem(), **options)
    for wrong in ({"layers": 0}, {"dropout": 1.0}):
        with pytest.raises(UsageError, match=r"layers|dropout"):
            CSQHashLayer(6, problem(), **wrong)


def test_recipe_is_the_released_codes() -> None:
    (method,) = hashzoo_csq.hashzoo_register_methods()
    recipe = method.recipe
    assert (recipe.optimizer, recipe.lr, recipe.backbone_lr_scale, recipe.batch_size) == ("adam", 1e-3, 0.01, 64)
    assert (recipe.epochs, recipe.schedule.every, recipe.schedule.gamma) == (90, 10, 0.7)


def test_published_values() -> None:
    (table,) = hashzoo_csq.hashzoo_register_paper_tables()
    cells = {(row.dataset, row.backbone, row.bits): row.value for row in table.rows}
    assert cells["ImageNet-100", "ResNet50", 64] == pytest.approx(0.873)
    assert cells["NUS-WIDE", "AlexNet", 16] == pytest.approx(0.744)
