"""Checks that train on the toy problem, through the method's own trainer as a run does."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from hashzoo.models.hash_model import HashModel
from hashzoo.testing.checks_modules import check_output
from hashzoo.testing.kit import Case, NotApplicable, check, require
from hashzoo.testing.toy import EPOCHS, FITTED_HOST, SHORT, TRAIN, Subject, subject_of
from hashzoo.training.checkpoints import Checkpoints, load_tensors, save_tensors

LEARNT, MARGIN = 0.8, 0.2
"""mAP that a supervised method must reach on the toy problem, and by how much it must beat LSH."""
LEARNT_UNSUPERVISED, MARGIN_UNSUPERVISED = 0.75, 0.1
"""Likewise for unsupervised methods, on their toy problem.

Nothing tells them which axes are nuisance. Theirs is smaller, so that the features show the classes; what is left of it
stays in the codes. LSH scores 0.68, the features themselves 0.99, and ITQ, whose rotation of 16 axes to 16 bits can
drop none, 0.81."""


class _Interrupted(Exception):  # noqa: N818 -- stands for a killed process, not for an error
    """Raised by the kit in the middle of a training."""


@check("methods", "hash_layers", after=("shapes_for_every_bit_length", "loss_terms_are_finite_scalars"))
def encoding_ignores_batching(case: Case) -> None:
    """After training, an item's code does not depend on the batch it is encoded in, nor on its place there."""
    subject = case.subject()
    model = case.trained().model if case.kind == "methods" else subject.build()[0]
    model.eval()
    for modality, inputs in subject.splits.table.inputs.items():
        items = torch.from_numpy(inputs[:60])
        with torch.no_grad():
            whole = model(modality, items).relaxed
            back = model(modality, items.flip(0)).relaxed.flip(0)
            for size in (7, 1):
                parts = torch.cat([model(modality, part).relaxed for part in torch.split(items, size)])
                _require_close(whole, parts, f"encoded {size} at a time")
            _require_close(whole, back, "encoded in the opposite order")


def _require_close(whole: torch.Tensor, other: torch.Tensor, how: str) -> None:
    allowed = 1e-4 * max(1.0, float(whole.abs().max()))
    gap = float((whole - other).abs().max())
    require(
        gap <= allowed,
        f"Outputs change by up to {gap:.3g} when the same items are {how}: batch statistics or dropout at test time?",
    )


@check("methods", "trainers", after=("encoding_ignores_batching", "gradient_reaches_every_parameter"))
def same_seed_gives_the_same_codes(case: Case) -> None:
    """Two trainings with one seed give equal outputs, whatever was drawn in between; nothing else is random."""
    subject = case.subject()
    first = _outputs(subject, case.trained().model)
    torch.rand(17), np.random.rand(3), random.random()
    second = _outputs(subject, subject.train().model)
    require(
        np.array_equal(first, second),
        "Two trainings with the same seed give different outputs; draw from torch's, numpy's or Python's "
        "global generator only, which the core seeds.",
    )


@check(
    "methods",
    "hash_layers",
    "trainers",
    after=("tensors_follow_the_module", "same_seed_gives_the_same_codes", "inputs_are_left_alone"),
)
def state_survives_a_round_trip(case: Case) -> None:
    """A trained model and loss, written to safetensors and read into fresh ones, give the same outputs and terms."""
    subject = case.subject()
    trained = case.trained()
    model, loss = subject.build(seed=11)
    for old, new in ((trained.model, model), (trained.loss, loss)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state.safetensors"
            save_tensors(path, old.state_dict(), {"of": "the conformance kit"})
            new.load_state_dict(load_tensors(path)[0])
    require(
        np.array_equal(_outputs(subject, trained.model), _outputs(subject, model)),
        "A model read back from its state gives other outputs: something it needs is neither parameter nor buffer.",
    )
    if not subject.trainable:
        return
    batch = subject.batch(list(range(16)))
    values = []
    for one, two in ((trained.model, trained.loss), (model, loss)):
        one.eval()
        two.eval()
        with torch.no_grad():
            values.append(subject.terms(two, subject.outputs(one, batch), batch))
    for name, value in values[0].items():
        require(
            torch.allclose(value, values[1][name], rtol=1e-4, atol=1e-7),
            f"Loss term {name!r} changes when the loss is read back from its state: "
            "something it needs is neither parameter nor buffer.",
        )


@check("methods", "trainers", after=("same_seed_gives_the_same_codes", "state_survives_a_round_trip"))
def training_resumes_where_it_stopped(case: Case) -> None:
    """A training stopped between epochs and started again ends exactly where an unbroken one does."""
    subject = case.subject()
    if not subject.trainable:
        raise NotApplicable("it is not trained by gradients")
    epochs, stop = SHORT, SHORT - 2

    def interrupt(epoch: int, terms: Mapping[str, float]) -> None:
        if epoch == stop:
            raise _Interrupted

    unbroken = case.trained()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            subject.train(epochs, folder=folder, report=interrupt)
        except _Interrupted:
            pass
        else:
            require(False, f"The trainer never reported epoch {stop} to job.report; a run could show no progress.")
        kept = Checkpoints(folder).latest()
        require(
            kept is not None and kept.epoch >= 1,
            "The trainer keeps no checkpoint; save one after each epoch where job.checkpoints.due().",
        )
        resumed = subject.train(epochs, folder=folder)
    require(
        np.array_equal(_outputs(subject, unbroken.model), _outputs(subject, resumed.model)),
        "A resumed training ends elsewhere than an unbroken one: the checkpoint lacks a part of the state "
        "(optimizer, buffers, random draws that do not depend on seed and epoch alone).",
    )


@check("methods", "trainers", after=("same_seed_gives_the_same_codes",))
def queries_never_reach_the_trainer(case: Case) -> None:
    """Other queries, with other labels, leave the trained model as it is, bit for bit."""
    subject = case.subject()
    table, query = subject.splits.table, subject.splits.query
    inputs = {name: array.copy() for name, array in table.inputs.items()}
    labels = table.labels.copy()
    for array in inputs.values():
        array[query] = -100.0
    labels[query] = 0
    other = replace(subject.splits, table=replace(table, inputs=inputs, labels=labels))
    first = _outputs(subject, case.trained().model)
    second = _outputs(subject, replace(subject, splits=other).train().model)
    require(np.array_equal(first, second), "The trained model depends on the queries; a trainer must not see them.")


@check("methods", after=("shapes_for_every_bit_length",))
def unsupervised_methods_never_see_labels(case: Case) -> None:
    """An unsupervised method trains with labels that are all NaN, and its loss does not depend on them."""
    subject = case.subject()
    if subject.method.supervision != "unsupervised" or not subject.learns:
        raise NotApplicable("labels may be seen" if subject.learns else "nothing is learnt")
    if not subject.trainable:
        outputs = _outputs(subject, subject.train().model)  # a fitter is handed None in place of labels
        require(bool(np.isfinite(outputs).all()), "Fitted without labels, the outputs are not finite.")
        return
    model, loss = subject.prepared()
    model.eval()
    rows = torch.arange(24)
    labels = torch.from_numpy(subject.splits.table.labels[:24]).float()
    values = []
    for given in (labels, labels.flip(1), torch.full_like(labels, float("nan"))):
        batch = subject.batch(rows, given)
        with torch.no_grad():
            values.append(subject.terms(loss, subject.outputs(model, batch), batch))
    for other in values[1:]:
        for name, value in values[0].items():
            require(torch.equal(value, other[name]), f"Loss term {name!r} depends on the labels.")
    outputs = _outputs(subject, case.trained().model)
    require(bool(np.isfinite(outputs).all()), "Trained with NaN labels, the outputs are not finite.")


@check("methods", after=("encoding_ignores_batching", "gradient_reaches_every_parameter"))
def codes_are_signs_after_training(case: Case) -> None:
    """After training, codes still are the sign of relaxed: what training changes moves both."""
    subject = case.subject()
    if not subject.learns:
        raise NotApplicable("nothing is learnt")
    model = case.trained().model
    model.eval()
    batch = subject.batch(list(range(TRAIN)))
    with torch.no_grad():
        for name, output in subject.outputs(model, batch).items():
            check_output(output, tuple(output.relaxed.shape), f"after training, modality {name}")


@check("methods", after=("same_seed_gives_the_same_codes", "codes_are_signs_after_training"))
def learns_the_toy_problem(case: Case) -> None:
    """Trained, the method solves a problem that an untrained layer does not, and beats LSH by a margin."""
    subject = case.subject()
    if not subject.learns or subject.method.floor:
        raise NotApplicable("it is a reference point" if subject.method.floor else "nothing is learnt")
    unsupervised = subject.method.supervision == "unsupervised"
    wanted = LEARNT_UNSUPERVISED if unsupervised else LEARNT
    margin = MARGIN_UNSUPERVISED if unsupervised else MARGIN
    reason = " (the bar of unsupervised methods: nothing tells them what is noise)" if unsupervised else ""
    found = subject.map(subject.train(EPOCHS).model)
    floor = _floor(subject)
    require(
        found >= max(wanted, floor + margin),
        f"After {EPOCHS} epochs the mAP on the toy problem is {found:.3f}; at least {wanted:.2f} and {margin:.1f} "
        f"above LSH ({floor:.3f}) is asked for{reason}: a wrong sign, a missing gradient, or "
        "a term that outweighs the rest?",
    )


def _floor(subject: Subject) -> float:
    """Return the mAP of LSH on the same features; across modalities its projections know nothing of each other."""
    method = replace(FITTED_HOST, fitter="hashzoo:lsh", modalities=subject.method.modalities)
    floor = replace(subject_of(method), splits=subject.splits)
    return floor.map(floor.train().model)


def _outputs(subject: Subject, model: HashModel) -> np.ndarray:
    """Return the relaxed outputs of the train split, all modalities side by side."""
    rows = subject.splits.train
    return np.concatenate([subject.relaxed(model, m, rows) for m in subject.splits.table.inputs], axis=1)
