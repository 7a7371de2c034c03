"""The toy problem of the conformance kit, and a method trained on it by the trainer a run uses.

Four signal axes (3 times the label) and twelve nuisance axes (-3 or +3 at random), all with noise of sigma 0.5: an
untrained hash layer, and random projections, mostly see the nuisance; a method that learns from labels finds the
signal. The nuisance has two values so that a loss that only pulls outputs to -1 and +1 prefers it to the signal
(with Gaussian nuisance such a loss alone solved the problem).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import hashzoo
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes
from hashzoo.models.encode import encode
from hashzoo.models.hash_model import HashModel
from hashzoo.plugins import Plugin, Registry, registry
from hashzoo.runner.build import build_model
from hashzoo.runner.devices import make_accelerator
from hashzoo.runner.plan import Plan, resolve
from hashzoo.runner.request import RunRequest
from hashzoo.runner.train import database_data, train_data, train_model
from hashzoo.specs import (
    Batch,
    Component,
    Dataset,
    HashOutput,
    Method,
    Paper,
    Problem,
    Protocol,
    Recipe,
    Splits,
    Table,
)
from hashzoo.training.checkpoints import Checkpoints
from hashzoo.training.job import TrainData

CLASSES, NUISANCE_AXES = 4, 12
TRAIN, QUERY = 400, 80
NUISANCE = 3.0
"""Size of the nuisance where labels are given."""
UNSUPERVISED_NUISANCE = 0.8
"""Size of the nuisance for unsupervised methods, which can keep only what the features show."""
BITS, EPOCHS, SHORT = 16, 30, 3
SETTINGS = {"epochs": EPOCHS, "batch_size": 32, "lr": 0.01, "optimizer": "adam", "weight_decay": 0.0}

HOST = Method(
    "conformance-host",
    Paper("hashzoo", "Host of a component that is checked alone", "hashzoo", "", 2026),
    loss="conformance-loss",
    hash_layer="linear",
    recipe=Recipe(epochs=EPOCHS, batch_size=32, lr=0.01, optimizer="adam"),
)
UNTRAINED_HOST = replace(HOST, loss="", recipe=None, training="none")
FITTED_HOST = replace(UNTRAINED_HOST, training="fit", hash_layer="projection")


@dataclass(frozen=True)
class Trained:
    """Model and loss after training, the mean of each loss term for each epoch, and learned database codes."""

    model: HashModel
    loss: nn.Module
    history: tuple[Mapping[str, float], ...]
    database: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """A method with its options, on one toy problem."""

    registry: Registry
    plan: Plan
    splits: Splits
    bits: int = BITS

    @property
    def method(self) -> Method:
        """The method's spec."""
        return self.plan.method

    @property
    def problem(self) -> Problem:
        """What the builders are told."""
        data = self.plan.dataset
        return Problem(self.bits, CLASSES, len(self.splits.train), data.multilabel, tuple(self.method.modalities))

    @property
    def trainable(self) -> bool:
        """Whether the method is trained by gradients."""
        return self.method.training == "gradient"

    @property
    def learns(self) -> bool:
        """Whether the method takes anything from the train split: by gradients or by a closed form."""
        return self.method.training != "none"

    def build(self, seed: int = 0) -> tuple[HashModel, nn.Module]:
        """Return untrained model and loss (an empty module where the method has none)."""
        shapes = {name: array.shape[1:] for name, array in self.splits.table.inputs.items()}
        model, loss = build_model(self.registry, self.plan.config, self.problem, shapes, seed)
        return model, nn.Module() if loss is None else loss

    def data(self) -> TrainData:
        """Return the train split as a trainer gets it; labels of unsupervised methods are NaN."""
        return train_data(self.plan.config, self.splits, self.splits.table.inputs, "cpu")

    def prepared(self, seed: int = 0) -> tuple[HashModel, nn.Module]:
        """Return model and loss after `prepare`, as they are at the first step."""
        model, loss = self.build(seed)
        data = self.data()
        data.model = model
        for part in (*model.hash_layers.values(), loss):
            begin: Any = getattr(part, "prepare", None)
            if begin is not None:
                with torch.no_grad():
                    begin(data, seed)
        return model, loss

    def batch(self, rows: list[int] | torch.Tensor, labels: torch.Tensor | None = None) -> Batch:
        """Return rows of the train split as a batch, with other labels (N, C) where given."""
        batch = self.data().batch(torch.as_tensor(rows))
        return batch if labels is None else replace(batch, labels=labels)

    def outputs(self, model: HashModel, batch: Batch) -> dict[str, HashOutput]:
        """Return the model's output for each modality of a batch."""
        return {name: model(name, inputs) for name, inputs in batch.inputs.items()}

    def terms(self, loss: nn.Module, outputs: Mapping[str, HashOutput], batch: Batch) -> dict[str, torch.Tensor]:
        """Return the loss terms; a method of one modality gets its output alone, as in training."""
        output = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        terms: dict[str, torch.Tensor] = loss(output, batch)
        return terms

    def train(
        self,
        epochs: int = SHORT,
        seed: int = 0,
        folder: Path | None = None,
        report: Callable[[int, Mapping[str, float]], None] | None = None,
    ) -> Trained:
        """Train with the method's trainer; with `folder`, keep a checkpoint after every epoch and go on from it."""
        if folder is None:
            with tempfile.TemporaryDirectory() as temporary:
                return self.train(epochs, seed, Path(temporary), report)
        model, loss = self.build(seed)
        history: list[Mapping[str, float]] = []

        def note(epoch: int, terms: Mapping[str, float]) -> None:
            history.append(dict(terms))
            if report is not None:
                report(epoch, terms)

        config = self.plan.config
        if config.recipe is not None:
            config = config.model_copy(update={"recipe": replace(config.recipe, epochs=epochs)})
        learned = train_model(
            self.registry,
            config,
            self.problem,
            model,
            loss,
            self.data(),
            seed=seed,
            accelerator=make_accelerator("cpu", "fp32"),
            checkpoints=Checkpoints(folder, seconds=0.0),
            report=note,
            database=database_data(config, self.splits, self.splits.table.inputs, "cpu"),
        )
        return Trained(model, loss, tuple(history), learned)

    def relaxed(self, model: HashModel, modality: str, rows: np.ndarray) -> np.ndarray:
        """Return the relaxed outputs (n, K) of rows of the table, encoded as a run does."""
        role = self.plan.config.roles[modality]
        return encode(model, role, self.splits.table.inputs[modality], rows, make_accelerator("cpu", "fp32"))

    def map(self, model: HashModel) -> float:
        """Return the mean average precision of queries against the database, the lowest of all pairs."""
        table = self.splits.table
        values = []
        for query, database in self.plan.protocol.pairs:
            sets = [
                Codes.from_relaxed(self.relaxed(model, m, rows), table.labels[rows], keep_relaxed=True)
                for m, rows in ((query, self.splits.query), (database, self.splits.database))
            ]
            found = evaluate(sets[0], sets[1], ["map"], ranking=self.method.ranking)
            values.append(float(found["map"]))
        return min(values)


def subject_of(
    method: str | Method, bits: int = BITS, multilabel: bool = False, settings: Mapping[str, Any] | None = None
) -> Subject:
    """Return a method, by name or as a spec that is not registered, on the toy problem that suits it.

    `settings` are options as `--set` names them.
    """
    found = registry()
    spec = found.get("methods", method) if isinstance(method, str) else method
    dataset = _dataset(spec.modalities, multilabel)
    found = found.extended(_plugin(dataset, () if isinstance(method, str) else (method,)))
    request = RunRequest(
        method=method if isinstance(method, str) else f"hashzoo:{method.name}",
        protocol=f"hashzoo:{dataset.protocols[0].id}",
        backbone="hashzoo:identity",
        settings={**(SETTINGS if spec.training == "gradient" else {}), **(settings or {})},
    )
    plan = resolve(request, found)
    blind = plan.method.supervision == "unsupervised" and plan.method.training != "none" and not plan.method.floor
    nuisance = UNSUPERVISED_NUISANCE if blind else NUISANCE
    return Subject(found, plan, toy_splits(tuple(spec.modalities), multilabel, nuisance), bits)


def toy_splits(
    modalities: tuple[str, ...] = ("image",), multilabel: bool = False, nuisance: float = NUISANCE, seed: int = 0
) -> Splits:
    """Return the toy problem: 400 train items that are the database too, 80 queries, 16 numbers a modality.

    Each modality shows the same labels under its own noise. With `multilabel` an item has one or two labels.
    """
    draw = np.random.default_rng(seed)
    n = TRAIN + QUERY
    labels = np.eye(CLASSES, dtype=np.uint8)[np.arange(n) % CLASSES]
    if multilabel:
        labels |= np.eye(CLASSES, dtype=np.uint8)[draw.integers(0, CLASSES, n)]
    inputs = {}
    for modality in modalities:
        signal = 3.0 * labels + 0.5 * draw.standard_normal((n, CLASSES))
        other = nuisance * draw.choice((-1.0, 1.0), (n, NUISANCE_AXES))
        other += 0.5 * nuisance / NUISANCE * draw.standard_normal(other.shape)
        inputs[modality] = np.concatenate([signal, other], axis=1).astype(np.float32)
    content = hashlib.sha256(b"".join(array.tobytes() for array in inputs.values()))
    table = Table(inputs, labels, np.arange(n), content.hexdigest())
    train = np.arange(TRAIN)
    return Splits(table, train, np.arange(TRAIN, n), train, content.hexdigest())


def _dataset(modalities: tuple[str, ...], multilabel: bool) -> Dataset:
    names = tuple(modalities)
    pairs = tuple((a, b) for a in names for b in names if a != b) or ((names[0], names[0]),)
    protocol = Protocol("conformance-toy", "conformance-toy", (QUERY, TRAIN, TRAIN), pairs=pairs, bits=(BITS,))
    return Dataset(
        "conformance-toy",
        dict.fromkeys(names, "vector"),
        (protocol,),
        load=lambda protocol, root: toy_splits(names, multilabel),
        backbones=dict.fromkeys(names, "identity"),
        multilabel=multilabel,
    )


class HostLoss(nn.Module):
    """Pairwise logistic loss on half the inner products, and a pull of relaxed outputs to -1 and +1."""

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the two terms."""
        relaxed = output.relaxed
        similar = (batch.labels @ batch.labels.T > 0).float()
        pairwise = nn.functional.binary_cross_entropy_with_logits(0.5 * relaxed @ relaxed.T, similar)
        return {"pairwise": pairwise, "quantization": 0.1 * (relaxed.abs() - 1).square().mean()}


def build_host_loss(problem: Problem) -> HostLoss:
    """Build the loss of the host method."""
    return HostLoss()


def _plugin(dataset: Dataset, methods: tuple[Method, ...]) -> Plugin:
    loss = Component("conformance-loss", build_host_loss)
    items: dict[str, Any] = {"datasets": (dataset,), "methods": methods, "losses": (loss,)}
    return Plugin("conformance", "hashzoo", hashzoo.__version__, "conformance = hashzoo.testing.toy", items=items)
