"""ADSH's losses against worked values, the objective itself and single bits."""

from __future__ import annotations

from types import SimpleNamespace

import hashzoo_adsh.losses
import pytest
import torch

from hashzoo import Batch, HashOutput, Problem, UsageError, build_loss

U = [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]]
SINGLE = [[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]
SEVERAL = [[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
V = "+-+- +++- -+-+ +--+ --++ +-++"


def signs(text: str) -> torch.Tensor:
    return torch.tensor([[1 if c == "+" else -1 for c in word] for word in text.split()], dtype=torch.int8)


def watching(labels: object, rows: list[int], **options: object) -> torch.nn.Module:
    labels = torch.as_tensor(labels, dtype=torch.float64)
    loss = build_loss("adsh", Problem(4, labels.shape[1], 2, multilabel=True), gamma=2.0, **options).double()
    loss.watch(labels, 0)
    loss.last.double()
    loss.choose(torch.tensor(rows))
    return loss


def total(loss: torch.nn.Module, u: torch.Tensor, rows: list[int]) -> torch.Tensor:
    index = torch.tensor(rows)
    found = loss(HashOutput(u, u, u.sign()), Batch({}, loss.last.labels[index].clone(), index))
    return sum(found.values())


def objective(u: torch.Tensor, codes: torch.Tensor, labels: torch.Tensor, rows: list[int], r: float, gamma: float):
    value, K = 0.0, u.shape[1]
    for a, i in enumerate(rows):
        for j in range(len(codes)):
            shared = any(x == y == 1 for x, y in zip(labels[i].tolist(), labels[j].tolist(), strict=True))
            value += ((u[a] @ codes[j].double()).item() - K * (1.0 if shared else -r)) ** 2
        value += gamma * ((codes[i].double() - u[a]) ** 2).sum().item()
    return value


def test_worked_value_and_gradient() -> None:
    loss = watching(SINGLE, [0, 2])
    loss.codes.copy_(signs(V))
    z = torch.tensor(U, dtype=torch.float64)[[0, 2]].requires_grad_()
    found = total(loss, torch.tanh(z), [0, 2])
    (gradient,) = torch.autograd.grad(found, z)
    assert loss.ratio.item() == 0.5
    assert found.item() == pytest.approx(4.566825, abs=1e-6)  # 54.801898 / 12
    assert gradient[0].tolist() == pytest.approx([-0.110544, -0.992666, -0.008576, 1.360076], abs=1e-6)
    assert gradient[1].tolist() == pytest.approx([1.156951, -0.101995, 0.220762, -0.917105], abs=1e-6)


@pytest.mark.parametrize(("start", "last"), [(V, 30.642931), (None, 31.347926)])
def test_worked_update(start: str | None, last: float) -> None:
    loss, u = watching(SINGLE, [0, 2]), torch.tanh(torch.tensor(U, dtype=torch.float64)[[0, 2]])
    if start is not None:
        loss.codes.copy_(signs(start))
    loss.update(u, torch.tensor([0, 2]))
    if start is not None:
        assert torch.equal(loss.codes, signs("+-+- +-+- -+-+ +--+ -+-+ ----"))
    assert loss.codes.abs().eq(1).all()
    assert 12 * total(loss, u, [0, 2]).item() == pytest.approx(last, abs=1e-6)


def test_worked_value_of_several_labels() -> None:
    loss, u = watching(SEVERAL, [0, 1]), torch.tanh(torch.tensor(U, dtype=torch.float64)[:2])
    loss.codes.copy_(signs(V))
    assert loss.ratio.item() == 2.0
    assert 12 * total(loss, u, [0, 1]).item() == pytest.approx(328.218423, abs=1e-6)


def random_case(seed: int, several: bool = True) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.eye(4)[torch.randint(0, 4, (25,), generator=draw)]
    if several:
        labels[torch.rand(25, 4, generator=draw) < 0.2] = 1.0
        labels[3] = 0.0
    rows = torch.randperm(25, generator=draw)[:9].tolist()
    return torch.tanh(torch.randn(9, 4, generator=draw, dtype=torch.float64)), labels, rows


@pytest.mark.parametrize("block", [1, 60, 10**6])
@pytest.mark.parametrize("seed", range(5))
def test_updates_lower_the_objective_and_leave_no_bit_of_the_last_column_to_flip(
    seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashzoo_adsh.losses, "BLOCK", block)
    u, labels, rows = random_case(seed, several=seed % 2 == 0)
    loss = watching(labels, rows, start="random")
    r = loss.ratio.item()
    shared = labels[rows] @ labels.T > 0
    assert r == pytest.approx(shared.sum().item() / (~shared).sum().item())
    value = objective(u, loss.codes, labels, rows, r, 2.0)
    assert 9 * 25 * total(loss, u, rows).item() == pytest.approx(value)
    for _ in range(4):
        loss.update(u, torch.tensor(rows))
        after = objective(u, loss.codes, labels, rows, r, 2.0)
        assert after <= value + 1e-9
        value = after
        for j in range(25):
            flipped = loss.codes.clone()
            flipped[j, 3] *= -1
            assert objective(u, flipped, labels, rows, r, 2.0) >= value - 1e-9


def test_a_database_of_one_class_has_no_dissimilar_pair_and_a_ratio_of_0() -> None:
    loss = watching(torch.ones(5, 1), [0, 1])
    assert loss.ratio.item() == 0.0
    u = torch.tensor(U, dtype=torch.float64)[:2].requires_grad_()
    found = total(loss, torch.tanh(u), [0, 1])
    assert torch.isfinite(torch.autograd.grad(found, u)[0]).all()
    nothing = watching(torch.zeros(5, 2), [0, 1])
    assert nothing.ratio.item() == 0.0


def test_the_released_codes_q_takes_signs() -> None:
    u, labels, rows = random_case(0)
    exact, released = watching(labels, rows), watching(labels, rows, q_uses="codes")
    for loss in (exact, released):
        loss.update(u, torch.tensor(rows))
    B, s = torch.where(u >= 0, 1.0, -1.0).double(), (labels @ labels[rows].T > 0).double()
    r = released.ratio.item()
    S = s - r * (1.0 - s)
    Q = -2.0 * 4 * S @ B
    Q[rows] -= 2.0 * 2.0 * u
    V = torch.zeros(25, 4, dtype=torch.float64)
    for k in range(4):
        rest = [m for m in range(4) if m != k]
        V[:, k] = -torch.sign(2.0 * V[:, rest] @ (u[:, rest].T @ u[:, k]) + Q[:, k])
    assert torch.equal(released.codes.double(), torch.where(V == 0, 1.0, V))
    assert not torch.equal(released.codes, exact.codes)


def test_the_inductive_loss_takes_the_train_split_as_its_database() -> None:
    u, labels, _ = random_case(1)
    labels = labels[:9]
    loss = build_loss("adsh-inductive", Problem(4, 4, 9, multilabel=True), gamma=2.0).double()
    loss.prepare(SimpleNamespace(labels=labels.double()), 0)
    loss.last.double()
    r = loss.ratio.item()
    loss.end_epoch(0, HashOutput(u, u, u.sign()))
    first = objective(u, loss.codes, labels, list(range(9)), r, 2.0)
    loss.end_epoch(1, HashOutput(u, u, u.sign()))
    assert objective(u, loss.codes, labels, list(range(9)), r, 2.0) <= first + 1e-9
    assert 81 * total(loss, u, list(range(9))).item() <= first + 1e-9
    fresh = build_loss("adsh-inductive", Problem(4, 4, 9, multilabel=True), gamma=2.0).double()
    fresh.load_state_dict(loss.state_dict())
    assert torch.equal(fresh.codes, loss.codes)


@pytest.mark.parametrize("options", [{"gamma": -1.0}, {"start": "ones"}, {"q_uses": "both"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        build_loss("adsh", Problem(4, 3, 10), **options)
