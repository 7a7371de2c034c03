"""Checks of what a method keeps and where: tensors outside of buffers, state of the process, names of roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hashzoo.errors import UsageError
from hashzoo.specs import HashOutput
from hashzoo.testing.checks_spec import probed
from hashzoo.testing.fingerprint import SEED, fingerprint
from hashzoo.testing.kit import Case, CheckFailed, NotApplicable, check, require, said
from hashzoo.testing.toy import Subject, subject_of

_INDEXING = ("__getitem__", "__setitem__")
_MOVING = ("to", "copy_", "type_as", "__get__")
"""Calls that may see tensors of two devices."""


class _Left(Exception):  # noqa: N818 -- a finding of the kit
    """A tensor was left behind when the module that uses it moved to another device."""


class _Devices(TorchFunctionMode):
    """Raises `_Left` at the first operation on tensors of two devices; on "meta" torch itself lets many pass."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        left = [t for t in _tensors((args, kwargs)) if t.ndim and t.device.type == "cpu"]
        moved = any(t.device.type != "cpu" for t in _tensors((args, kwargs)))
        if name in _INDEXING:  # a tensor on any device is indexed by one in main memory
            left = [t for t in left if t is args[0]]
        if left and moved and name not in _MOVING:
            raise _Left(f"a tensor of shape {tuple(left[0].shape)}, met in {name}")
        return func(*args, **(kwargs or {}))


@check(
    "methods", "losses", "hash_layers",
    after=("shapes_for_every_bit_length", "loss_terms_are_finite_scalars"),
)  # fmt: skip
def tensors_follow_the_module(case: Case) -> None:
    """Every tensor of model and loss moves with it to another device: it is a parameter or a buffer."""
    subject = case.subject()
    model, loss = subject.prepared()
    target = "cuda" if torch.cuda.is_available() else "meta"
    batch = subject.batch(list(range(8)))
    batch = replace(
        batch,
        inputs={name: value.to(target) for name, value in batch.inputs.items()},
        labels=batch.labels.to(target),
        index=batch.index.to(target),
    )
    model.to(target)
    loss.to(target)
    try:
        with _Devices():
            outputs = {}
            for role, inputs in batch.inputs.items():  # the model itself switches autocast off, which "meta" has not
                features = model.backbones[role](inputs)
                outputs[role] = HashOutput(features, *model.hash_layers[role](features))
            if subject.trainable:
                subject.terms(loss, outputs, batch)
    except _Left as found:
        raise CheckFailed(f"Moved to another device, model or loss leaves {found}; {_REGISTER}") from None
    except Exception:  # noqa: BLE001 -- what looks at values cannot be followed without them; its attributes can
        for part in (model, loss):
            for place, value in _loose(part):
                what = f"{place}, of shape {tuple(value.shape)}"
                require(False, f"Moved to another device, {type(part).__name__} leaves {what}; {_REGISTER}")


_REGISTER = "keep it with self.register_buffer(name, tensor), so that it moves and is in checkpoints."


def _loose(part: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (place, tensor) of tensors in main memory that are attributes of modules and no parameters or buffers."""
    registered = ("_parameters", "_buffers", "_modules")
    for name, module in part.named_modules():
        for key, value in vars(module).items():
            if key not in registered:
                yield from ((f"{name}.{key}".lstrip("."), t) for t in _tensors(value) if t.ndim and not t.is_meta)


def _tensors(value: Any, depth: int = 3) -> Iterator[torch.Tensor]:
    """Yield the tensors in a value and in the tuples, lists and mappings in it."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each, depth - 1)
    elif depth and isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each, depth - 1)


@check("methods", after=("tensors_follow_the_module", "same_seed_gives_the_same_codes"))
def a_fresh_process_gives_the_same(case: Case) -> None:
    """A process that built nothing before, with another PYTHONHASHSEED, gives the same state and outputs for a seed."""
    subject = case.subject()
    elsewhere = probed(case.owner).states[case.spec.name]
    if isinstance(elsewhere, str):
        raise CheckFailed(f"Built in a fresh process, it fails: {elsewhere}")
    subject.build(SEED + 1)  # what a cache would keep
    here = fingerprint(subject, SEED)
    for name, value in here.items():
        other = elsewhere[name]
        # a closed form that draws from its seed alone repeats itself bit for bit, and so do signs and counts
        exact = subject.method.training == "fit" or bool((value == value.round()).all())
        if torch.equal(value, other) if exact else torch.allclose(value, other, rtol=1e-3, atol=1e-4, equal_nan=True):
            continue
        require(
            False,
            f"{name} is another one in a fresh process with the same seed. Does it depend on hash() of a text or on "
            "the order of a set (derive seeds with hashlib, or draw from torch's generator), or is it kept from an "
            "earlier build (a cache of drawn centers; build it anew, and keep it in the module)?",
        )


@check("methods", "losses", after=("loss_terms_are_finite_scalars", "same_seed_gives_the_same_codes"))
def names_of_roles_do_not_matter(case: Case) -> None:
    """With roles of other names, loss and trainer do the same: names come from `problem.modalities`."""
    subject = case.subject()
    if not subject.trainable:
        raise NotApplicable("it is not trained by gradients")
    if case.kind == "losses" or not subject.method.backbones:
        method = subject.method
    else:
        method = replace(subject.method, backbones={})
    roles = {old: f"role-{number}" for number, old in enumerate(method.modalities)}
    renamed = subject_of(replace(method, modalities=tuple(roles.values())), subject.bits)
    values = []
    for one in (subject, renamed):
        model, loss = one.prepared()
        batch = one.batch(list(range(16)))
        with torch.no_grad():
            values.append(_renamed_terms(one, model, loss, batch, renamed is one))
    for name, value in values[0].items():
        require(
            name in values[1] and torch.allclose(value, values[1][name], rtol=1e-4, atol=1e-6),
            f"Loss term {name!r} changes with the names of the method's roles; take them from problem.modalities.",
        )
    _tried(renamed)


def _renamed_terms(subject: Subject, model: Any, loss: nn.Module, batch: Any, new: bool) -> dict[str, torch.Tensor]:
    try:
        return subject.terms(loss, subject.outputs(model, batch), batch)
    except Exception as error:
        if not new:
            raise
        raise CheckFailed(
            f"The loss fails where the method's roles have other names: {said(error)}; {_ROLES}"
        ) from error


_ROLES = "take the names from problem.modalities, none is fixed."


def _tried(subject: Subject) -> None:
    """Train one epoch, requiring that it works."""
    try:
        subject.train(1)
    except Exception as error:
        raise CheckFailed(f"Training fails where the roles have other names: {said(error)}; {_ROLES}") from error


@check("methods", after=("same_seed_gives_the_same_codes",))
def every_label_counts(case: Case) -> None:
    """On data of several labels an item, training depends on all of them: not only on the first (an argmax)."""
    subject = case.subject()
    if subject.method.supervision == "unsupervised" or not subject.learns:
        raise NotApplicable("labels are not seen" if subject.learns else "nothing is learnt")
    try:
        subject = case.subject(multilabel=True)
        several = subject.train(1).model
    except UsageError as error:
        raise NotApplicable(f"several labels are refused: {error}") from None
    table = subject.splits.table
    labels = table.labels.copy()
    for row in labels:
        row[row.nonzero()[0][1:]] = 0

    def changes(labels: np.ndarray) -> bool:
        """Whether training on other labels gives another model."""
        other = replace(subject, splits=replace(subject.splits, table=replace(table, labels=labels)))
        state = other.train(1).model.state_dict()
        return any(not torch.equal(value, state[name]) for name, value in several.state_dict().items())

    require(
        changes(labels) or not changes(np.roll(table.labels, 1, axis=1)),
        "With items of several labels, training is the same when each keeps its first label only: an argmax over "
        "multi-hot labels? Use all of them, or refuse problem.multilabel with a sentence.",
    )
