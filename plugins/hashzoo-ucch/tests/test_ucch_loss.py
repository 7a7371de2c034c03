"""UCCH's loss and hash layer against worked values, a plain loop and invariants."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hashzoo_ucch.hash_layers import UnitTanh
from hashzoo_ucch.losses import UCCHLoss
from torch.nn import functional as F

from hashzoo import Batch, HashOutput, Problem, UsageError

U = torch.tensor([[0.5, -0.2], [0.1, 0.8], [-0.6, 0.3], [-0.4, -0.7]], dtype=torch.float64)
G = torch.tensor([[0.4, -0.1], [-0.2, 0.9], [-0.5, -0.3], [0.6, -0.6]], dtype=torch.float64)
MEMORY = torch.tensor([[0.6, 0.8], [-0.8, 0.6], [0.3, -0.9], [-0.7, -0.2], [0.9, 0.1], [0.2, 0.7]], dtype=torch.float64)
CHOSEN = torch.tensor([[0, 2, 4], [1, 3, 5], [2, 0, 1], [3, 4, 2]])
PROBLEM = Problem(2, 2, 6, modalities=("image", "text"))
HU, HG = F.normalize(U), F.normalize(G)


def outputs(u: torch.Tensor = U, g: torch.Tensor = G) -> dict[str, HashOutput]:
    return {role: HashOutput(z, z, torch.where(z >= 0, 1.0, -1.0)) for role, z in (("image", u), ("text", g))}


def batch(n: int = 4) -> Batch:
    return Batch({}, torch.full((n, 2), float("nan")), torch.arange(n))


def trained(**options: Any) -> UCCHLoss:
    loss = UCCHLoss(PROBLEM, **options).double()
    loss.memory.copy_(MEMORY)
    loss.start_epoch(5, 20)
    return loss


def test_contrast_by_hand() -> None:
    loss = trained(negatives=2)
    keys = torch.where(MEMORY >= 0, 1.0, -1.0).double() / math.sqrt(2)
    logits = (HU @ keys.T / 0.9).gather(1, CHOSEN)
    expected = [
        [0.437688, 1.021272, 0.437688],
        [0.682156, -0.877058, 0.877058],
        [-1.054093, -0.351364, 1.054093],
        [1.071960, -1.071960, 0.292353],
    ]
    assert logits.flatten().tolist() == pytest.approx([v for row in expected for v in row], abs=1e-6)
    assert loss.contrast(HU, keys, CHOSEN).item() == pytest.approx(1.273598, abs=1e-6)
    assert loss.contrast(HG, keys, CHOSEN).item() == pytest.approx(1.166434, abs=1e-6)


def test_ranking_and_total_by_hand() -> None:
    loss = trained()
    assert loss.ranking(HU @ HG.T).item() == pytest.approx(2.194827, abs=1e-6)
    total = 0.7 * (1.273598 + 1.166434) + 0.3 * 2.194827
    assert total == pytest.approx(2.366470, abs=1e-6)


def test_terms_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randint", lambda *size, **options: CHOSEN[:, 1:])
    terms = trained(negatives=2)(outputs(), batch())
    assert terms["contrast"].item() == pytest.approx(0.7 * (1.273598 + 1.166434), abs=1e-6)
    assert terms["ranking"].item() == pytest.approx(0.3 * 2.194827, abs=1e-6)


def test_memory_by_hand_and_by_the_paper() -> None:
    released = trained(update="released")
    released(outputs(), batch())
    expected = [[0.986345, 0.164694], [-0.383266, 0.923638], [-0.781362, -0.624078], [-0.284678, -0.958623]]
    assert released.memory[:4].flatten().tolist() == pytest.approx([v for row in expected for v in row], abs=1e-6)
    assert torch.equal(released.memory[4:], MEMORY[4:])
    paper = trained()
    paper(outputs(), batch())
    for i in range(4):
        row = 0.4 * MEMORY[i] + 0.6 * 0.5 * (HU[i] + HG[i])
        assert paper.memory[i].tolist() == pytest.approx(row.tolist(), abs=1e-9)
    still = trained().eval()
    once, twice = still(outputs(), batch()), still(outputs(), batch())
    assert torch.equal(once["contrast"], twice["contrast"])  # nothing is drawn
    assert torch.equal(still.memory, MEMORY)


def test_evaluation_takes_the_expectation_of_what_training_draws() -> None:
    torch.manual_seed(0)
    drawn = trained(negatives=200_000)(outputs(), batch())["contrast"].item()
    assert trained(negatives=200_000).eval()(outputs(), batch())["contrast"].item() == pytest.approx(drawn, rel=1e-3)


def test_a_loss_read_back_knows_whether_it_is_warm() -> None:
    loss, fresh = trained(), UCCHLoss(PROBLEM).double()
    fresh.load_state_dict(loss.state_dict())
    assert fresh.eval()(outputs(), batch())["contrast"].item() == pytest.approx(
        loss.eval()(outputs(), batch())["contrast"].item(), rel=1e-12
    )


def test_warm_up_against_a_plain_loop() -> None:
    loss = trained(update="released")
    loss.start_epoch(0, 20)
    terms = loss(outputs(), batch())
    mean = 0.5 * (HU + HG)
    keys = torch.where(mean >= 0, 1.0, -1.0).double() / math.sqrt(2)
    total = 0.0
    for h in (HU, HG):
        for i in range(4):
            own = math.exp((h[i] @ keys[i]).item() / 0.9)
            total -= math.log(own / sum(math.exp((h[i] @ keys[j]).item() / 0.9) for j in range(4))) / 4
    assert terms["contrast"].item() == pytest.approx(0.7 * total, rel=1e-9)
    assert torch.allclose(loss.memory[:4], F.normalize(mean))  # overwritten
    assert bool(UCCHLoss(PROBLEM).warm)
    assert not bool(UCCHLoss(PROBLEM, warmup=0).warm)


def test_ranking_against_a_plain_loop_and_its_bounds() -> None:
    draw = torch.Generator().manual_seed(0)
    products = 2.0 * torch.rand(5, 5, generator=draw).double() - 1.0
    for margin, shift in ((0.2, 0.1), (0.5, 1.0), (0.2, 0.0)):
        loss = UCCHLoss(PROBLEM, margin=margin, shift=shift)
        total = 0.0
        for m in (products, products.T):
            for i in range(5):
                s = [m[i, j] - (shift if m[i, i] - m[i, j] > margin else 0.0) for j in range(5)]
                total += (margin - m[i, i] + math.log(sum(math.exp(v) for v in s))).item() / 5
        assert loss.ranking(products).item() == pytest.approx(total, rel=1e-9)
        assert loss.ranking(products.T).item() == pytest.approx(total, rel=1e-9)
    entropy = F.cross_entropy(products, torch.arange(5)) + F.cross_entropy(products.T, torch.arange(5))
    assert loss.ranking(products).item() == pytest.approx(2 * 0.2 + entropy.item(), rel=1e-9)  # shift 0


def test_logits_are_bounded_and_large_outputs_stay_finite() -> None:
    for scale in (0.0, 1e30):
        u = (scale * U).float().requires_grad_()
        for epoch in (0, 5):
            loss = UCCHLoss(PROBLEM)
            loss.start_epoch(epoch, 20)
            total = sum(loss(outputs(u, (scale * G).float()), batch()).values())
            (gradient,) = torch.autograd.grad(total, u)
            assert torch.isfinite(gradient).all()


def test_the_memory_is_state() -> None:
    torch.manual_seed(0)
    loss = UCCHLoss(Problem(16, 2, 500, modalities=("image", "text")))
    assert loss.memory.norm(dim=1).tolist() == pytest.approx([1.0] * 500, abs=1e-5)
    assert 0.45 < (loss.memory > 0).float().mean() < 0.55
    assert "memory" in loss.state_dict()


def test_hash_layer() -> None:
    problem = Problem(8, 2, 6, modalities=("image", "text"))
    for layers in (0, 1, 2):
        layer = UnitTanh(3, problem, hidden=16, layers=layers)
        assert sum(isinstance(part, torch.nn.Linear) for part in layer.network) == layers + 1
        relaxed, codes = layer(torch.randn(5, 3))
        assert relaxed.norm(dim=1).tolist() == pytest.approx([1.0] * 5, abs=1e-5)
        assert torch.equal(codes > 0, relaxed >= 0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        UCCHLoss(Problem(2, 2, 6))
    for options in ({"beta": 2.0}, {"tau": 0.0}, {"negatives": 0}, {"margin": -1.0}, {"update": "other"}):
        with pytest.raises(UsageError, match="must be"):
            UCCHLoss(PROBLEM, **options)
    with pytest.raises(UsageError, match="hidden must be"):
        UnitTanh(3, PROBLEM, hidden=0)
