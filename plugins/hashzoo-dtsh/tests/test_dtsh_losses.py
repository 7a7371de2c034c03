"""DTSH's loss against worked values, the naive tensor of all triplets and plain loops."""

from __future__ import annotations

import math
from types import SimpleNamespace

import hashzoo_dtsh.losses
import pytest
import torch
from hashzoo_dtsh.losses import drawn, triplet_slopes

from hashzoo import Batch, HashOutput, Problem, UsageError, build_loss

U = [[0.8, -0.4, 1.2, -0.6], [0.5, 0.3, 0.9, -1.1], [-0.7, 0.6, -0.2, 0.4], [0.1, -0.9, 0.3, 0.2]]
SINGLE = [[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
SEVERAL = [[1.0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]]


def batch_terms(u: torch.Tensor, labels: torch.Tensor, **options: object) -> dict[str, torch.Tensor]:
    problem = Problem(u.shape[1], labels.shape[1], len(u), multilabel=True)
    loss = build_loss("dtsh", problem, triplets="batch", **options)
    return loss(HashOutput(u, u, u.detach().sign()), Batch({}, labels, torch.arange(len(u))))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@pytest.mark.parametrize(
    ("labels", "value", "first_row", "third_row"),
    [
        (SINGLE, 1.181754, [-0.212315, -0.147496, -0.292578, 0.425019], [0.098944, -0.005162, 0.160500, -0.132617]),
        (SEVERAL, 1.704566, [-0.164423, -0.039589, -0.160923, 0.252685], [-0.007179, -0.181121, -0.032796, 0.186097]),
    ],
)
def test_worked_values_and_gradients(
    labels: object, value: float, first_row: list[float], third_row: list[float]
) -> None:
    u = torch.tensor(U, dtype=torch.float64, requires_grad=True)
    found = batch_terms(u, torch.tensor(labels))["triplet"]
    (gradient,) = torch.autograd.grad(found, u)
    assert found.item() == pytest.approx(value, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx(first_row, abs=1e-6)
    assert gradient[2].tolist() == pytest.approx(third_row, abs=1e-6)


def naive(close: torch.Tensor, far: torch.Tensor, valid: tuple[torch.Tensor, torch.Tensor], m: float) -> torch.Tensor:
    """The mean over anchors of their mean, from the whole (N, P, M) tensor by autograd."""
    each = torch.nn.functional.softplus(m - close[:, :, None] + far[:, None, :])
    exists = (valid[0][:, :, None] & valid[1][:, None, :]).to(close.dtype)
    count = exists.sum((1, 2))
    means = (each * exists).sum((1, 2)) / count.clamp_min(1)
    return means.sum() / (count > 0).sum().clamp_min(1)


@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_blocks_equal_the_naive_tensor(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashzoo_dtsh.losses, "BLOCK", block)
    draw = torch.Generator().manual_seed(2)
    close = 4.0 * torch.randn(11, 5, generator=draw, dtype=torch.float64)
    far = 4.0 * torch.randn(11, 7, generator=draw, dtype=torch.float64)
    valid = torch.rand(11, 5, generator=draw) < 0.5, torch.rand(11, 7, generator=draw) < 0.5
    valid[0][3], valid[1][4] = False, False  # anchors without triplets
    leaves = close.clone().requires_grad_(), far.clone().requires_grad_()
    expected = naive(*leaves, valid, 2.0)
    slopes = torch.autograd.grad(expected, leaves)
    value, by_close, by_far = triplet_slopes(close, far, valid, 2.0)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.allclose(by_close, slopes[0], atol=1e-14)
    assert torch.allclose(by_far, slopes[1], atol=1e-14)


def test_batch_triplets_equal_plain_loops_and_finite_differences() -> None:
    draw = torch.Generator().manual_seed(5)
    u = torch.randn(8, 6, generator=draw, dtype=torch.float64, requires_grad=True)
    labels = (torch.rand(8, 4, generator=draw) < 0.35).float()
    labels[2] = 0.0
    theta, s = 0.5 * u @ u.T, (labels @ labels.T) > 0
    means = []
    for q in range(8):
        values = [
            softplus(3.0 - (theta[q, p] - theta[q, m]).item())
            for p in range(8)
            for m in range(8)
            if p != q and s[q, p] and m != q and not s[q, m]
        ]
        means += [sum(values) / len(values)] if values else []
    found = batch_terms(u, labels)
    assert found["triplet"].item() == pytest.approx(sum(means) / len(means))
    pull = sum((abs(v) - 1.0) ** 2 for v in u.flatten().tolist())
    assert found["quantization"].item() == pytest.approx(100 / 22500 * pull / 8)
    assert torch.autograd.gradcheck(lambda x: sum(batch_terms(x, labels).values()), (u,), atol=1e-7)


def train_case(**options: object) -> tuple[torch.nn.Module, torch.Tensor]:
    draw = torch.Generator().manual_seed(9)
    labels = torch.eye(4)[torch.arange(40) % 4]
    labels[::7, 1] = 1.0
    labels[3] = 0.0
    loss = build_loss("dtsh", Problem(6, 4, 40, multilabel=True), **options).double()
    loss.prepare(SimpleNamespace(labels=labels), 0)
    loss.last.outputs.copy_(torch.randn(40, 6, generator=draw))
    return loss, labels


def test_all_of_the_train_split_equals_plain_loops() -> None:
    loss, labels = train_case(positives=40, negatives=40)
    u = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    index = torch.tensor([3, 0, 11, 8, 39])
    found = loss(HashOutput(u, u, u), Batch({}, labels[index].double(), index))
    outside = [j for j in range(40) if j not in index.tolist()]
    theta, s = 0.5 * u @ loss.last.outputs.T, labels @ labels.T > 0
    means = []
    for q, row in enumerate(index.tolist()):
        values = [
            torch.nn.functional.softplus(3.0 - theta[q, p] + theta[q, m])
            for p in outside
            for m in outside
            if s[row, p] and not s[row, m]
        ]
        means += [sum(values) / len(values)] if values else []
    expected = sum(means) / len(means)
    assert len(means) == 4  # the unlabelled anchor has no positive
    assert found["triplet"].item() == pytest.approx(expected.item())
    (got,) = torch.autograd.grad(found["triplet"], u)
    (wanted,) = torch.autograd.grad(expected, u)
    assert torch.allclose(got, wanted)


def test_drawn_columns_are_allowed_and_differ() -> None:
    allowed = torch.rand(20, 50) < 0.3
    columns, exists = drawn(allowed, torch.rand(20, 50), 12)
    for row in range(20):
        chosen = columns[row][exists[row]].tolist()
        assert len(set(chosen)) == len(chosen) == min(12, int(allowed[row].sum()))
        assert all(allowed[row, j] for j in chosen)


def test_draws_change_by_epoch_and_anchor_and_stay_within_an_epoch() -> None:
    loss, labels = train_case(positives=2, negatives=1)
    u = torch.ones(2, 6, dtype=torch.float64)
    labels[4] = labels[0]

    def value(rows: list[int]) -> float:
        index = torch.tensor(rows)
        return loss(HashOutput(u, u, u), Batch({}, labels[index].double(), index))["triplet"].item()

    seen = set()
    for epoch in range(5):
        loss.start_epoch(epoch, 5)
        assert value([0, 4]) == pytest.approx(value([4, 0]))
        seen.add(value([0, 4]))
    assert len(seen) > 1


def test_extreme_outputs_and_batches_without_triplets_stay_finite() -> None:
    for size in (1e4, -1e4, 0.0):
        for labels in (torch.ones(3, 1), torch.eye(3), torch.zeros(3, 2), torch.tensor([[1.0, 0], [1, 0], [0, 1]])):
            u = torch.full((3, 4), size)
            u[1] *= -1
            u.requires_grad_()
            total = sum(batch_terms(u, labels).values())
            (gradient,) = torch.autograd.grad(total, u)
            assert torch.isfinite(total)
            assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "options",
    [{"triplets": "all"}, {"quantization_weight": -1.0}, {"positives": 0}, {"negatives": 0}, {"alpha": -1.0}],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        build_loss("dtsh", Problem(4, 3, 10), **options)
