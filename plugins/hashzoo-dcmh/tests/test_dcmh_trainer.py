"""DCMH's trainer: order of the steps, descent, resumption, centring, refusals."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from hashzoo_dcmh.losses import DCMHLoss
from hashzoo_dcmh.trainer import DCMHTrainer
from torch import nn

from hashzoo.errors import UsageError, WorkError
from hashzoo.models.hash_layers import LinearHashLayer
from hashzoo.models.hash_model import HashModel
from hashzoo.specs import Problem, Recipe, Schedule
from hashzoo.training.checkpoints import Checkpoints
from hashzoo.training.job import TrainData, TrainJob

N, BITS, CLASSES, WIDTH = 40, 8, 4, 6
RECIPE = Recipe(epochs=4, batch_size=16, lr=0.5, momentum=0.9, schedule=Schedule("geometric", gamma=0.1))
QUIET: Callable[[int, Mapping[str, float]], None] = lambda epoch, terms: None  # noqa: E731 -- a default of the tests


class Plain(nn.Module):
    """A linear backbone."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, 5)
        self.feature_dim = 5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert self.training or not torch.is_grad_enabled(), "trained in evaluation mode"
        return torch.tanh(self.linear(x))


def arrays() -> tuple[dict[str, np.ndarray], np.ndarray]:
    draw = np.random.default_rng(0)
    labels = np.eye(CLASSES, dtype=np.float32)[np.arange(N) % CLASSES]
    mix = {name: draw.standard_normal((CLASSES, WIDTH)) for name in ("image", "text")}
    inputs = {
        name: (labels @ m + 0.3 * draw.standard_normal((N, WIDTH)) + 2.0).astype(np.float32) for name, m in mix.items()
    }
    return inputs, labels


def make_job(folder: Path, recipe: Recipe = RECIPE, **changes: Any) -> TrainJob:
    inputs, labels = arrays()
    problem = Problem(BITS, CLASSES, N, modalities=("image", "text"))
    torch.manual_seed(0)
    backbones = {name: Plain() for name in inputs}
    layers = {name: LinearHashLayer(5, problem, std=0.5) for name in inputs}
    job = TrainJob(
        model=HashModel(backbones, layers).eval(),
        loss=DCMHLoss(problem, eta=0.1),
        data=TrainData(inputs, labels, np.arange(N)),
        problem=problem,
        recipe=recipe,
        seed=0,
        accelerator=Accelerator(cpu=True),
        checkpoints=Checkpoints(folder, seconds=0.0),
        report=QUIET,
    )
    return replace(job, **changes)


def objective(loss: DCMHLoss) -> float:
    rows = torch.arange(N)
    image = loss.terms("image", loss.outputs_0, rows, loss.labels)
    text = loss.terms("text", loss.outputs_1, rows, loss.labels)
    halves = sum((image[n] + text[n]).item() for n in ("quantization", "balance"))
    return image["pairwise"].item() + halves


class Spy(DCMHLoss):
    """Notes the trainer's calls in order, and the objective around each closed-form step."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.around: list[tuple[float, float]] = []
        super().__init__(*args, **options)

    def update_codes(self) -> None:
        before = objective(self) if self.labels.any() else 0.0
        super().update_codes()
        if self.labels.any():
            self.calls.append(("codes", None))
            self.around.append((before, objective(self)))

    def remember(self, modality: str, relaxed: torch.Tensor, index: torch.Tensor) -> None:
        self.calls.append((modality, index))
        super().remember(modality, relaxed, index)


def spied(folder: Path, recipe: Recipe = RECIPE) -> TrainJob:
    job = make_job(folder, recipe)
    return replace(job, loss=Spy(job.problem, eta=0.1))


@pytest.mark.parametrize(
    ("order", "expected"), [("codes_last", ["image", "text", "codes"]), ("codes_first", ["codes", "text", "image"])]
)
def test_order_of_the_steps(tmp_path: Path, order: str, expected: list[str]) -> None:
    job = spied(tmp_path, replace(RECIPE, epochs=2))
    DCMHTrainer(order=order).fit(job)
    names = [name for name, _ in job.loss.calls]
    per_epoch = [name for name in expected for _ in range(1 if name == "codes" else 3)]  # 3 = 40 / 16, rounded up
    assert names == per_epoch * 2


@pytest.mark.parametrize("draws", ["independent", "permutation"])
def test_draws(tmp_path: Path, draws: str) -> None:
    job = spied(tmp_path, replace(RECIPE, epochs=2))
    DCMHTrainer(draws=draws).fit(job)
    batches = [index.tolist() for name, index in job.loss.calls if name == "image"]
    assert all(len(set(batch)) == len(batch) for batch in batches)
    sizes, seen = [len(batch) for batch in batches[:3]], sorted(row for batch in batches[:3] for row in batch)
    if draws == "independent":
        assert sizes == [16, 16, 16]
        assert len(set(seen)) < 48
    else:
        assert sizes == [16, 16, 8]
        assert seen == list(range(N))
    assert batches[:3] != batches[3:]


def test_alternating_steps_decrease_the_objective(tmp_path: Path) -> None:
    # whole-set batches and a small rate: every gradient step goes down, and the closed-form step never up
    recipe = Recipe(epochs=60, batch_size=N, lr=0.2, momentum=0.0)
    job = spied(tmp_path, recipe)
    DCMHTrainer(draws="permutation").fit(job)
    around = job.loss.around
    assert all(after <= before + 1e-6 for before, after in around)
    values = [after for _, after in around][1:]  # in the first epoch one buffer still holds the random start
    assert all(later <= earlier + 1e-6 for earlier, later in itertools.pairwise(values))
    assert values[-1] < 0.7 * values[0]


def test_terms_are_reported_and_the_rate_follows_the_schedule(tmp_path: Path) -> None:
    reported: list[Mapping[str, float]] = []
    still = Recipe(epochs=3, batch_size=16, lr=0.0, momentum=0.0)
    job = make_job(tmp_path, still, report=lambda epoch, terms: reported.append(terms))
    before = {name: value.clone() for name, value in job.model.state_dict().items()}
    DCMHTrainer(center=False).fit(job)
    assert [sorted(terms) for terms in reported] == [["balance", "pairwise", "quantization"]] * 3
    assert all(torch.equal(value, before[name]) for name, value in job.model.state_dict().items())


class Stopped(Exception):  # noqa: N818 -- stands for a killed process
    """Raised in the middle of a training."""


@pytest.mark.parametrize("order", ["codes_last", "codes_first"])
def test_a_stopped_training_goes_on_to_the_same_end(tmp_path: Path, order: str) -> None:
    trainer = DCMHTrainer(order=order)
    unbroken_terms: list[Mapping[str, float]] = []
    unbroken = make_job(tmp_path / "a", report=lambda epoch, terms: unbroken_terms.append(terms))
    trainer.fit(unbroken)

    def stop(epoch: int, terms: Mapping[str, float]) -> None:
        if epoch == 2:
            raise Stopped

    with pytest.raises(Stopped):
        trainer.fit(make_job(tmp_path / "b", report=stop))
    kept = Checkpoints(tmp_path / "b").latest()
    assert kept is not None
    assert kept.epoch == 2
    for name in ("outputs_0", "outputs_1", "codes"):
        assert kept.tensors[f"loss.{name}"].shape == (N, BITS)
    resumed_terms: list[Mapping[str, float]] = []
    resumed = make_job(tmp_path / "b", report=lambda epoch, terms: resumed_terms.append(terms))
    trainer.fit(resumed)
    assert resumed_terms == unbroken_terms
    for one, other in ((unbroken.model, resumed.model), (unbroken.loss, resumed.loss)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def test_centring_is_folded_into_the_first_layer(tmp_path: Path) -> None:
    job, by_hand = make_job(tmp_path / "a"), make_job(tmp_path / "b")
    inputs, _ = arrays()
    means = {name: x.mean(axis=0) for name, x in inputs.items()}
    shifted = {name: x - means[name] for name, x in inputs.items()}
    by_hand = replace(by_hand, data=TrainData(shifted, by_hand.data.labels.numpy(), np.arange(N)))
    DCMHTrainer(center=True).fit(job)
    DCMHTrainer(center=False).fit(by_hand)
    for name, x in inputs.items():
        with torch.no_grad():
            raw = job.model(name, torch.from_numpy(x)).relaxed
            centred = by_hand.model(name, torch.from_numpy(shifted[name])).relaxed
        assert torch.allclose(raw, centred, atol=1e-4)


def test_a_network_that_cannot_be_centred_is_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.model.backbones["text"] = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 5))
    with pytest.raises(UsageError, match=r"trainer\.center=false"):
        DCMHTrainer().fit(job)
    DCMHTrainer(center=False).fit(make_job(tmp_path / "other"))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="trains loss 'dcmh' and got a Identity"):
        DCMHTrainer().fit(make_job(tmp_path, loss=nn.Identity()))
    with pytest.raises(UsageError, match="larger than the train split"):
        DCMHTrainer().fit(make_job(tmp_path, replace(RECIPE, batch_size=N + 1)))
    several = SimpleNamespace(num_processes=2, device=torch.device("cpu"))
    with pytest.raises(UsageError, match="one process"):
        DCMHTrainer().fit(make_job(tmp_path, accelerator=several))
    for options in ({"order": "random"}, {"draws": "some"}, {"center": "yes"}):
        with pytest.raises(UsageError, match=r"Known|true or false"):
            DCMHTrainer(**options)


def test_a_rate_that_is_too_high_names_the_term(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"Loss term .*balance.* is not finite in epoch \d+, step \d+; try a lower"):
        DCMHTrainer().fit(make_job(tmp_path, replace(RECIPE, epochs=200, lr=1e6)))


def test_it_learns_a_problem_that_an_untrained_model_does_not_solve(tmp_path: Path) -> None:
    def hits(job: TrainJob) -> float:
        inputs, labels = arrays()
        with torch.no_grad():
            codes = {n: job.model(n, torch.from_numpy(x)).codes for n, x in inputs.items()}
        nearest = (codes["image"] @ codes["text"].T).argmax(dim=1)
        return float((labels[nearest] * labels).sum(axis=1).mean())

    job = make_job(tmp_path, replace(RECIPE, epochs=60, lr=0.3))
    assert hits(job) < 0.6
    DCMHTrainer().fit(job)
    assert hits(job) > 0.95
