"""Checks of backbones, evaluators, datasets and trainers that come without a method."""

from __future__ import annotations

import copy
import inspect
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from hashzoo.data.catalogue import files_of, load_unpinned, loader_of, takes_progress
from hashzoo.data.checks import split_problems
from hashzoo.data.roots import data_root
from hashzoo.data.splits import PARTS
from hashzoo.errors import HashzooError, WorkError
from hashzoo.evaluation.codes import Codes, codes_sha256
from hashzoo.plugins import registry
from hashzoo.runner.build import build
from hashzoo.runner.scoring import run_evaluators
from hashzoo.specs import Dataset, Table
from hashzoo.testing.kit import Case, CheckFailed, NotApplicable, check, require
from hashzoo.testing.toy import EPOCHS, HOST, Subject, subject_of
from hashzoo.training.seeds import seed_all

IMAGE = 64
"""Height and width of the images that backbones are tried on."""
VECTOR = 16
SAMPLE = 2**26
"""Numbers of a data set's inputs that are looked at; of more, that many."""


def _backbone(case: Case, seed: int = 0) -> tuple[nn.Module, torch.Tensor]:
    """Return a backbone with random weights and a batch of six inputs that suit it."""
    if case.name.endswith("/"):
        raise NotApplicable("a family is checked through one of its models")
    accepted = registry().options("backbones", case.name)
    options: dict[str, Any] = {}
    if "weights" in accepted:
        options["weights"] = "random"
    if "in_features" in accepted:
        options["in_features"] = 3 * IMAGE * IMAGE if case.spec.accepts == "image" else VECTOR
    seed_all(seed, "backbone")
    backbone = registry().build("backbones", case.name, options=options)
    draw = torch.Generator().manual_seed(0)
    if case.spec.accepts == "image":
        return backbone, torch.randint(0, 256, (6, IMAGE, IMAGE, 3), dtype=torch.uint8, generator=draw)
    return backbone, torch.randn(6, VECTOR, generator=draw)


@check("backbones")
def features_have_the_stated_width(case: Case) -> None:
    """The output is (N, D) float with D = `.feature_dim`, finite, and `.preprocessing` is stated (None: none)."""
    backbone, inputs = _backbone(case)
    require(hasattr(backbone, "preprocessing"), "The backbone has no `.preprocessing`; set it, None for none.")
    width = getattr(backbone, "feature_dim", None)
    require(isinstance(width, int) and width > 0, f"The backbone's `.feature_dim` is {width!r}.")
    backbone.eval()
    with torch.no_grad():
        features = backbone(inputs)
    require(
        tuple(features.shape) == (6, width),
        f"Features have the shape {tuple(features.shape)}; by `.feature_dim` it is (6, {width}).",
    )
    require(bool(torch.isfinite(features).all()), "Features are not finite.")


@check("backbones")
def features_ignore_batching(case: Case) -> None:
    """An item's features do not depend on the batch it is in, and its weights on the seed alone."""
    backbone, inputs = _backbone(case)
    again, _ = _backbone(case)
    for one in (backbone, again):
        one.eval()
    with torch.no_grad():
        whole, twice = backbone(inputs), again(inputs)
        parts = torch.cat([backbone(part) for part in torch.split(inputs, 4)])
    allowed = 1e-4 * max(1.0, float(whole.abs().max()))
    require(float((whole - parts).abs().max()) <= allowed, "Features change with the batch: statistics of it?")
    require(torch.equal(whole, twice), "Two backbones built with one seed differ; draw from torch's generator.")


@check("backbones", after=("features_have_the_stated_width",))
def gradients_reach_the_backbone(case: Case) -> None:
    """In train mode features are finite, and a finite gradient reaches each parameter that wants one."""
    backbone, inputs = _backbone(case)
    backbone.train()
    features = backbone(inputs)
    require(bool(torch.isfinite(features).all()), "Features are not finite in train mode.")
    trained = {name: value for name, value in backbone.named_parameters() if value.requires_grad}
    if not trained:
        return
    if features.requires_grad:
        weight = torch.randn(features.shape, generator=torch.Generator().manual_seed(0))
        (features * weight).sum().backward()
    dead = [name for name, value in trained.items() if value.grad is None]
    shown = f"{', '.join(dead[:3])}{f' and {len(dead) - 3} more' if len(dead) > 3 else ''}"
    require(
        not dead,
        f"No gradient reaches {shown}: is forward under torch.no_grad, or the parameter not used? One that is not "
        "trained has requires_grad False.",
    )
    bad = [name for name, value in trained.items() if not bool(torch.isfinite(cast(torch.Tensor, value.grad)).all())]
    require(not bad, f"The gradient of {', '.join(bad[:3])} is not finite in train mode.")


@check("fitters")
def fitting_repeats_itself(case: Case) -> None:
    """Two fits with one seed give the same state, bit for bit, and leave features and labels as they are."""
    subject = _fitted(case)
    fitter = subject.plan.config.fitter
    assert fitter is not None  # the method is a closed form
    model, data = subject.build()[0], subject.data()
    data.model = model
    features = {role: data.features(role).float().cpu() for role in data.modalities}
    labels = None if data.hidden else data.labels.cpu()
    states = []
    for _ in range(2):
        given = copy.deepcopy((features, labels))
        seed_all(0, "fit")
        states.append(build(subject.registry, "fitters", fitter, subject.problem).fit(*given, 0))
        require(
            all(torch.equal(given[0][role], value) for role, value in features.items()),
            "The fitter changed the features in place; work on a copy.",
        )
        require(
            labels is None or torch.equal(cast(torch.Tensor, given[1]), labels),
            "The fitter changed the labels in place; work on a copy.",
        )
    for role in features:
        one, two = (state[role] for state in states)
        require(
            set(one) == set(two) and all(np.array_equal(np.asarray(one[name]), np.asarray(two[name])) for name in one),
            f"Two fits with one seed give other states for {role}; draw from generators made from `seed`.",
        )


def _fitted(case: Case) -> Subject:
    """Return the toy problem of a method that the fitter stands in, of a plain host where there is none."""
    for name in registry().names("methods"):
        method = registry().get("methods", name)
        if method.fitter and registry().get("fitters", method.fitter) is case.spec:
            return subject_of(name)
    return case.subject()


@check("evaluators")
def figures_are_numbers(case: Case) -> None:
    """On ordinary codes a run accepts what the evaluator gives: declared, finite, in range, the same each time."""
    plan = subject_of(HOST).plan
    evaluation = plan.config.evaluation.model_copy(update={"evaluators": (case.name,)})
    config = plan.config.model_copy(update={"evaluation": evaluation})
    codes, kept = _codes(), _codes()
    try:
        found = [run_evaluators(registry(), config, plan.protocol, codes, coded=True) for _ in range(2)]
    except WorkError as error:
        raise CheckFailed(str(error)) from None
    require(any(found[0]), "The evaluator returned nothing.")
    require(found[0] == found[1], "The evaluator gives other figures the second time.")
    for name, one in codes.items():
        same = codes_sha256({name: one}) == codes_sha256({name: kept[name]})
        require(same, f"The evaluator changed the {name.partition('.')[0]} codes in place.")


def _codes() -> dict[str, Codes]:
    draw = np.random.default_rng(0)

    def codes(n: int) -> Codes:
        return Codes.from_relaxed(
            draw.standard_normal((n, 16)), draw.integers(0, 4, n), keep_relaxed=True, num_classes=4
        )

    return {"query.image": codes(8), "database.image": codes(40)}


@check("datasets")
def splits_keep_their_promises(case: Case) -> None:
    """A run accepts the splits, which are those of the protocol; ids, labels and inputs are sound, twice the same."""
    dataset: Dataset = case.spec
    absent = _absent(dataset)
    if absent:
        raise NotApplicable(absent)
    elsewhere = []
    for protocol in dataset.protocols:
        where = f"protocol {protocol.id!r}"
        try:
            splits, again = (load_unpinned(dataset, protocol, data_root(), None, {}) for _ in range(2))
        except HashzooError as error:
            if dataset.files or "path" not in inspect.signature(loader_of(dataset)).parameters:
                raise CheckFailed(f"{where} cannot be loaded, though its data are here: {error}") from None
            elsewhere.append(str(error))  # where its data are is known to the loader alone
            continue
        parts = {name: getattr(splits, name) for name in PARTS}
        for name, size in zip(("query", "train", "database"), protocol.sizes, strict=True):
            found = len(parts[name])
            require(not size or found == size, f"{where} has {found} {name} items and promises {size}.")
        problems = split_problems(splits, protocol)
        require(not problems, f"{where} cannot be used by a run: {'; '.join(problems)}.")
        require(
            splits.sha256 == again.sha256
            and all(np.array_equal(rows, getattr(again, name)) for name, rows in parts.items()),
            f"{where} gives another split the second time.",
        )
        expected = protocol.sha256 or splits.sha256
        require(splits.sha256 == expected, f"{where} promises sha256 {expected} and gives {splits.sha256}.")
        for name in dataset.modalities:
            require(name in splits.table.inputs, f"{where} brings no inputs for modality {name!r}.")
        _check_table(splits.table, where)
        _check_repeated(splits.table, again.table, where)

    if len(elsewhere) == len(dataset.protocols):
        raise NotApplicable(f"its data are not here ({elsewhere[0]})")


def _check_table(table: Table, where: str) -> None:
    """Require ids that tell items apart, multi-hot labels, a name for each class or none, and finite inputs."""
    classes, names = table.labels.shape[1], len(table.class_names)
    require(len(np.unique(table.ids)) == len(table.ids), f"{where} gives several items one id; every item has its own.")
    require(
        bool(np.isin(table.labels, (0, 1)).all()),
        f"{where} has labels other than 0 and 1; give one column per class, not class numbers.",
    )
    require(classes > 1, f"{where} has one column of labels; give one column per class, not class numbers.")
    require(names in (0, classes), f"{where} has {names} class names for {classes} columns of labels.")
    for name, array in table.inputs.items():
        if np.issubdtype(array.dtype, np.inexact):
            require(bool(np.isfinite(_some(array)).all()), f"{where} has inputs of {name!r} that are not finite.")


def _check_repeated(table: Table, again: Table, where: str) -> None:
    """Require the same ids, labels, inputs and fingerprint of a table that was loaded twice."""
    for what in ("ids", "labels"):
        same = np.array_equal(getattr(table, what), getattr(again, what))
        require(same, f"{where} gives other {what} the second time; an item keeps its own in every process.")
    for name, array in table.inputs.items():
        require(
            name in again.inputs and np.array_equal(_some(array), _some(again.inputs[name])),
            f"{where} gives other inputs of {name!r} the second time; the fingerprint stands for one content.",
        )
    require(
        bool(table.fingerprint) and table.fingerprint == again.fingerprint,
        f"{where} has the fingerprint {table.fingerprint!r}, and {again.fingerprint!r} the second time; the same "
        "inputs have the same one.",
    )


def _some(array: np.ndarray) -> np.ndarray:
    """Return an array, or of a large one about SAMPLE numbers in whole rows from everywhere in it."""
    if array.size <= SAMPLE:
        return array
    return array[np.linspace(0, len(array) - 1, max(1, SAMPLE * len(array) // array.size)).astype(np.int64)]


def _absent(dataset: Dataset) -> str:
    """Return why no protocol of a dataset can be loaded as it stands, "" where one should."""
    missing = [file["path"] for file in files_of(dataset, data_root()) if not file["exists"]]
    if missing:
        return f"its data are not here ({missing[0]})"
    load = loader_of(dataset)
    parameters = list(inspect.signature(load).parameters.values())[3 if takes_progress(load) else 2 :]
    asked = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    return f"it is loaded with {' and '.join(asked)} of the user's own" if asked else ""


@check("trainers")
def training_changes_the_model(case: Case) -> None:
    """On the toy problem with a plain loss, the trainer leaves finite parameters and a better ranking."""
    subject = case.subject()
    untrained = subject.build()[0]
    kept = copy.deepcopy(untrained.state_dict())
    model = subject.train(EPOCHS).model
    state = model.state_dict()
    require(all(bool(torch.isfinite(value).all()) for value in state.values()), "Parameters are not finite.")
    require(
        any(not torch.equal(value, kept[name]) for name, value in state.items()),
        "Training left the model as it was.",
    )
    before, after = subject.map(untrained), subject.map(model)
    require(after > before + 0.2, f"The mAP on the toy problem went from {before:.3f} to {after:.3f} only.")


@check("trainers")
def large_batches_are_refused_or_trained(case: Case) -> None:
    """A batch size above the train split is a sentence, or trains; never another kind of failure."""
    subject = case.subject()
    config = subject.plan.config
    assert config.recipe is not None  # the host is trained by gradients
    config = config.model_copy(update={"recipe": replace(config.recipe, batch_size=10_000)})
    try:
        replace(subject, plan=replace(subject.plan, config=config)).train(1)
    except HashzooError:
        return
