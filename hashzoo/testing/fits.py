"""What tests of closed-form methods share: a fitted hash layer, digits as vectors, the MAP of its codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes


class Part(NamedTuple):
    """Features (n, D) float32 and multi-hot labels (n, C) float32."""

    features: torch.Tensor
    labels: torch.Tensor


class Parts(NamedTuple):
    """Train split, queries and database."""

    train: Part
    query: Part
    database: Part


def fitted(fitter: Any, layer: nn.Module, train: Part, seed: int = 0, *, labels: bool = True) -> nn.Module:
    """Return `layer` loaded strictly with what `fitter` gives for the train split; `labels` False hides them."""
    state = fitter.fit({"image": train.features}, train.labels if labels else None, seed)["image"]
    layer.load_state_dict(state, strict=True)
    return layer


def digits() -> Parts:
    """Return the digits of scikit-learn as 64 grey levels 0..16, split as the protocol digits-1k."""
    from hashzoo.data import load_splits
    from hashzoo.data.datasets import DIGITS

    splits = load_splits(DIGITS, DIGITS.protocols[0], Path())
    images, labels = splits.table.inputs["image"], splits.table.labels
    x = torch.from_numpy(images[..., 0].reshape(len(images), -1).astype("float32")) / 255 * 16
    y = torch.from_numpy(labels.astype("float32"))
    return Parts(*(Part(x[rows], y[rows]) for rows in (splits.train, splits.query, splits.database)))


def mean_average_precision(layer: nn.Module, parts: Parts) -> float:
    """Return the MAP of a layer's codes, exact under ties, of the queries over the database."""
    query, database = (
        Codes.from_relaxed(layer(part.features)[0].numpy(), part.labels.numpy())
        for part in (parts.query, parts.database)
    )
    return float(evaluate(query, database, ["map"])["map"])
