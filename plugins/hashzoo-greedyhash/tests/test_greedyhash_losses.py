"""GreedyHash's layer and losses: the straight-through gradient, worked values, plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from hashzoo_greedyhash.hash_layers import GreedyHashLayer, StraightThroughSign
from hashzoo_greedyhash.losses import GreedyHashLoss, GreedyHashUnsupervisedLoss
from torch.nn import functional as F

from hashzoo import Batch, HashOutput, Problem, UsageError, build_hash_layer
from hashzoo.losses import label_cross_entropy

Z = [[0.5, -0.5], [0.25, 0.75], [-1.0, 0.5]]


def problem(bits: int, classes: int = 3) -> Problem:
    return Problem(bits=bits, num_classes=classes, num_train=100, multilabel=True)


def output(relaxed: torch.Tensor, features: torch.Tensor | None = None) -> HashOutput:
    return HashOutput(
        features=relaxed if features is None else features,
        relaxed=relaxed,
        codes=StraightThroughSign.apply(relaxed),
    )


def batch(labels: object) -> Batch:
    labels = torch.as_tensor(labels)
    return Batch({}, labels, torch.arange(len(labels)))


def test_the_gradient_of_the_codes_passes_unchanged_everywhere() -> None:
    relaxed = torch.tensor([[-1e6, -3.0, -1.0, -0.2, -0.0], [0.0, 0.2, 1.0, 3.0, 1e6]], requires_grad=True)
    codes = StraightThroughSign.apply(relaxed)
    assert codes.tolist() == [[-1, -1, -1, -1, 1], [1, 1, 1, 1, 1]]
    upstream = torch.arange(10.0).reshape(2, 5) - 4.5
    (gradient,) = torch.autograd.grad(codes, relaxed, upstream)
    assert torch.equal(gradient, upstream)


def test_layer_is_linear_with_signs_as_codes() -> None:
    torch.manual_seed(0)
    layer = GreedyHashLayer(6, problem(8))
    features = torch.randn(5, 6)
    relaxed, codes = layer(features)
    assert torch.allclose(relaxed, features @ layer.linear.weight.T + layer.linear.bias)
    assert torch.equal(codes, torch.where(relaxed >= 0, 1.0, -1.0))
    # d sum(c * B) / dW is what it would be for B = H
    weights = torch.randn(5, 8)
    (got,) = torch.autograd.grad((codes * weights).sum(), layer.linear.weight)
    assert torch.allclose(got, weights.T @ features, atol=1e-6)


def test_worked_value_of_the_quantization() -> None:
    z = torch.tensor(Z, dtype=torch.float64)
    loss = GreedyHashLoss(problem(2), quantization_weight=1.0)
    got = loss(output(z.float()), batch(torch.eye(3)))["quantization"]
    assert got.item() == pytest.approx(0.135416667, abs=1e-7)
    signs = torch.where(z >= 0, 1.0, -1.0)
    assert got.item() == pytest.approx(((z - signs).abs() ** 3).sum().item() / z.numel(), abs=1e-7)


def test_gradient_of_the_quantization() -> None:
    draw = torch.Generator().manual_seed(2)
    h = torch.randn(6, 5, generator=draw, dtype=torch.float64).requires_grad_()
    loss = GreedyHashUnsupervisedLoss(problem(5), quantization_weight=0.1)
    (got,) = torch.autograd.grad(loss(output(h), batch(torch.zeros(6, 3)))["quantization"], h)
    size = h.detach().abs()
    expected = 0.1 * 3.0 * (size - 1.0) ** 2 * (size - 1.0).sign() * h.detach().sign() / h.numel()
    assert torch.allclose(got, expected, atol=1e-12)


def test_with_one_label_the_classification_is_softmax_cross_entropy_of_the_codes() -> None:
    torch.manual_seed(0)
    loss = GreedyHashLoss(problem(8))
    assert loss.classifier.bias is None
    relaxed = torch.randn(6, 8)
    classes = torch.tensor([0, 1, 2, 2, 1, 0])
    got = loss(output(relaxed), batch(F.one_hot(classes, 3).float()))["classification"]
    codes = torch.where(relaxed >= 0, 1.0, -1.0)
    expected = F.cross_entropy(codes @ loss.classifier.weight.T, classes)
    assert got.item() == pytest.approx(expected.item(), rel=1e-6)


def test_with_several_labels_it_is_the_mean_over_the_labels_present() -> None:
    draw = torch.Generator().manual_seed(4)
    logits = torch.randn(5, 4, generator=draw, dtype=torch.float64)
    labels = torch.tensor([[1.0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1], [0, 1, 0, 1]])
    values = []
    for row, present in zip(logits.tolist(), labels.tolist(), strict=True):
        total = math.log(sum(math.exp(v) for v in row))
        own = [total - v for v, y in zip(row, present, strict=True) if y]
        if own:
            values.append(sum(own) / len(own))
    assert len(values) == 4  # the unlabelled image contributes nothing
    assert label_cross_entropy(logits, labels).item() == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_a_batch_without_labels_gives_no_classification_and_no_gradient() -> None:
    relaxed = torch.randn(3, 8, requires_grad=True)
    loss = GreedyHashLoss(problem(8))
    got = loss(output(relaxed), batch(torch.zeros(3, 3)))["classification"]
    (gradient,) = torch.autograd.grad(got, relaxed)
    assert got.item() == 0.0
    assert not gradient.any()


def test_unsupervised_structure_equals_a_plain_loop_over_all_pairs() -> None:
    draw = torch.Generator().manual_seed(6)
    h = torch.randn(5, 8, generator=draw, dtype=torch.float64)
    x = torch.randn(5, 12, generator=draw, dtype=torch.float64).relu()
    total = 0.0
    for i in range(5):
        for j in range(5):
            if i != j:
                bits = sum(1.0 if (a >= 0) == (b >= 0) else -1.0 for a, b in zip(h[i], h[j], strict=True)) / 8
                total += (bits - float(x[i] @ x[j] / (x[i].norm() * x[j].norm()))) ** 2
    got = GreedyHashUnsupervisedLoss(problem(8))(output(h, x), batch(torch.full((5, 3), math.nan)))
    assert got["structure"].item() == pytest.approx(total / 20, rel=1e-9)


def test_centred_features_are_less_the_mean_of_the_batch() -> None:
    draw = torch.Generator().manual_seed(6)
    h = torch.randn(5, 8, generator=draw, dtype=torch.float64)
    x = torch.randn(5, 12, generator=draw, dtype=torch.float64) + 3.0
    labels = batch(torch.full((5, 3), math.nan))
    centred = GreedyHashUnsupervisedLoss(problem(8), center_features=True)(output(h, x), labels)
    by_hand = GreedyHashUnsupervisedLoss(problem(8))(output(h, x - sum(x) / 5), labels)
    assert centred["structure"].item() == pytest.approx(by_hand["structure"].item(), rel=1e-12)
    with pytest.raises(UsageError, match="true or false"):
        GreedyHashUnsupervisedLoss(problem(8), center_features=1)


def test_unsupervised_halves_are_the_released_codes_pairs() -> None:
    draw = torch.Generator().manual_seed(6)
    h = torch.randn(7, 8, generator=draw, dtype=torch.float64)
    x = torch.randn(7, 12, generator=draw, dtype=torch.float64)
    codes = torch.where(h >= 0, 1.0, -1.0).double()
    expected = [
        (float(F.cosine_similarity(codes[i], codes[i + 3], dim=0) - F.cosine_similarity(x[i], x[i + 3], dim=0))) ** 2
        for i in range(3)  # an odd last image has no partner
    ]
    loss = GreedyHashUnsupervisedLoss(problem(8), pairs="halves")
    got = loss(output(h, x), batch(torch.full((7, 3), math.nan)))
    assert got["structure"].item() == pytest.approx(sum(expected) / 3, rel=1e-9)
    one = loss(output(h[:1], x[:1]), batch(torch.full((1, 3), math.nan)))
    assert one["structure"].item() == 0.0


def test_unsupervised_gradient_does_not_reach_the_features() -> None:
    features = torch.randn(6, 12, requires_grad=True)
    relaxed = torch.randn(6, 8, requires_grad=True)
    terms = GreedyHashUnsupervisedLoss(problem(8))(output(relaxed, features), batch(torch.zeros(6, 3)))
    got = torch.autograd.grad(sum(terms.values()), [features, relaxed], allow_unused=True)
    assert got[0] is None
    assert got[1].any()


def test_a_hash_layer_without_gradient_of_the_codes_is_refused() -> None:
    relaxed, codes = build_hash_layer("tanh", 6, problem(8))(torch.randn(4, 6))
    found = HashOutput(features=relaxed, relaxed=relaxed, codes=codes)
    for build in (GreedyHashLoss, GreedyHashUnsupervisedLoss):
        with pytest.raises(UsageError, match="--hash-layer greedyhash"):
            build(problem(8))(found, batch(torch.eye(4)[:, :3]))
    with torch.no_grad():  # nothing is learnt here, so nothing is refused
        GreedyHashLoss(problem(8))(HashOutput(relaxed.detach(), relaxed.detach(), codes), batch(torch.eye(4)[:, :3]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e3])
def test_odd_inputs_stay_finite(dtype: torch.dtype, value: float) -> None:
    relaxed = torch.full((4, 64), value, dtype=dtype, requires_grad=True)
    labels = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]])
    for build in (GreedyHashLoss, GreedyHashUnsupervisedLoss):
        total = sum(build(problem(64))(output(relaxed), batch(labels)).values())
        (gradient,) = torch.autograd.grad(total, relaxed)
        assert total.dtype == torch.float32
        assert torch.isfinite(total)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("options", [{"quantization_weight": -1.0}, {"p": 0.5}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    for build in (GreedyHashLoss, GreedyHashUnsupervisedLoss):
        with pytest.raises(UsageError, match="at least"):
            build(problem(8), **options)
    with pytest.raises(UsageError, match="Known: all, halves"):
        GreedyHashUnsupervisedLoss(problem(8), pairs="some")
