"""DJSRH's loss and hash layer against worked values, a plain loop and invariances."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hashzoo_djsrh.hash_layers import GrowingTanh
from hashzoo_djsrh.losses import DJSRHLoss

from hashzoo import Batch, HashOutput, Problem, UsageError

U = torch.tensor([[0.5, -0.2], [0.1, 0.8], [-0.6, 0.3], [-0.4, -0.7]], dtype=torch.float64)
G = torch.tensor([[0.4, -0.1], [-0.2, 0.9], [-0.5, -0.3], [0.6, -0.6]], dtype=torch.float64)
X = torch.tensor([[2, 0, 1], [1, 1, 0], [0, 2, 1], [3, 1, 2]], dtype=torch.float64)
T = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0]], dtype=torch.float64)
PROBLEM = Problem(2, 2, 4, modalities=("image", "text"))


def outputs(u: torch.Tensor = U, g: torch.Tensor = G) -> dict[str, HashOutput]:
    return {role: HashOutput(z, z, torch.where(z >= 0, 1.0, -1.0)) for role, z in (("image", u), ("text", g))}


def batch(x: torch.Tensor = X, t: torch.Tensor = T) -> Batch:
    return Batch({"image": x, "text": t}, torch.full((len(x), 2), float("nan")), torch.arange(len(x)))


def test_affinity_by_hand() -> None:
    target = DJSRHLoss(PROBLEM).affinity((X, T))
    expected = [
        [1.231566, 0.324201, -0.776033, 1.066403],
        [0.324201, 1.108088, 0.302420, 0.627507],
        [-0.776033, 0.302420, 1.126103, -0.229051],
        [1.066403, 0.627507, -0.229051, 1.202330],
    ]
    assert target.flatten().tolist() == pytest.approx([v for row in expected for v in row], abs=1e-6)
    first = DJSRHLoss(PROBLEM, beta=1.0, eta=0.0, mu=1.0).affinity((X, T))
    assert first[0].tolist() == pytest.approx([1, 0.264911, -0.6, 0.912366], abs=1e-6)
    second = DJSRHLoss(PROBLEM, beta=0.0, eta=0.0, mu=1.0).affinity((X, T))
    assert second[2].tolist() == pytest.approx([-1, 0.414214, 1, -1], abs=1e-6)


def test_terms_by_hand() -> None:
    terms = DJSRHLoss(PROBLEM)(outputs(), batch())
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(
        {"within_0": 0.0547565, "across": 0.642170, "within_1": 0.0406474}, abs=1e-6
    )
    assert sum(value.item() for value in terms.values()) == pytest.approx(0.737574, abs=1e-6)


def test_terms_against_a_plain_loop() -> None:
    draw = torch.Generator().manual_seed(0)
    n = 7
    x, t = torch.rand(n, 5, generator=draw).double(), (torch.rand(n, 4, generator=draw) < 0.5).double()
    u, g = torch.randn(n, 3, generator=draw).double(), torch.randn(n, 3, generator=draw).double()
    t[2] = 0.0  # a text without words: its affinity is -1 to everything, itself included

    def cos(a: torch.Tensor, b: torch.Tensor) -> float:
        length = a.norm().item() * b.norm().item()
        return 0.0 if length == 0 else (a @ b).item() / length

    joint = [[0.6 * (2 * cos(x[i], x[j]) - 1) + 0.4 * (2 * cos(t[i], t[j]) - 1) for j in range(n)] for i in range(n)]
    target = [
        [1.2 * (0.7 * joint[i][j] + 0.3 * sum(joint[i][k] * joint[j][k] for k in range(n)) / n) for j in range(n)]
        for i in range(n)
    ]
    loss = DJSRHLoss(PROBLEM, beta=0.6, eta=0.3, mu=1.2, lambda1=0.5, lambda2=2.0)
    terms = loss(outputs(u, g), batch(x, t))
    for name, weight, a, b in (("within_0", 0.5, u, u), ("across", 1.0, u, g), ("within_1", 2.0, g, g)):
        squares = [(cos(a[i], b[j]) - target[i][j]) ** 2 for i in range(n) for j in range(n)]
        assert terms[name].item() == pytest.approx(weight * sum(squares) / n**2, rel=1e-9)


def test_length_and_a_common_rotation_do_not_matter() -> None:
    before = DJSRHLoss(PROBLEM)(outputs(), batch())
    turn = torch.tensor([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]]).double()
    after = DJSRHLoss(PROBLEM)(outputs(3.0 * U @ turn, 0.5 * G @ turn), batch())
    for name, value in before.items():
        assert after[name].item() == pytest.approx(value.item(), rel=1e-9)


def test_images_are_compared_by_the_features_before_training() -> None:
    draw = torch.Generator().manual_seed(1)
    images, features = torch.zeros(4, 8, 8, 3, dtype=torch.uint8), torch.rand(4, 5, generator=draw)
    table = {"image": images, "text": T.float()}
    data: Any = SimpleNamespace(inputs=lambda role, index: table[role][index], features=lambda role: features)
    loss = DJSRHLoss(PROBLEM)
    by_output = loss(outputs(), batch(images, T))["across"].item()  # nothing kept yet: the outputs' own features
    loss.prepare(data, 0)
    assert loss.reference_1.shape == (4, 0)
    kept = loss(outputs(), batch(images, T))
    assert kept["across"].item() != by_output
    vectors = loss(outputs(), batch(features, T))
    assert kept["across"].item() == pytest.approx(vectors["across"].item(), rel=1e-6)
    resumed = DJSRHLoss(PROBLEM)
    resumed.load_state_dict(loss.state_dict())
    assert torch.equal(resumed.reference_0, features)
    rows = Batch({"image": images[[2, 0]], "text": T[[2, 0]]}, torch.zeros(2, 2), torch.tensor([2, 0]))
    chosen = {role: HashOutput(o.features[[2, 0]], o.relaxed[[2, 0]], o.codes[[2, 0]]) for role, o in outputs().items()}
    direct = Batch({"image": features[[2, 0]], "text": T[[2, 0]]}, rows.labels, rows.index)
    assert resumed(chosen, rows)["across"].item() == pytest.approx(loss(chosen, direct)["across"].item(), rel=1e-6)


def test_the_target_has_no_gradient() -> None:
    features = X.clone().requires_grad_()
    u = U.clone().requires_grad_()
    total = sum(DJSRHLoss(PROBLEM)(outputs(u), batch(features)).values())
    torch.autograd.backward(total)
    assert features.grad is None
    assert u.grad is not None


def test_slope_of_the_hash_layer() -> None:
    layer = GrowingTanh(3, PROBLEM)
    x = X.float()
    codes = layer(x)[1]
    for epoch, slope in ((0, 1.0), (3, 2.0), (79, math.sqrt(80))):
        layer.start_epoch(epoch, 80)
        relaxed, now = layer(x)
        assert torch.allclose(relaxed, torch.tanh(slope * layer.linear(x)), atol=1e-6)
        assert torch.equal(now, codes)
    assert layer.state_dict()["slope"].item() == pytest.approx(math.sqrt(80))
    plain = GrowingTanh(3, PROBLEM, growth="none")
    plain.start_epoch(50, 80)
    assert plain.slope.item() == 1.0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        DJSRHLoss(Problem(2, 2, 4))
    for options in ({"beta": 1.5}, {"eta": -0.1}, {"mu": -1.0}, {"lambda1": -1.0}):
        with pytest.raises(UsageError, match="must be a number of"):
            DJSRHLoss(PROBLEM, **options)
    with pytest.raises(UsageError, match="growth must be"):
        GrowingTanh(3, PROBLEM, growth="linear")
