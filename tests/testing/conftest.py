"""A healthy plugin, and broken copies of it, installed as distributions into a temporary site directory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hashzoo.testing import write_distribution

HOOKS = """
from hashzoo import Component, Method, Paper, PaperRow, PaperTable, Range, Recipe, hookimpl

PAPER = Paper("@name@-2020", "A title", "A. Author", "A venue", 2020)
TABLE = PaperTable(
    "@name@-2020-table1",
    PAPER,
    "Table 1",
    "map",
    (PaperRow("@name@", "CIFAR-10", 16, 0.75, source="the paper", confidence="read"),),
)


@hookimpl
def hashzoo_register_losses():
    return [Component("@name@", "hashzoo_@name@_model:build_loss")]


@hookimpl
def hashzoo_register_hash_layers():
    return [Component("@name@", "hashzoo_@name@_model:build_hash_layer")]


@hookimpl
def hashzoo_register_trainers():
    return [Component("@name@", "hashzoo_@name@_model:build_trainer")]


@hookimpl
def hashzoo_register_paper_tables():
    return [TABLE]


@hookimpl
def hashzoo_register_methods():
    recipe = Recipe(epochs=1, batch_size=32, lr=0.1)
    space = {"loss.gamma": Range(0.1, 10.0, log=True, source="by hand")}
    return [
        Method("@name@", PAPER, loss="@name@", hash_layer="@name@", recipe=recipe, trainer="@name@", space=space@more@)
    ]
"""

MODEL = """
import torch
import torch.nn.functional as F
from torch import nn

from hashzoo.training.loop import GradientTrainer


class Layer(nn.Module):
    def __init__(self, feature_dim, bits):
        super().__init__()
        self.linear = nn.Linear(feature_dim, bits)

    def forward(self, features):
        relaxed = self.linear(features)
        return relaxed, torch.where(relaxed >= 0, 1.0, -1.0) + (relaxed - relaxed.detach())


class Loss(nn.Module):
    def __init__(self, problem):
        super().__init__()
        self.classifier = nn.Linear(problem.bits, problem.num_classes, bias=False)

    def forward(self, output, batch):
        labels = batch.labels
        targets = labels / labels.sum(1, keepdim=True).clamp_min(1)
        classification = F.cross_entropy(self.classifier(output.codes), targets)
        quantization = 0.1 * (output.relaxed.abs() - 1).abs().mean()
        return {"classification": classification, "quantization": quantization}


class Trainer(GradientTrainer):
    pass


def build_hash_layer(feature_dim, problem):
    return Layer(feature_dim, problem.bits)


def build_loss(problem, gamma=1.0):
    return Loss(problem)


def build_trainer():
    return Trainer()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A site directory on sys.path; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("HASHZOO_PLUGINS", raising=False)
    yield folder
    for module in [m for m in sys.modules if str(getattr(sys.modules[m], "__file__", "")).startswith(str(folder))]:
        del sys.modules[module]


@pytest.fixture
def make(site: Path) -> Callable[..., str]:
    """Install the healthy plugin under a name, with parts of its sources replaced, and return the name."""

    def write(
        name: str, model: dict[str, str] | None = None, hooks: dict[str, str] | None = None, more: str = ""
    ) -> str:
        sources = []
        for source, changes in ((HOOKS, hooks), (MODEL, model)):
            text = source
            for old, new in (changes or {}).items():
                assert old in text, f"the healthy plugin has no {old!r}"
                text = text.replace(old, new)
            sources.append(text.replace("@name@", name).replace("@more@", f", {more}" if more else ""))
        write_distribution(site, f"hashzoo-{name}", sources[0], extra={f"hashzoo_{name}_model": sources[1]})
        return name

    return write
