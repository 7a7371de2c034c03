"""DCHUC's objective, codes and classifier against worked values and brute force; its trainer's order of steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from hashzoo_dchuc.losses import DCHUCLoss
from hashzoo_dchuc.trainer import DCHUCTrainer
from torch import nn

from hashzoo import Batch, HashOutput, Problem, Recipe, Schedule, UsageError
from hashzoo.training import Checkpoints, TrainData, TrainJob

U = torch.tensor([[0.5, -0.2], [0.1, 0.8], [-0.6, 0.3], [-0.4, -0.7]], dtype=torch.float64)
G = torch.tensor([[0.4, -0.1], [-0.2, 0.9], [-0.5, -0.3], [0.6, -0.6]], dtype=torch.float64)
Y = torch.tensor([[1, 0], [0, 1], [1, 1], [1, 0]], dtype=torch.float64)
V = torch.tensor([[1, -1], [1, 1], [-1, 1], [1, -1]], dtype=torch.float64)
W = torch.tensor([[0.2, -0.1], [-0.1, 0.3]], dtype=torch.float64)
ROLES = ("image", "text")
ALL = torch.arange(4)


def toy(**options: Any) -> DCHUCLoss:
    loss = DCHUCLoss(Problem(2, 2, 4, modalities=ROLES), **options).double()
    loss.labels.copy_(Y)
    loss.choose(ALL)
    loss.codes.copy_(V)
    loss.classifier.copy_(W)
    loss.remember("image", U, ALL)
    loss.remember("text", G, ALL)
    return loss


def dense(loss: DCHUCLoss, codes: torch.Tensor, classifier: torch.Tensor) -> float:
    """J by its definition, for a subset of all items."""
    s = torch.tensor([[1.0, -3, 1, 1], [-3, 1, 1, -3], [1, 1, 1, 1], [1, -3, 1, 1]]).double()
    u, g = loss.outputs_0, loss.outputs_1
    total = (u @ codes.T - 2 * s).square().sum() + (g @ codes.T - 2 * s).square().sum()
    total = total + 50 * (u @ g.T - 2 * s).square().sum() + 200 * (0.5 * (u + g) - codes).square().sum()
    total = total + 50 * ((u @ classifier - Y).square().sum() + (g @ classifier - Y).square().sum())
    return float(total + (codes @ classifier - Y).square().sum() + 50 * classifier.square().sum())


def test_terms_by_hand() -> None:
    loss = toy()
    assert loss.ratio.item() == 3.0
    assert loss.similarity(Y, Y)[1].tolist() == [-3, 1, 1, -3]
    terms = {name: 16 * value.item() for name, value in loss.terms("image", U, ALL).items()}
    expected = {"codes": 167.84, "pairwise": 8704.16, "quantization": 857.0, "classification": 223.85}
    assert terms == pytest.approx(expected, abs=1e-9)
    assert sum(terms.values()) / 16 == pytest.approx(622.053125, abs=1e-9)


def test_codes_by_hand_and_by_brute_force() -> None:
    loss = toy()

    def part(codes: torch.Tensor) -> float:  # what depends on V: J less its constants
        return dense(loss, codes, W)

    before = part(V)
    loss.update_codes(ALL)
    assert loss.codes.tolist() == [[1, -1], [-1, 1], [-1, 1], [1, -1]]
    assert before - part(loss.codes) == pytest.approx(1198.08 - 1123.28, abs=1e-9)
    every = (torch.tensor(bits).reshape(4, 2).double() for bits in itertools.product((-1.0, 1.0), repeat=8))
    assert part(loss.codes) == pytest.approx(min(map(part, every)), abs=1e-9)


def test_classifier_by_hand_and_stationary() -> None:
    loss = toy()
    loss.update_codes(ALL)
    before = dense(loss, loss.codes, W)
    loss.update_classifier()
    expected = [-0.066048, -0.394360, -0.456621, 0.435021]
    assert loss.classifier.flatten().tolist() == pytest.approx(expected, abs=1e-6)
    assert dense(loss, loss.codes, loss.classifier) < before
    free = loss.classifier.clone().requires_grad_()
    total = 50 * ((U @ free - Y).square().sum() + (G @ free - Y).square().sum()) + 50 * free.square().sum()
    (gradient,) = torch.autograd.grad(total + (loss.codes @ free - Y).square().sum(), free)
    assert gradient.abs().max() < 1e-9


def test_codes_never_raise_the_objective() -> None:
    draw = torch.Generator().manual_seed(0)
    n, bits = 30, 6
    for _ in range(5):
        loss = DCHUCLoss(Problem(bits, 3, n, modalities=ROLES)).double()
        loss.labels.copy_((torch.rand(n, 3, generator=draw) < 0.4).double())
        subset = torch.randperm(n, generator=draw)[:12]
        loss.choose(subset)
        for role in ROLES:
            loss.remember(role, torch.rand(12, bits, generator=draw).double() * 2 - 1, subset)
        s = loss.similarity(loss.labels[subset], loss.labels)
        u, g = loss.outputs_0[subset], loss.outputs_1[subset]

        def value(codes: torch.Tensor, loss: DCHUCLoss = loss, s=s, u=u, g=g, subset=subset) -> float:  # type: ignore[no-untyped-def] # bound to this round
            fits = (u @ codes.T - bits * s).square().sum() + (g @ codes.T - bits * s).square().sum()
            near = 200 * (0.5 * (u + g) - codes[subset]).square().sum()
            return float(fits + near + (codes @ loss.classifier - loss.labels).square().sum())

        loss.update_codes(subset)  # from V = 0: no 0 is left
        assert (loss.codes.abs() == 1).all()
        values = [value(loss.codes)]
        for _ in range(4):
            loss.update_codes(subset)
            values.append(value(loss.codes))
        assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))


def test_stored_rows_of_the_other_role_are_constants() -> None:
    loss = toy()
    u = U[[2, 0]].clone().requires_grad_()
    total = sum(loss.terms("image", u, torch.tensor([2, 0])).values())
    (gradient,) = torch.autograd.grad(total, u)
    step = 1e-6
    up, down = U[[2, 0]].clone(), U[[2, 0]].clone()
    up[0, 1] += step
    down[0, 1] -= step
    rows = torch.tensor([2, 0])
    slope = sum(
        loss.terms("image", up, rows)[n] - loss.terms("image", down, rows)[n] for n in loss.terms("image", up, rows)
    )
    assert gradient[0, 1].item() == pytest.approx((slope / (2 * step)).item(), rel=1e-6)


def test_joint_call_is_the_mean_of_both_roles() -> None:
    loss, other = toy(), toy()
    output = {role: HashOutput(z, z, z.sign()) for role, z in zip(ROLES, (U, G), strict=True)}
    got = loss(output, Batch({}, Y, ALL))
    image, text = other.terms("image", U, ALL), other.terms("text", G, ALL)
    for name, value in got.items():
        assert value.item() == pytest.approx(0.5 * (image[name] + text[name]).item(), rel=1e-12)


class Tanh(nn.Module):
    """A hash layer for the trainer."""

    def __init__(self, width: int, bits: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, bits)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        relaxed = torch.tanh(self.linear(x))
        return relaxed, torch.where(relaxed >= 0, 1.0, -1.0)


class Spy(DCHUCTrainer):
    """Notes roles, rows and rates of the steps."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.noted: list[tuple[int, str, list[int], float]] = []

    def batches(self, epoch: int) -> Any:
        for number, (role, index) in enumerate(super().batches(epoch)):
            self.noted.append((epoch, role, index.tolist(), self.rate(epoch, number)))
            yield role, index


def job(folder: Path, loss: nn.Module | None = None) -> TrainJob:
    from hashzoo.models.hash_model import HashModel

    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    labels = np.eye(2, dtype=np.float32)[np.arange(20) % 2]
    inputs = {r: (labels @ draw.standard_normal((2, 5)) + 0.3).astype(np.float32) for r in ROLES}
    problem = Problem(4, 2, 20, modalities=ROLES)
    quiet: Callable[[int, Mapping[str, float]], None] = lambda epoch, terms: None  # noqa: E731 -- nothing to report to
    return TrainJob(
        model=HashModel({r: nn.Identity() for r in ROLES}, {r: Tanh(5, 4) for r in ROLES}),
        loss=loss or DCHUCLoss(problem),
        data=TrainData(inputs, labels, np.arange(20)),
        problem=problem,
        recipe=Recipe(epochs=3, batch_size=4, lr=0.01, momentum=0.0, schedule=Schedule("step", every=2, gamma=0.5)),
        seed=0,
        accelerator=Accelerator(cpu=True),
        checkpoints=Checkpoints(folder, seconds=0.0),
        report=quiet,
    )


def test_order_subset_and_rates_of_the_steps(tmp_path: Path) -> None:
    trainer, task = Spy(subset=10, passes=2, first_rate=0.1), job(tmp_path)
    trainer.fit(task)
    first = [step for step in trainer.noted if step[0] == 0]
    assert [role for _, role, _, _ in first] == (["image"] * 3 + ["text"] * 3) * 2
    seen = [sorted(row for _, role, rows, _ in first[3 * k : 3 * k + 3] for row in rows) for k in range(4)]
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert len(set(seen[0])) == 10
    later = sorted({row for epoch, _, rows, _ in trainer.noted if epoch == 1 for row in rows})
    assert later != seen[0]
    assert [rate for _, _, _, rate in first[:6]] == pytest.approx([0.1] * 3 + [1.0] * 3)
    assert [rate for epoch, _, _, rate in trainer.noted if epoch == 2][-1] == pytest.approx(0.5)
    assert (task.loss.codes.abs() == 1).all()


def test_codes_come_to_follow_the_labels(tmp_path: Path) -> None:
    task = job(tmp_path)
    DCHUCTrainer(first_rate=1.0).fit(task)
    codes = task.loss.codes
    assert torch.equal(codes[0::2], codes[[0]].expand(10, 4))
    assert torch.equal(codes[1::2], codes[[1]].expand(10, 4))
    assert not torch.equal(codes[0], codes[1])


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two modalities; got 1"):
        DCHUCLoss(Problem(2, 2, 4))
    for options in ({"mu": -1.0}, {"eta": 0.0}):
        with pytest.raises(UsageError, match="must be a number"):
            DCHUCLoss(Problem(2, 2, 4, modalities=ROLES), **options)
    with pytest.raises(UsageError, match="must be at least 1"):
        DCHUCTrainer(passes=0)
    with pytest.raises(UsageError, match="trains loss 'dchuc' and got a Identity"):
        DCHUCTrainer().fit(job(tmp_path, nn.Identity()))
