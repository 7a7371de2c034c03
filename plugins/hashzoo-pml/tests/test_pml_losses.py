"""The wrapper against the library called by hand, plain loops, and what cannot work."""

from __future__ import annotations

import math
from pathlib import Path

import hashzoo_pml
import pytest
import torch
from hashzoo_pml.losses import BY_PAIRS, NOT_HERE, PMLLoss, library, loss_class, options_of

from hashzoo import Batch, HashOutput, Problem, UsageError

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
METHODS = {method.name: method for method in hashzoo_pml.hashzoo_register_methods()}
# what the library itself warns of
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning"),
    pytest.mark.filterwarnings("ignore:Values of Tp or Tn are too high:UserWarning"),
]
NEEDED = {"RankedListLoss": {"margin": 0.4, "Tn": 10.0}}
KNOWN = [name for name in vars(library) if name.endswith("Loss") and name not in NOT_HERE]
N, K, C = 24, 8, 4


def problem(several: bool = False) -> Problem:
    return Problem(bits=K, num_classes=C, num_train=N, multilabel=several)


def case() -> tuple[torch.Tensor, torch.Tensor]:
    u = torch.tanh(torch.randn(N, K, generator=torch.Generator().manual_seed(0)))
    return u, torch.eye(C)[torch.arange(N) % C]


def built(name: str, several: bool = False, **options: object) -> PMLLoss:
    torch.manual_seed(1)
    return PMLLoss(name, problem(several), **{**NEEDED.get(name, {}), **options})


def terms(loss: PMLLoss, u: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    return loss(HashOutput(u, u, u), Batch({}, labels, torch.arange(len(u))))


@pytest.mark.parametrize("name", KNOWN)
def test_a_second_step_and_a_batch_without_similar_items_give_finite_gradients(name: str) -> None:
    u, labels = case()
    loss = built(name)
    for rows in (slice(None), slice(0, 12), slice(0, 2)):  # the last: two items of two classes
        here = u[rows].clone().requires_grad_()
        value = terms(loss, here, labels[rows])["metric"]
        assert torch.isfinite(value)
        (gradient,) = torch.autograd.grad(value, here, materialize_grads=True)
        assert torch.isfinite(gradient).all()
    if name == "NCALoss":
        assert not gradient.any(), "a mean over no item is no loss"


def test_a_loss_that_fails_in_its_second_step_is_refused() -> None:
    with pytest.raises(UsageError, match="keeps what it computed for earlier batches"):
        built("DynamicSoftMarginLoss")


@pytest.mark.parametrize("name", KNOWN)
def test_one_label_per_item_is_what_the_library_gives(name: str) -> None:
    u, labels = case()
    u.requires_grad_()
    found = terms(built(name), u, labels)
    assert list(found) == ["metric"]
    torch.manual_seed(1)
    sizes = {"num_classes": C, "embedding_size": K} if "embedding_size" in options_of(loss_class(name)) else {}
    by_hand = getattr(library, name)(**sizes, **NEEDED.get(name, {}))(u, labels.argmax(dim=1))
    assert found["metric"].item() == pytest.approx(by_hand.item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(found["metric"], u)
    assert gradient.any()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", BY_PAIRS)
def test_pairs_give_what_classes_give(name: str) -> None:
    u, labels = case()
    labels[3] = 0.0  # an item without label is similar to nothing
    one, several = (terms(built(name, flag), u, labels)["metric"] for flag in (False, True))
    assert several.item() == pytest.approx(one.item(), rel=1e-5)


def test_several_labels_equal_a_plain_loop() -> None:
    u, _ = case()
    labels = (torch.rand(N, C, generator=torch.Generator().manual_seed(2)) < 0.35).float()
    z = [[v / math.hypot(*row) for v in row] for row in u.tolist()]
    positive, negative = [], []
    for i in range(N):
        for j in range(N):
            if i != j:
                far = math.dist(z[i], z[j])
                side, value = (positive, far - 0.1) if (labels[i] * labels[j]).any() else (negative, 0.9 - far)
                side.append(max(0.0, value))
    expected = sum(sum(side) / max(1, sum(v > 0 for v in side)) for side in (positive, negative))
    found = terms(built("ContrastiveLoss", True, pos_margin=0.1, neg_margin=0.9), u, labels)["metric"]
    assert found.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["ProxyAnchorLoss", "ArcFaceLoss", "CosFaceLoss", "SubCenterArcFaceLoss"])
def test_losses_with_a_weight_per_class_leave_out_what_has_no_label(name: str) -> None:
    u, labels = case()
    labels[:4] = 0.0
    loss = built(name)
    assert sum(p.numel() for p in loss.parameters()) >= C * K
    assert terms(loss, u, labels)["metric"].item() == pytest.approx(terms(loss, u[4:], labels[4:])["metric"].item())
    v = u.clone().requires_grad_()
    nothing = terms(loss, v, torch.zeros(N, C))["metric"]
    (gradient,) = torch.autograd.grad(nothing, v)
    assert nothing.item() == 0.0
    assert not gradient.any()


def test_options_are_the_librarys_and_reach_it() -> None:
    assert options_of(library.TripletMarginLoss)["margin"] == 0.05
    assert built("TripletMarginLoss", margin=0.3).loss.margin == 0.3
    assert "scale" in options_of(library.CosFaceLoss)
    with pytest.raises(UsageError, match="margi"):
        built("TripletMarginLoss", margi=0.3)
    with pytest.raises(UsageError, match="num_classes"):
        built("ProxyAnchorLoss", num_classes=3)
    with pytest.raises(UsageError, match="distance"):
        built("TripletMarginLoss", distance="cosine")
    with pytest.raises(UsageError, match=r"needs a value for 'margin': --set loss\.margin"):
        PMLLoss("RankedListLoss", problem())
    with pytest.raises(UsageError, match="at least 0"):
        built("TripletMarginLoss", quantization_weight=-1.0)


def test_quantization_is_a_term_where_it_has_a_weight() -> None:
    u, labels = case()
    found = terms(built("TripletMarginLoss", quantization_weight=0.5), u, labels)
    assert found["quantization"].item() == pytest.approx(0.5 * ((u.abs() - 1) ** 2).mean().item())


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(UsageError, match="TripletMarginLoss"):
        loss_class("TripletMarginLos")
    for name in NOT_HERE:
        with pytest.raises(UsageError, match="cannot be used here"):
            loss_class(name)
    with pytest.raises(UsageError, match="one label per item, and these data have several"):
        built("ProxyAnchorLoss", True)


@pytest.mark.parametrize("name", ["ContrastiveLoss", "TripletMarginLoss", "MultiSimilarityLoss", "ProxyAnchorLoss"])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e4])
def test_odd_outputs_stay_finite(name: str, value: float) -> None:
    u = torch.full((4, K), value, dtype=torch.bfloat16, requires_grad=True)
    for labels in (torch.eye(C), torch.ones(4, 1) * torch.eye(C)[0], torch.zeros(4, C)):
        total = sum(terms(built(name), u, labels).values())
        (gradient,) = torch.autograd.grad(total, u)
        assert torch.isfinite(total)
        assert torch.isfinite(gradient).all()


def test_methods_name_losses_of_the_family() -> None:
    for name, method in METHODS.items():
        assert f"`{name}`" in README
        assert f"`{method.loss}`" in README
        loss_class(method.loss.removeprefix("pml/"))
    for name in BY_PAIRS:
        assert f"`{name}`" in README
