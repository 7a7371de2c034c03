"""The gradient trainer against updates worked out by hand, and broken off against unbroken."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import nn

from hashzoo.errors import UsageError, WorkError
from hashzoo.specs import Batch, HashOutput, Recipe, Schedule
from hashzoo.training import loop
from hashzoo.training.job import TrainJob
from hashzoo.training.loop import GradientTrainer
from hashzoo.training.optimizers import check_recipe, schedule_factor

MakeJob = Callable[..., TrainJob]


def values(job: TrainJob) -> dict[str, float]:
    return {name.split(".")[-1]: float(p.detach()) for name, p in job.model.named_parameters()}


def gradients(b: float, w: float, inputs: tuple[float, ...]) -> tuple[float, float]:
    """d/db and d/dw of mean (w b x)^2 / 2."""
    square = sum(x * x for x in inputs) / len(inputs)
    return w * w * b * square, w * b * b * square


ONE_STEP = Recipe(epochs=1, batch_size=2, lr=0.01, optimizer="sgd", momentum=0.0)
INPUTS = ((1.0,), (3.0,))


def test_a_step_of_sgd_is_the_gradient_times_the_rate_with_the_backbone_slower(make_job: MakeJob) -> None:
    job = make_job(Recipe(1, 2, 0.01, "sgd", backbone_lr_scale=0.1, momentum=0.0), inputs=INPUTS)
    GradientTrainer().fit(job)
    db, dw = gradients(1.0, 2.0, (1.0, 3.0))
    assert values(job)["w"] == pytest.approx(2.0 - 0.01 * dw, rel=1e-6)
    assert values(job)["b"] == pytest.approx(1.0 - 0.001 * db, rel=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_two_steps_of_sgd_with_momentum_and_weight_decay(make_job: MakeJob, nesterov: bool) -> None:
    recipe = Recipe(2, 2, 0.01, "sgd", momentum=0.9, nesterov=nesterov, weight_decay=0.1)
    job = make_job(recipe, inputs=INPUTS)
    GradientTrainer().fit(job)
    b, w, velocity = 1.0, 2.0, [0.0, 0.0]
    for _ in range(2):
        slopes = [g + 0.1 * p for g, p in zip(gradients(b, w, (1.0, 3.0)), (b, w), strict=True)]
        velocity = [0.9 * v + g for v, g in zip(velocity, slopes, strict=True)]
        steps = [g + 0.9 * v if nesterov else v for g, v in zip(slopes, velocity, strict=True)]
        b, w = b - 0.01 * steps[0], w - 0.01 * steps[1]
    assert values(job) == pytest.approx({"b": b, "w": w}, rel=1e-5)


def test_two_steps_of_adam(make_job: MakeJob) -> None:
    job = make_job(Recipe(2, 2, 0.01, "adam"), inputs=INPUTS)
    GradientTrainer().fit(job)
    p, first, second = [1.0, 2.0], [0.0, 0.0], [0.0, 0.0]
    for t in (1, 2):
        slopes = gradients(p[0], p[1], (1.0, 3.0))
        first = [0.9 * m + 0.1 * g for m, g in zip(first, slopes, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, slopes, strict=True)]
        for i in range(2):
            p[i] -= 0.01 * (first[i] / (1 - 0.9**t)) / (math.sqrt(second[i] / (1 - 0.999**t)) + 1e-8)
    assert values(job) == pytest.approx({"b": p[0], "w": p[1]}, rel=1e-5)


def test_two_steps_of_rmsprop(make_job: MakeJob) -> None:
    job = make_job(Recipe(2, 2, 0.01, "rmsprop"), inputs=INPUTS)
    GradientTrainer().fit(job)
    p, square = [1.0, 2.0], [0.0, 0.0]
    for _ in range(2):
        slopes = gradients(p[0], p[1], (1.0, 3.0))
        for i in range(2):
            square[i] = 0.99 * square[i] + 0.01 * slopes[i] ** 2
            p[i] -= 0.01 * slopes[i] / (math.sqrt(square[i]) + 1e-8)
    assert values(job) == pytest.approx({"b": p[0], "w": p[1]}, rel=1e-5)


def test_the_loss_s_own_parameters_are_trained_at_the_full_rate(
    make_job: MakeJob, half_square: Callable[[], nn.Module]
) -> None:
    job = make_job(Recipe(1, 2, 0.1, "sgd", backbone_lr_scale=0.0, momentum=0.0), half_square(), INPUTS)
    GradientTrainer().fit(job)
    assert float(job.loss.c.detach()) == pytest.approx(0.5 - 0.1 * 0.5)
    assert values(job)["b"] == 1.0


def test_a_schedule_scales_the_rate_of_each_step(make_job: MakeJob) -> None:
    job = make_job(Recipe(2, 2, 0.01, "sgd", momentum=0.0, schedule=Schedule("step", 1, 0.5)), inputs=INPUTS)
    GradientTrainer().fit(job)
    b, w = 1.0, 2.0
    for rate in (0.01, 0.005):
        db, dw = gradients(b, w, (1.0, 3.0))
        b, w = b - rate * db, w - rate * dw
    assert values(job) == pytest.approx({"b": b, "w": w}, rel=1e-5)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), [1, 1, 1, 1, 1, 1]),
        (Schedule("step", every=2, gamma=0.1), [1, 1, 1, 1, 0.1, 0.1]),
        (Schedule("step", every=2, gamma=0.1, unit="step"), [1, 1, 0.1, 0.1, 0.01, 0.01]),
        (Schedule("geometric", gamma=1e-5), [1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5]),
        (Schedule("cosine"), [0.5 + 0.5 * math.cos(math.pi * k / 5) for k in range(6)]),
    ],
)
def test_schedule_factors_over_three_epochs_of_two_steps(schedule: Schedule, expected: list[float]) -> None:
    assert [schedule_factor(schedule, step, 2, 3) for step in range(6)] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe(1, 2, 0.1, "sdg"), "did you mean 'sgd'"),
        (Recipe(1, 2, math.nan), "lr must be a number"),
        (Recipe(1, 2, 0.1, nesterov=True, momentum=0.0), "momentum above 0"),
        (Recipe(1, 2, 0.1, schedule=Schedule("cosin")), "did you mean 'cosine'"),
        (Recipe(1, 2, 0.1, schedule=Schedule("step")), "schedule.every must be an integer of at least 1"),
        (Recipe(1, 2, 0.1, schedule=Schedule("step", 1, 0.5, "year")), "unit of a schedule 'year'"),
        (Recipe(1, 2.0, 0.1), "batch_size must be an integer"),  # type: ignore[arg-type] # wrong on purpose
    ],
)
def test_recipes_that_cannot_be_are_refused(recipe: Recipe, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_recipe(recipe)


class BrokenOffError(Exception):
    """Stands for the end of a process."""


class Square(nn.Module):
    """Mean of z^2 / 2 over the batch."""

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        return {"square": output.relaxed.square().mean() / 2}


@pytest.mark.parametrize(("wanted", "given"), [(None, [0, 1, 2, 3]), ((), []), ((1, 3), [1, 3])])
def test_outputs_of_the_train_split_are_computed_where_a_loss_wants_them(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, wanted: tuple[int, ...] | None, given: list[int]
) -> None:
    class Watching(Square):
        seen: ClassVar[list[int]] = []

        def end_epoch(self, epoch: int, outputs: HashOutput) -> None:
            assert len(outputs.relaxed) == 4
            self.seen.append(epoch)

    class Choosing(Watching):
        def wants_outputs(self, epoch: int) -> bool:
            return epoch in wanted

    loss = Watching() if wanted is None else Choosing()
    job = make_job(Recipe(4, 2, 0.01), loss)
    computed, outputs = [], job.data.outputs
    monkeypatch.setattr(job.data, "outputs", lambda: computed.append(1) or outputs())
    GradientTrainer().fit(job)
    assert loss.seen == given
    assert len(computed) == len(given)


def test_a_trainer_may_be_for_one_loss_and_one_process(make_job: MakeJob) -> None:
    class Picky(GradientTrainer):
        trains = ("square", Square)
        one_process = "it likes to be alone"

    Picky().fit(make_job(Recipe(1, 2, 0.1), Square()))
    with pytest.raises(UsageError, match="trains loss 'square' and got a Identity; use --loss square, or a method"):
        Picky().fit(make_job(Recipe(1, 2, 0.1), nn.Identity()))
    job = make_job(Recipe(1, 2, 0.1), Square())
    job = replace(job, accelerator=SimpleNamespace(num_processes=2))
    with pytest.raises(UsageError, match="Picky runs in one process, because it likes to be alone; got 2 processes"):
        Picky().fit(job)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_a_training_that_was_broken_off_ends_as_an_unbroken_one(
    tmp_path: Path, make_job: MakeJob, half_square: Callable[[], nn.Module], optimizer: str
) -> None:
    recipe = Recipe(5, 3, 0.01, optimizer, momentum=0.9, schedule=Schedule("cosine"))
    reports: dict[str, list[tuple[int, dict[str, float]]]] = {"unbroken": [], "first": [], "second": []}

    def job(name: str, folder: str, stop: int | None = None) -> TrainJob:
        def report(epoch: int, terms: Mapping[str, float]) -> None:
            reports[name].append((epoch, dict(terms)))
            if epoch == stop:
                raise BrokenOffError

        return make_job(recipe, half_square(), folder=tmp_path / folder, report=report)

    unbroken = job("unbroken", "a")
    GradientTrainer().fit(unbroken)
    with pytest.raises(BrokenOffError):
        GradientTrainer().fit(job("first", "b", stop=3))
    resumed = job("second", "b")
    GradientTrainer().fit(resumed)
    for mine, other in ((resumed.model, unbroken.model), (resumed.loss, unbroken.loss)):
        for name, value in other.state_dict().items():
            assert torch.equal(mine.state_dict()[name], value), name
    assert reports["second"] == reports["unbroken"]
    assert resumed.model.hash_layers["image"].epochs[0] == (3, 5)  # and not from the beginning


def test_the_reported_terms_are_means_over_the_items_of_the_epoch(make_job: MakeJob) -> None:
    seen: list[dict[str, float]] = []
    job = make_job(
        Recipe(1, 3, 0.0, "sgd", momentum=0.0), report=lambda epoch, terms: seen.append(dict(terms))
    )  # 4 items in batches of 3 and 1
    GradientTrainer().fit(job)
    assert seen == [{"square": pytest.approx(4 * (1 + 4 + 9 + 16) / 4 / 2)}]


class FailsAt(nn.Module):
    """A second term that is infinite from the given step on."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        self.left -= 1
        bad = torch.tensor(math.inf if self.left < 0 else 0.0)
        return {"square": output.relaxed.square().mean() / 2, "quantization": bad * output.relaxed.sum() ** 2}


def test_a_term_that_is_not_finite_stops_with_term_epoch_step_and_the_kept_state(make_job: MakeJob) -> None:
    job = make_job(Recipe(4, 2, 0.001, "sgd", momentum=0.0), FailsAt(step=3))  # two steps an epoch
    with pytest.raises(WorkError, match=r"'quantization' is not finite in epoch 2, step 2.*lr=.*kept in") as stop:
        GradientTrainer().fit(job)
    assert str(job.checkpoints.path) in str(stop.value)
    kept = job.checkpoints.latest()
    assert kept is not None
    assert kept.epoch == 1
    assert all(torch.isfinite(value).all() for value in kept.tensors.values())


def test_a_failure_before_the_first_checkpoint_does_not_promise_one(make_job: MakeJob, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    other = make_job(ONE_STEP, inputs=INPUTS, folder=folder)
    other.checkpoints.fingerprint = "another configuration"
    other.checkpoints.save(1, {}, ())
    job = make_job(Recipe(1, 2, 0.001), FailsAt(step=0), folder=folder)
    with pytest.raises(WorkError, match="No checkpoint had been written yet"):
        GradientTrainer().fit(job)


def test_parameters_that_run_away_in_the_last_step_are_noticed(make_job: MakeJob) -> None:
    with pytest.raises(WorkError, match=r"Parameter .* is no longer finite after epoch 1"):
        GradientTrainer().fit(make_job(Recipe(1, 4, 3e38, "sgd", momentum=0.0)))


def test_a_batch_larger_than_the_train_split_is_refused(make_job: MakeJob) -> None:
    with pytest.raises(UsageError, match=r"batch size 5 is larger than the train split \(4 items\)"):
        GradientTrainer().fit(make_job(Recipe(1, 5, 0.1)))


class Turns(nn.Module):
    """Returns its terms in another order in each step, or drops one in the second."""

    def __init__(self, drops: bool) -> None:
        super().__init__()
        self.drops, self.step = drops, 0

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        self.step += 1
        terms = {"square": output.relaxed.square().mean() / 2, "zero": 0 * output.relaxed.sum()}
        if self.step == 2 and self.drops:
            terms.pop("zero")
        return dict(reversed(terms.items())) if self.step % 2 else terms


def test_terms_are_told_apart_by_name_and_not_by_place(make_job: MakeJob) -> None:
    seen: list[dict[str, float]] = []
    recipe = Recipe(1, 2, 0.0, "sgd", momentum=0.0)
    GradientTrainer().fit(make_job(recipe, Turns(drops=False), report=lambda _, terms: seen.append(dict(terms))))
    assert seen == [{"square": pytest.approx((1 + 4 + 9 + 16) / 4 * 4 / 2), "zero": 0.0}]
    with pytest.raises(WorkError, match="returned the terms square, and zero, square before"):
        GradientTrainer().fit(make_job(recipe, Turns(drops=True)))


class ReadsLabels(nn.Module):
    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        return {"classification": (output.relaxed * batch.labels[:, :1]).sum()}


def test_hidden_labels_cannot_be_used_unnoticed(make_job: MakeJob) -> None:
    job = make_job(ONE_STEP, ReadsLabels(), hide_labels=True)
    assert bool(job.data.labels.isnan().all())
    with pytest.raises(WorkError, match="'classification' is not finite in epoch 1, step 1"):
        GradientTrainer().fit(job)
    GradientTrainer().fit(make_job(ONE_STEP, hide_labels=True))  # a loss that does not look is not disturbed


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_a_plain_step_is_the_one_that_accelerate_would_take(
    tmp_path: Path,
    make_job: MakeJob,
    half_square: Callable[[], nn.Module],
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
    clip: float,
) -> None:
    recipe = Recipe(3, 2, 0.01, optimizer, weight_decay=0.1, clip=clip)
    found = []
    for plain in (True, False):
        monkeypatch.setattr(loop, "is_plain", lambda _, plain=plain: plain)
        told: list[Mapping[str, float]] = []
        job = make_job(recipe, half_square(), folder=tmp_path / str(plain))
        job.report = lambda _, terms, told=told: told.append(terms)  # type: ignore[misc] # bound at once
        trainer = GradientTrainer()
        trainer.fit(job)
        assert (type(trainer.optimizer).__name__ == "AcceleratedOptimizer") is not plain
        kept = job.checkpoints.latest()
        assert kept is not None
        found.append((values(job), told, {name: value.tolist() for name, value in kept.tensors.items()}))
    assert found[0] == found[1]


def test_a_step_with_a_scaled_loss_is_accelerate_s(make_job: MakeJob) -> None:
    job = make_job(ONE_STEP, inputs=INPUTS)
    assert loop.is_plain(job.accelerator)
    job.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    assert not loop.is_plain(job.accelerator)
    trainer = GradientTrainer()
    trainer.fit(job)
    _, dw = gradients(1.0, 2.0, (1.0, 3.0))
    assert values(job)["w"] == pytest.approx(2.0 - 0.01 * dw, rel=1e-6)


def test_a_part_that_adds_to_gradients_itself_is_refused_with_a_scaled_loss(make_job: MakeJob) -> None:
    job = make_job(ONE_STEP, inputs=INPUTS)
    job.model.hash_layers["image"].no_fp16 = "hash layer 'mine' pulls"  # type: ignore[assignment] # a class's attribute
    GradientTrainer().fit(job)
    job = make_job(ONE_STEP, inputs=INPUTS)
    job.model.hash_layers["image"].no_fp16 = "hash layer 'mine' pulls"  # type: ignore[assignment] # a class's attribute
    job.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    with pytest.raises(UsageError, match="scales the loss, and hash layer 'mine' pulls; use --precision bf16 or fp32"):
        GradientTrainer().fit(job)


class Normed(nn.Module):
    """A backbone of one parameter with a batch normalisation behind it, whose mean is told."""

    feature_dim = 1

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.tensor(1.0))
        self.norm = nn.BatchNorm1d(1)
        self.norm.running_mean.fill_(mean)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.norm(self.b * inputs)


@pytest.mark.parametrize(("mean", "scale", "kept"), [(3.0, 0.0, True), (0.0, 0.0, False), (3.0, 0.1, False)])
def test_a_backbone_that_is_not_trained_keeps_the_statistics_that_came_with_its_weights(
    make_job: MakeJob, tmp_path: Path, mean: float, scale: float, kept: bool
) -> None:
    """New layers gather theirs, to the end of a resumed training too, though they have some when it goes on."""
    recipe = replace(ONE_STEP, epochs=3, backbone_lr_scale=scale)

    def job(folder: str, stop: int | None = None) -> TrainJob:
        def report(epoch: int, terms: Mapping[str, float]) -> None:
            if epoch == stop:
                raise BrokenOffError

        found = make_job(recipe, inputs=INPUTS, folder=tmp_path / folder, report=report)
        found.model.backbones["image"] = Normed(mean)
        return found

    unbroken, resumed = job("a"), job("b")
    GradientTrainer().fit(unbroken)
    with pytest.raises(BrokenOffError):
        GradientTrainer().fit(job("b", stop=1))
    GradientTrainer().fit(resumed)
    for name, value in unbroken.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name
    norm = unbroken.model.backbones["image"].norm
    assert isinstance(norm, nn.BatchNorm1d)
    assert (norm.num_batches_tracked, norm.running_mean.item() == mean) == ((0, True) if kept else (3, False))


class Changing(nn.Module):
    """Gives another set of terms in its last step."""

    def __init__(self, last: tuple[str, ...]) -> None:
        super().__init__()
        self.last, self.steps = last, 0

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        self.steps += 1
        value = output.relaxed.square().mean()
        return dict.fromkeys(("first", "second") if self.steps < 2 else self.last, value)


@pytest.mark.parametrize("last", [("first",), ("first", "second", "third"), ()])
def test_terms_that_change_from_step_to_step_are_refused(make_job: MakeJob, last: tuple[str, ...]) -> None:
    with pytest.raises(WorkError, match=r"returned the terms .*, and first, second before"):
        GradientTrainer().fit(make_job(Recipe(1, 2, 0.01, "sgd", momentum=0.0), Changing(last)))


def test_the_means_of_an_epoch_of_many_steps(make_job: MakeJob) -> None:
    """Terms are looked at every 50 steps; what lies before, between and behind counts alike."""
    inputs = [[float(n % 7)] for n in range(3 * 123 + 1)]  # 124 steps, the last of one item
    seen: list[Mapping[str, float]] = []
    job = make_job(Recipe(1, 3, 0.0, "sgd", momentum=0.0), inputs=inputs, report=lambda _, terms: seen.append(terms))
    GradientTrainer().fit(job)
    assert seen[0]["square"] == pytest.approx(sum(4 * x * x / 2 for (x,) in inputs) / len(inputs), rel=1e-6)
