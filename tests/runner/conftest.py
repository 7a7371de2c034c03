"""A registry of the core alone plus a toy method, a toy dataset of vectors and one of vectors in two views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hashzoo.data.datasets import ARRAYS
from hashzoo.plugins import Plugin, Registry, registry
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
    Schedule,
    Setting,
)

PAPER = Paper("toy-2026", "Toy", "A. Author", "", 2026)
FINE = Recipe(10, 64, 1e-5, backbone_lr_scale=0.1, schedule=Schedule("step", 5, 0.5))
FROZEN = Recipe(3, 20, 0.01, "adam")


class ToyLoss(nn.Module):
    """Pull of relaxed outputs to a sign that the class gives."""

    def __init__(self, problem: Problem, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma
        self.head = nn.Linear(problem.bits, problem.num_classes)

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        scores = self.head(output.relaxed)
        value = nn.functional.cross_entropy(scores, batch.labels.argmax(1))
        return {"classification": value, "size": self.gamma * output.relaxed.square().mean()}


def build_toy(problem: Problem, gamma: float = 0.01, margin: int = 1, hard: bool = False, kind: str = "a") -> ToyLoss:
    return ToyLoss(problem, gamma)


def build_other(problem: Problem, delta: float = 1.0) -> ToyLoss:
    return ToyLoss(problem, 0.0)


class Reads(nn.Module):
    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        return {"x": (output.relaxed.mean(1) * batch.labels[:, 0]).mean()}


def build_reads(problem: Problem) -> Reads:
    return Reads()


class Masks(nn.Module):
    """Reads labels by comparison only, so that hidden ones (NaN) leave no trace in its terms."""

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        return {"x": (output.relaxed * (batch.labels[:, :1] > 0)).sum() + output.relaxed.sum()}


def build_masks(problem: Problem) -> Masks:
    return Masks()


class Constant(nn.Module):
    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        return {"x": torch.tensor(1.0)}


def build_constant(problem: Problem) -> Constant:
    return Constant()


class Pretrained(nn.Module):
    """A stand-in for a backbone that brings weights."""

    feature_dim = 4
    preprocessing = None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.float().flatten(1)[:, :4]


def build_pretrained(weights: str = "pretrained") -> Pretrained:
    return Pretrained()


def build_family(model: str, weights: str = "pretrained") -> Pretrained:
    return Pretrained()


def toy_plugin(extra: str = "toy") -> Plugin:
    method = Method(
        "toy",
        PAPER,
        loss="toy",
        hash_layer="linear",
        recipe=FINE,
        options={"loss": {"gamma": 0.5}},
        settings={"frozen": Setting(FROZEN, {"loss": {"margin": 7}}, "by hand")},
        backbones={"image": "toy-pretrained"},
    )
    blind = Method("toy-blind", PAPER, "other", "linear", FROZEN, supervision="unsupervised")
    pair = Method("toy-pair", PAPER, "toy", "linear", FINE, modalities=("image", "text"))
    text = Dataset(
        "toy-pair",
        {"image": "image", "text": "vector"},
        (Protocol("toy-pair-1k", "toy-pair", (0, 0, 0), pairs=(("image", "text"), ("text", "image")), bits=(8,)),),
        load="nowhere:load",
        backbones={"image": "smallcnn", "text": "identity"},
    )
    items = {
        "methods": (method, blind, pair),
        "losses": (
            Component("toy", build_toy),
            Component("other", build_other),
            Component("reads", build_reads),
            Component("masks", build_masks),
            Component("constant", build_constant),
        ),
        "backbones": (
            Component("toy-pretrained", build_pretrained, accepts="image", pretrained=True),
            Component("toy-family/", build_family, accepts="image", pretrained=True),
        ),
        "datasets": (text,),
    }
    return Plugin("toy", "hashzoo-toy", "1.0", "toy = hashzoo_toy", items=items)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def reg(monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("HASHZOO_PLUGINS", "")
    return registry().extended(toy_plugin())


@pytest.fixture
def vectors(tmp_path: Path) -> dict[str, object]:
    """Settings that name a file of 120 vectors of three classes, well apart."""
    assert ARRAYS.modalities == {"vector": "vector"}
    draw = np.random.default_rng(0)
    labels = np.arange(120) % 3
    features = (4 * np.eye(3)[labels] + draw.normal(size=(120, 3))).astype(np.float32)
    np.savez(tmp_path / "vectors.npz", features=features, labels=labels)
    np.save(tmp_path / "vectors.npy", features)
    return {"data.path": str(tmp_path / "vectors.npz"), "data.queries": 30, "data.train": 40}
