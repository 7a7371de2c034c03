"""DPN's loss, its moving targets and its layer against worked values and plain loops."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import hashzoo_dpn
import pytest
import torch
from hashzoo_dpn.hash_layers import DPNHashLayer
from hashzoo_dpn.losses import DPNLoss

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import center_distances
from hashzoo.testing.processes import same_in_another_process

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_dpn.hashzoo_register_methods()}
U = torch.tensor(
    [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]], dtype=torch.float64
)
SINGLE = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
SEVERAL = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]])
CENTERS = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]])


def problem(bits: int = 4, classes: int = 3, n: int = 4) -> Problem:
    return Problem(bits=bits, num_classes=classes, num_train=n, multilabel=True)


def out(u: torch.Tensor) -> HashOutput:
    return HashOutput(u, u, u.detach().sign())


def terms(loss: DPNLoss, u: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    return loss(out(u), Batch({}, labels, torch.arange(len(u))))


def fixture(**options: object) -> DPNLoss:
    loss = DPNLoss(problem(), **options).double()
    loss.targets.copy_(CENTERS)
    loss.filler.copy_(torch.tensor([1.0, -1, 1, -1]))
    return loss


def test_worked_values() -> None:
    loss = fixture()
    each = [terms(loss, U[i : i + 1], SINGLE[i : i + 1])["polarization"].item() for i in range(4)]
    assert each == pytest.approx([3.2, 3.4, 5.9, 5.3])
    assert terms(loss, U, SINGLE)["polarization"].item() == pytest.approx(4.45)
    several = [terms(loss, U[i : i + 1], SEVERAL[i : i + 1])["polarization"].item() for i in range(4)]
    assert several == pytest.approx([4.4, 5.0, 4.3, 0.0])
    assert terms(loss, U, SEVERAL)["polarization"].item() == pytest.approx(4.566667, abs=1e-6)
    majority = terms(fixture(several_labels="majority"), U, SEVERAL)["polarization"]
    assert majority.item() == pytest.approx(2.466667, abs=1e-6)


@pytest.mark.parametrize(
    ("labels", "first", "third"),
    [
        (SINGLE, (-0.25, -0.25, 0, -0.25), (-0.25, 0.25, -0.25, 0.25)),
        (SEVERAL, (-0.666667, 0, 0, 0), (-0.333333, -0.333333, 0.333333, 0.333333)),
    ],
)
def test_worked_gradients(labels: torch.Tensor, first: tuple[float, ...], third: tuple[float, ...]) -> None:
    u = U.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(terms(fixture(), u, labels)["polarization"], u)
    assert gradient[0].tolist() == pytest.approx(first, abs=1e-6)
    assert gradient[2].tolist() == pytest.approx(third, abs=1e-6)


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_equals_a_plain_loop_over_images_classes_and_bits(margin: float) -> None:
    loss = fixture(margin=margin)
    values = []
    for row, present in zip(U.tolist(), SEVERAL.tolist(), strict=True):
        if any(present):
            classes = [c for c, one in enumerate(present) if one]
            pairs = [(u, t) for c in classes for u, t in zip(row, CENTERS[c].tolist(), strict=True)]
            values.append(sum(max(margin - u * t, 0.0) for u, t in pairs))
    assert terms(loss, U, SEVERAL)["polarization"].item() == pytest.approx(sum(values) / len(values))


def test_the_norm_is_a_term_where_it_has_a_weight() -> None:
    assert list(terms(fixture(), U, SINGLE)) == ["polarization"]
    found = terms(fixture(norm_weight=0.5), U, SINGLE)
    assert found["norm"].item() == pytest.approx(0.5 * (U**2).mean().item())


def test_targets_follow_the_codes_every_so_many_epochs() -> None:
    loss = fixture(update_every=2)
    loss.prepare(SimpleNamespace(labels=torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]])), seed=0)
    relaxed = torch.tensor([[0.1, -1, 2, 0.0], [3, -1, -1, 2], [1, -5, -0.5, -7], [-0.2, -1, -1, 0.0]])
    loss.end_epoch(0, out(relaxed))
    assert torch.equal(loss.targets, CENTERS.double())
    loss.end_epoch(1, out(relaxed))
    # by hand: majority of three codes for class 0 (sgn(0) = +1), the one code of class 1, class 2 has no item
    assert loss.targets.tolist() == [[1, -1, -1, 1], [-1, -1, -1, 1], [1, 1, -1, -1]]
    loss.prepare(SimpleNamespace(labels=torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]])), seed=0)
    loss.end_epoch(3, out(torch.tensor([[1.0, 1, -1, -1], [-1, 1, 1, -1], [9, 9, 9, 9], [9, 9, 9, 9]])))
    assert loss.targets[0].tolist() == [1, 1, -1, -1]  # ties keep what they had


def test_the_state_holds_targets_and_labels() -> None:
    torch.manual_seed(0)
    loss, other = DPNLoss(problem(16), update_every=1), DPNLoss(problem(16), update_every=1)
    loss.prepare(SimpleNamespace(labels=SINGLE), seed=0)
    assert not torch.equal(loss.targets, other.targets)
    other.load_state_dict(loss.state_dict())
    assert torch.equal(loss.targets, other.targets)
    assert torch.equal(other.labels, SINGLE)


def test_another_process_with_the_same_seed_has_the_same_targets() -> None:
    assert same_in_another_process(
        "import torch; from hashzoo import Problem; from hashzoo_dpn.losses import DPNLoss; torch.manual_seed(3); "
        "print([DPNLoss(Problem(32, 10, 100), targets=kind).targets.tolist() for kind in ('bernoulli', 'distant')])"
    )


def test_distant_targets_are_far_apart() -> None:
    torch.manual_seed(0)
    assert center_distances(DPNLoss(problem(64, 20), targets="distant").targets)[0] >= 28


def test_layer_has_no_bias() -> None:
    torch.manual_seed(0)
    layer = DPNHashLayer(400, problem(64))
    assert layer.linear.bias is None
    assert layer.linear.weight.std().item() == pytest.approx(0.01, rel=0.05)
    relaxed, codes = layer(torch.randn(5, 400))
    assert torch.equal(codes, torch.where(relaxed >= 0, 1.0, -1.0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_odd_outputs_stay_finite(dtype: torch.dtype, value: float) -> None:
    u = torch.full((4, 64), value, dtype=dtype, requires_grad=True)
    for labels in (SEVERAL, torch.zeros(4, 3)):
        total = sum(terms(DPNLoss(problem(64), norm_weight=1e-3), u, labels).values())
        (gradient,) = torch.autograd.grad(total, u)
        assert total.dtype == torch.float32
        assert torch.isfinite(total)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "options",
    [
        {"margin": 0.0},
        {"norm_weight": -1.0},
        {"update_every": -1},
        {"update_every": 1.5},
        {"targets": "far"},
        {"several_labels": "first"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"above 0|at least 0|Known"):
        DPNLoss(problem(), **options)
    with pytest.raises(UsageError, match="std"):
        DPNHashLayer(6, problem(), std=-1.0)


def test_recipe_is_the_authors_codes() -> None:
    recipe = METHODS["dpn"].recipe
    assert (recipe.optimizer, recipe.lr, recipe.momentum, recipe.weight_decay) == ("sgd", 1e-4, 0.9, 5e-4)
    assert (recipe.epochs, recipe.batch_size, recipe.schedule.every, recipe.schedule.gamma) == (200, 256, 100, 0.1)
    assert METHODS["dpn-a"].options["loss"]["update_every"] == 10
