"""DCHMT's loss and hash layer against worked values, the 2 K probabilities themselves and a plain loop."""

from __future__ import annotations

import math

import pytest
import torch
from hashzoo_dchmt.hash_layers import BitChoice
from hashzoo_dchmt.losses import DCHMTLoss, half_squares

from hashzoo import Batch, HashOutput, Problem, UsageError

U = torch.tensor([[0.5, -0.2], [0.1, 0.8], [-0.6, 0.3], [-0.4, -0.7]], dtype=torch.float64)
G = torch.tensor([[0.4, -0.1], [-0.2, 0.9], [-0.5, -0.3], [0.6, -0.6]], dtype=torch.float64)
Y = torch.tensor([[1, 0], [0, 1], [1, 1], [1, 0]], dtype=torch.float64)
PROBLEM = Problem(2, 2, 4, multilabel=True, modalities=("image", "text"))


def terms(u: torch.Tensor, g: torch.Tensor, labels: torch.Tensor, **options: float) -> dict[str, float]:
    output = {role: HashOutput(z, z, z) for role, z in (("image", u), ("text", g))}
    problem = Problem(u.shape[1], labels.shape[1], 4, modalities=("image", "text"))
    found = DCHMTLoss(problem, **options)(output, Batch({}, labels, torch.arange(len(u))))
    return {name: value.item() for name, value in found.items()}


def test_by_hand() -> None:
    distances = half_squares(U, G).sqrt()
    assert distances[0].tolist() == pytest.approx([0.1, 0.921954, 0.710634, 0.291548], abs=1e-6)
    assert distances[3].tolist() == pytest.approx([0.707107, 1.140175, 0.291548, 0.710634], abs=1e-6)
    found = terms(U, G, Y)
    assert found["pull"] == pytest.approx(0.292188 + 0.268750 + 0.248125, abs=2e-6)
    assert found["push"] == pytest.approx(0.062615 + 0.064207 + 0.049077, abs=2e-6)
    assert sum(found.values()) == pytest.approx(0.984962, abs=2e-6)


def test_distances_are_those_of_the_probabilities() -> None:
    pairs = [torch.stack([(1 - z) / 2, (1 + z) / 2], dim=2).flatten(1) for z in (U, G)]
    assert torch.allclose(half_squares(U, G).sqrt(), torch.cdist(*pairs))
    codes = torch.where(U >= 0, 1.0, -1.0), torch.where(G >= 0, 1.0, -1.0)
    hamming = (codes[0][:, None] != codes[1][None, :]).sum(2).float()
    assert torch.equal(half_squares(*codes), 2 * hamming)


def test_against_a_plain_loop() -> None:
    draw = torch.Generator().manual_seed(0)
    n, bits, theta = 6, 5, 0.3
    u, g = (2 * torch.rand(n, bits, generator=draw, dtype=torch.float64) - 1 for _ in range(2))
    y = (torch.rand(n, 3, generator=draw) < 0.4).double()
    y[1] = 0.0  # without labels: similar to nothing, not even to itself
    pull = push = 0.0
    for a, b in ((u, g), (u, u), (g, g)):
        for i in range(n):
            for j in range(n):
                d2 = 0.5 * sum((a[i, k] - b[j, k]).item() ** 2 for k in range(bits))
                if (y[i] @ y[j]).item() > 0:
                    pull += d2 / n**2
                else:
                    margin = math.sqrt(2 * bits * theta)
                    push += (margin - min(math.sqrt(d2), margin)) ** 2 / n**2
    assert terms(u, g, y, theta=theta) == pytest.approx({"pull": pull, "push": push}, abs=1e-5)


def test_equal_outputs_have_finite_gradients() -> None:
    u = torch.zeros(3, 4, requires_grad=True)
    output = {role: HashOutput(u, u, u) for role in ("image", "text")}
    problem = Problem(4, 3, 3, modalities=("image", "text"))
    for labels in (torch.eye(3), torch.zeros(3, 3), torch.ones(3, 3)):
        total = sum(DCHMTLoss(problem)(output, Batch({}, labels, torch.arange(3))).values())
        (gradient,) = torch.autograd.grad(total, u)
        assert torch.isfinite(gradient).all()


def test_hash_layer_is_the_softmax_of_pairs() -> None:
    layer, x = BitChoice(6, PROBLEM, hidden=16), torch.randn(5, 6)
    relaxed, codes = layer(x)
    scores = layer.choice(torch.relu(layer.hidden(x)))
    for bit in range(2):
        chances = scores[:, 2 * bit : 2 * bit + 2].softmax(1)
        assert torch.allclose(relaxed[:, bit], chances[:, 1] - chances[:, 0], atol=1e-6)
        assert torch.equal(codes[:, bit] > 0, chances[:, 1] >= chances[:, 0])
    assert layer.choice.weight.abs().max() <= math.sqrt(3.0)
    assert not layer.choice.bias.any()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        DCHMTLoss(Problem(2, 2, 4))
    with pytest.raises(UsageError, match="theta must be"):
        DCHMTLoss(PROBLEM, theta=0.0)
    with pytest.raises(UsageError, match="hidden must be"):
        BitChoice(3, PROBLEM, hidden=0)
