"""DNNH's loss and hash layer against worked values and plain loops."""

from __future__ import annotations

import pytest
import torch

from hashzoo import Batch, HashOutput, Problem, UsageError, build_hash_layer, build_loss

U = [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]]
SINGLE = [[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
SEVERAL = [[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]]


def triplet(F: torch.Tensor, labels: object, **options: object) -> torch.Tensor:
    labels = torch.as_tensor(labels)
    loss = build_loss("dnnh", Problem(F.shape[1], labels.shape[1], 100, multilabel=True), **options)
    z = 2.0 * F - 1.0
    return loss(HashOutput(z, z, z.detach().sign()), Batch({}, labels, torch.arange(len(F))))["triplet"]


@pytest.mark.parametrize(("margin", "value"), [(1.0, 0.2475), (2.0, 1.2475)])
def test_one_triplet_by_hand(margin: float, value: float) -> None:
    F = torch.tensor([[0.9, 0.2, 0.6], [0.8, 0.4, 0.3], [0.1, 0.7, 0.55]], dtype=torch.float64, requires_grad=True)
    # anchors 0 and 1 form one triplet each; the second, |F1 - F0|^2 = .14 and |F1 - F2|^2 = .6425, is by symmetry known
    found = triplet(F, [[1.0, 0], [1, 0], [0, 1]], margin=margin)
    assert found.item() == pytest.approx((value + margin + 0.14 - 0.6425) / 2)
    (gradient,) = torch.autograd.grad(found, F)
    first = torch.tensor([[-1.4, 0.6, 0.5], [-0.2, 0.4, -0.6], [1.6, -1.0, 0.1]], dtype=torch.float64)
    a, p, n = F.detach()[[1, 0, 2]]
    second = torch.stack([2 * (p - a), 2 * (n - p), 2 * (a - n)])
    assert torch.allclose(gradient, (first + second) / 2)


@pytest.mark.parametrize(
    ("labels", "value", "first_row", "third_row"),
    [
        (SINGLE, 0.812861, [-0.027070, -0.067326, -0.025096, 0.098177], [0.071925, -0.036097, 0.071674, -0.071272]),
        (SEVERAL, 0.931490, [-0.048399, -0.011450, -0.039023, 0.076108], [0.002775, -0.048171, -0.001762, 0.040788]),
    ],
)
def test_worked_values_and_gradients(
    labels: object, value: float, first_row: list[float], third_row: list[float]
) -> None:
    u = torch.tensor(U, dtype=torch.float64, requires_grad=True)
    found = triplet(torch.sigmoid(u), labels)
    (gradient,) = torch.autograd.grad(found, u)
    assert found.item() == pytest.approx(value, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx(first_row, abs=1e-6)
    assert gradient[2].tolist() == pytest.approx(third_row, abs=1e-6)


def test_all_triplets_equal_plain_loops() -> None:
    draw = torch.Generator().manual_seed(4)
    F = torch.rand(9, 5, generator=draw, dtype=torch.float64).requires_grad_()
    labels = (torch.rand(9, 4, generator=draw) < 0.35).float()
    labels[1] = 0.0
    s, hinges = labels @ labels.T > 0, []
    for i in range(9):
        for p in range(9):
            for n in range(9):
                if p != i and s[i, p] and n != i and not s[i, n]:
                    d = ((F[i] - F[p]) ** 2).sum() - ((F[i] - F[n]) ** 2).sum()
                    hinges.append((0.6 + d).clamp_min(0.0))
    expected, found = sum(hinges) / len(hinges), triplet(F, labels, margin=0.6)
    assert 0 < sum(h.item() == 0 for h in hinges) < len(hinges)
    assert found.item() == pytest.approx(expected.item())
    assert torch.allclose(torch.autograd.grad(found, F)[0], torch.autograd.grad(expected, F)[0])


def test_distances_that_are_equal_are_counted_as_in_plain_loops() -> None:
    """A hinge of exactly 0 does not count: it has no gradient."""
    F = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 1.0], [1.0, 0.5], [0.5, 0.5], [0.5, 0.0]], requires_grad=True)
    labels = torch.eye(2)[torch.tensor([0, 0, 0, 1, 1, 1])]
    triplets = [
        (i, p, n) for i in range(6) for p in range(6) for n in range(6) if p != i and p // 3 == i // 3 != n // 3
    ]
    hinges = [(1.0 + ((F[i] - F[p]) ** 2).sum() - ((F[i] - F[n]) ** 2).sum()).relu() for i, p, n in triplets]
    expected, found = sum(hinges) / len(hinges), triplet(F, labels, margin=1.0)
    assert sum(h.item() == 0 for h in hinges) > 0
    assert found.item() == expected.item()
    assert torch.allclose(torch.autograd.grad(found, F)[0], torch.autograd.grad(expected, F)[0])


def test_many_drawn_triplets_have_the_mean_over_anchors() -> None:
    draw = torch.Generator().manual_seed(4)
    F = torch.rand(8, 5, generator=draw, dtype=torch.float64)
    labels = torch.eye(4)[torch.arange(8) % 4]  # every anchor has one positive and six negatives
    torch.manual_seed(0)
    assert triplet(F, labels, per_anchor=20000).item() == pytest.approx(triplet(F, labels).item(), abs=0.01)
    assert triplet(F, torch.eye(8), per_anchor=5).item() == 0.0


def test_extreme_outputs_and_batches_without_triplets_stay_finite() -> None:
    for size in (1e4, 0.0):
        for labels in (torch.ones(3, 1), torch.eye(3), torch.zeros(3, 2), torch.tensor([[1.0, 0], [1, 0], [0, 1]])):
            F = torch.full((3, 4), size)
            F[1] *= -1
            F.requires_grad_()
            found = triplet(F, labels)
            (gradient,) = torch.autograd.grad(found, F)
            assert torch.isfinite(found)
            assert torch.isfinite(gradient).all()


def test_a_bit_sees_its_own_slice_alone() -> None:
    torch.manual_seed(0)
    layer = build_hash_layer("dnnh", 12, Problem(4, 2, 10), width=0)
    x = torch.randn(5, 12)
    before = layer(x)[0]
    expected = torch.sigmoid(torch.stack([x[:, 3 * k : 3 * k + 3] @ layer.weight[k] for k in range(4)], dim=1))
    assert torch.allclose(before, 2.0 * expected - 1.0, atol=1e-6)
    x[:, 3:6] += 1.0
    changed = (layer(x)[0] != before).all(dim=0).tolist()
    assert changed == [False, True, False, False]


def test_the_layer_with_its_linear_part_equals_a_loop() -> None:
    layer = build_hash_layer("dnnh", 7, Problem(4, 2, 10))
    with torch.no_grad():
        layer.bias.normal_()
    x = torch.randn(6, 7)
    h = layer.divide(x)
    assert h.shape == (6, 200)
    for k in range(4):
        logit = h[:, 50 * k : 50 * k + 50] @ layer.weight[k] + layer.bias[k]
        assert torch.allclose(layer(x)[0][:, k], 2.0 * torch.sigmoid(logit) - 1.0, atol=1e-6)


def test_the_threshold_is_piecewise_and_has_no_gradient_outside() -> None:
    layer = build_hash_layer("dnnh", 1, Problem(1, 2, 10), width=0, epsilon=0.1)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    s = torch.tensor([0.3, 0.45, 0.5, 0.58, 0.7], dtype=torch.float64)
    x = torch.logit(s).float()[:, None].requires_grad_()
    relaxed, codes = layer(x)
    assert ((relaxed[:, 0] + 1) / 2).tolist() == pytest.approx([0.0, 0.45, 0.5, 0.58, 1.0], abs=1e-6)
    assert codes[:, 0].tolist() == [-1.0, -1.0, 1.0, 1.0, 1.0]
    (slope,) = torch.autograd.grad(relaxed.sum(), x)
    assert [bool(v) for v in slope[:, 0]] == [False, True, True, True, False]


def test_options_that_make_no_sense_are_refused() -> None:
    for options in ({"margin": 0.0}, {"per_anchor": -1}):
        with pytest.raises(UsageError):
            build_loss("dnnh", Problem(4, 3, 10), **options)
    for options in ({"width": 0}, {"width": -1}, {"epsilon": 0.6}):
        with pytest.raises(UsageError):
            build_hash_layer("dnnh", 10, Problem(4, 3, 10), **options)
