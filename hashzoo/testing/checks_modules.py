"""Checks of losses and hash layers, untrained: shapes, finite terms, gradients, and inputs that break formulas."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.models.hash_model import HashModel
from hashzoo.specs import Batch, HashOutput
from hashzoo.testing.kit import Case, NotApplicable, check, require
from hashzoo.testing.toy import CLASSES, Subject

BIT_LENGTHS = (12, 16, 24, 32, 48, 64, 128)
LARGE = 1e4
"""Factor on the inputs in `large_inputs_stay_finite`."""


def label_kinds(case: Case) -> tuple[bool, ...]:
    """Return False for one label per item, and True for several where they are not refused with a sentence."""
    try:
        case.subject(multilabel=True).build()
    except UsageError:
        return (False,)
    return (False, True)


@check("methods", "hash_layers", after=("options_are_explicit", "options_have_names"))
def shapes_for_every_bit_length(case: Case) -> None:
    """Relaxed and codes are (N, K) for 12 to 128 bits, codes the sign of relaxed; a refused length is left out."""
    refused = []
    for bits in BIT_LENGTHS:
        try:
            for multilabel in label_kinds(case):
                _check_shapes(case.subject(bits, multilabel), bits, multilabel)
        except UsageError as error:
            refused.append(str(error))
    require(len(refused) < len(BIT_LENGTHS), f"Every number of bits from 12 to 128 is refused: {' '.join(refused[:1])}")


def _check_shapes(subject: Subject, bits: int, multilabel: bool) -> None:
    model, _ = subject.build()
    batch = subject.batch(list(range(6)))
    kind = " and several labels" if multilabel else ""
    for training in (False, True):
        model.train(training)
        for name, output in subject.outputs(model, batch).items():
            width = bits if subject.method.coded else output.features.shape[1]
            where = f"with {bits} bits{kind}, modality {name}{', in train mode' if training else ''}"
            check_output(output, (6, width), where, training=training)


def check_output(output: HashOutput, shape: tuple[int, ...], where: str, *, training: bool = False) -> None:
    """Require relaxed and codes of a shape (N, K), finite, and codes that are the sign of relaxed.

    In `training` codes may be drawn, or balanced over the batch: a quarter of them at least has to be that sign.
    """
    for field in ("relaxed", "codes"):
        found = tuple(getattr(output, field).shape)
        require(found == shape, f"{field} has the shape {found} {where}; it must be {shape}.")
    require(bool(torch.isfinite(output.relaxed).all()), f"relaxed is not finite {where}.")
    require(
        bool((output.codes.detach().abs() == 1).all()),
        f"codes are not all -1 or +1 {where}; "
        "signs + (relaxed - relaxed.detach()) is exact, relaxed + (signs - relaxed).detach() is not.",
    )
    signs = torch.where(output.relaxed >= 0, 1.0, -1.0)
    share = float((output.codes.detach() == signs).float().mean())
    require(
        share == 1 or (training and share >= 0.25),
        f"codes are not the sign of relaxed {where}, with sign(0) = +1; the core binarises relaxed.",
    )


@check(
    "methods", "losses",
    after=("options_have_names", "shapes_for_every_bit_length", "unsupervised_methods_never_see_labels"),
)  # fmt: skip
def loss_terms_are_finite_scalars(case: Case) -> None:
    """The loss returns {name: scalar tensor}, finite, in float32, for single- and multi-label data."""
    for multilabel in label_kinds(case):
        subject = _trained_by_gradient(case, multilabel)
        model, loss = subject.prepared()
        batch = subject.batch(list(range(32)))
        terms = subject.terms(loss, subject.outputs(model, batch), batch)
        require(isinstance(terms, Mapping) and len(terms) > 0, f"The loss returned {type(terms).__name__}.")
        for name, value in terms.items():
            require(isinstance(name, str) and bool(name), f"A loss term is called {name!r}.")
            require(isinstance(value, torch.Tensor), f"Loss term {name!r} is a {type(value).__name__}.")
            require(
                value.ndim == 0,
                f"Loss term {name!r} has the shape {tuple(value.shape)}; reduce it to a scalar.",
            )
            require(value.is_floating_point(), f"Loss term {name!r} is of dtype {value.dtype}.")
        _require_finite(terms, "on an ordinary batch")


@check("methods", after=("loss_terms_are_finite_scalars",))
def gradient_reaches_every_parameter(case: Case) -> None:
    """Each parameter of model and loss gets a gradient that is not zero; else it is dead or detached."""
    subject = case.subject()
    model, loss = subject.prepared()
    named = _parameters(model, loss)
    if not subject.trainable:
        trained = [name for name, value in named.items() if value.requires_grad]
        require(not trained, f"A method that is not trained by gradients has parameters: {', '.join(trained)}.")
        raise NotApplicable("it is not trained by gradients")
    if "trainer" in subject.registry.get("losses", subject.method.loss).requires:
        raise NotApplicable("its loss learns from the batches of its own trainer only")
    model.train()
    for begin in range(0, 128, 32):
        batch = subject.batch(list(range(begin, begin + 32)))
        terms = subject.terms(loss, subject.outputs(model, batch), batch)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call] # torch types it so
    dead = [n for n, p in named.items() if p.requires_grad and (p.grad is None or not bool(p.grad.any()))]
    require(
        not dead,
        f"No gradient reaches {', '.join(dead)}: the parameter is not used, or the path to it is detached "
        "(a sign without a straight-through gradient?).",
    )


@check(
    "methods", "losses",
    after=(
        "loss_terms_are_finite_scalars", "encoding_ignores_batching", "same_seed_gives_the_same_codes",
        "inputs_are_left_alone",
    ),
)  # fmt: skip
def loss_ignores_batch_order(case: Case) -> None:
    """The same items in another order give the same terms; position in the batch means nothing, `index` does."""
    subject = _trained_by_gradient(case)
    model, loss = subject.prepared()
    model.eval()
    rows = torch.arange(24)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    values = []
    for chosen in (rows, rows[order]):
        batch, own = subject.batch(chosen), copy.deepcopy(loss)
        with torch.no_grad():
            values.append(subject.terms(own, subject.outputs(model, batch), batch))
    for name, value in values[0].items():
        require(
            torch.allclose(value, values[1][name], rtol=1e-3, atol=1e-6),
            f"Loss term {name!r} is {value.item():.6g}, and {values[1][name].item():.6g} in another order.",
        )


@check("methods", "losses", after=("loss_terms_are_finite_scalars",))
def inputs_are_left_alone(case: Case) -> None:
    """Model and loss change neither the batch nor the outputs they are given, for single- and multi-label data."""
    for multilabel in label_kinds(case):
        subject = _trained_by_gradient(case, multilabel)
        model, loss = subject.prepared()
        batch = subject.batch(list(range(16)))
        kept = copy.deepcopy(batch)
        outputs = subject.outputs(model, batch)
        before = {name: (output.relaxed.clone(), output.codes.clone()) for name, output in outputs.items()}
        subject.terms(loss, outputs, batch)
        where = " where items have several labels" if multilabel else ""
        same = torch.equal(torch.nan_to_num(batch.labels), torch.nan_to_num(kept.labels))
        require(
            same and torch.equal(batch.index, kept.index),
            f"The loss changed the batch's labels or index in place{where}.",
        )
        for name, inputs in batch.inputs.items():
            require(torch.equal(inputs, kept.inputs[name]), f"The inputs of {name} were changed in place{where}.")
            relaxed, codes = before[name]
            unchanged = torch.equal(outputs[name].relaxed, relaxed) and torch.equal(outputs[name].codes, codes)
            require(unchanged, f"The loss changed the outputs of {name} in place{where}.")


@check("methods", "losses", after=("loss_terms_are_finite_scalars",))
def unlabelled_images_are_accepted(case: Case) -> None:
    """Items without any label, some or all of a batch, give finite terms and gradients."""
    for share, what in ((4, "with four items without labels"), (16, "of items without labels")):
        subject = _trained_by_gradient(case)
        batch = subject.batch(list(range(16)))
        labels = batch.labels.clone()
        labels[:share] = 0.0
        _require_good(subject, replace(batch, labels=labels), f"on a batch {what}")


@check("methods", "losses", after=("loss_terms_are_finite_scalars",))
def one_class_batches_are_accepted(case: Case) -> None:
    """A batch of one class has no dissimilar pair, one of single items no similar pair; terms stay finite."""
    subject = _trained_by_gradient(case)
    same = list(range(0, 16 * CLASSES, CLASSES))
    _require_good(subject, subject.batch(same), "on a batch of one class")
    _require_good(subject, subject.batch(list(range(CLASSES))), "on a batch with one item of each class")


@check("methods", "losses", after=("loss_terms_are_finite_scalars", "one_class_batches_are_accepted"))
def a_batch_of_one_is_accepted(case: Case) -> None:
    """A batch of one item, as the last of an epoch may be, gives finite terms and gradients."""
    subject = _trained_by_gradient(case)
    _require_good(subject, subject.batch([3]), "on a batch of one item")


@check("methods", "hash_layers", "losses", after=("shapes_for_every_bit_length", "loss_terms_are_finite_scalars"))
def zero_input_gives_a_code(case: Case) -> None:
    """Inputs, or parameters, of zeros give codes of -1 and +1 and finite terms: sign(0) is +1, norms are guarded."""
    _scaled_inputs(case, 0.0, "on inputs that are zero")
    subject = case.subject()
    model, _ = subject.build()
    model.eval()
    with torch.no_grad():
        for parameter in model.hash_layers.parameters():
            parameter.zero_()
        for output in subject.outputs(model, subject.batch(list(range(6)))).values():
            check_output(output, (6, output.relaxed.shape[1]), "where all parameters are zero")


@check("methods", "hash_layers", "losses", after=("shapes_for_every_bit_length", "loss_terms_are_finite_scalars"))
def large_inputs_stay_finite(case: Case) -> None:
    """Inputs ten thousand times as large give finite outputs, terms and gradients: no plain exp, no log of zero."""
    _scaled_inputs(case, LARGE, f"on inputs times {LARGE:g}")


def _scaled_inputs(case: Case, factor: float, where: str) -> None:
    subject = case.subject()
    batch = subject.batch(list(range(16)))
    batch = replace(batch, inputs={name: value * factor for name, value in batch.inputs.items()})
    model, _ = subject.build()
    model.eval()
    with torch.no_grad():
        for output in subject.outputs(model, batch).values():
            check_output(output, (16, output.relaxed.shape[1]), where)
    if subject.trainable and case.kind != "hash_layers":
        _require_good(subject, batch, where)


@check("methods", "losses", after=("loss_terms_are_finite_scalars",))
def bf16_stays_finite(case: Case) -> None:
    """Features rounded to bfloat16, with equal rows among them, and a pass under autocast give finite terms."""
    subject = _trained_by_gradient(case)
    batch = subject.batch([*range(12), *range(4)])
    rounded = {name: value.bfloat16().float() for name, value in batch.inputs.items()}
    batch = replace(batch, inputs=rounded)
    _require_good(subject, batch, "on inputs rounded to bfloat16")
    model, loss = subject.prepared()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = subject.terms(loss, subject.outputs(model, batch), batch)
    _require_finite(terms, "under bfloat16 autocast")


def _trained_by_gradient(case: Case, multilabel: bool = False) -> Subject:
    subject = case.subject(multilabel=multilabel)
    if not subject.trainable:
        raise NotApplicable("it is not trained by gradients")
    return subject


def _require_good(subject: Subject, batch: Batch, where: str) -> None:
    """Require finite terms, and finite gradients of everything, on a batch."""
    model, loss = subject.prepared()
    terms = subject.terms(loss, subject.outputs(model, batch), batch)
    _require_finite(terms, where)
    total = torch.stack(list(terms.values())).sum()
    if not total.requires_grad:
        return
    total.backward()  # type: ignore[no-untyped-call] # torch types it so
    for name, value in _parameters(model, loss).items():
        finite = value.grad is None or bool(torch.isfinite(value.grad).all())
        require(finite, f"The gradient of {name} is not finite {where}.")


def _require_finite(terms: Mapping[str, torch.Tensor], where: str) -> None:
    for name, value in terms.items():
        require(
            bool(torch.isfinite(value).all()),
            f"Loss term {name!r} is not finite {where}: a division by zero, a log of zero or an overflow.",
        )


def _parameters(model: HashModel, loss: nn.Module) -> dict[str, nn.Parameter]:
    own = {f"model.{name}": value for name, value in model.named_parameters()}
    return own | {f"loss.{name}": value for name, value in loss.named_parameters()}
