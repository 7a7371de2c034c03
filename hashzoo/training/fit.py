"""Closed-form training: a fitter sees the train features once and gives the state of the hash layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch

from hashzoo.errors import DivergedError, WorkError
from hashzoo.models.hash_model import HashModel
from hashzoo.training.job import TrainData
from hashzoo.training.seeds import seed_all


class Fitter(Protocol):
    """What a fitter component builds."""

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> Mapping[str, Mapping[str, torch.Tensor]]:
        """Return each role's hash layer state, from features (n, D) by role and labels (n, C) or None."""


def fit_layers(model: HashModel, fitter: Fitter, data: TrainData, seed: int) -> None:
    """Fit the hash layers of a model in place.

    The fitter gets the features of the train split by role, float32 on the processor, and its labels, None where they
    are hidden. What it returns has to be the whole state of each hash layer, finite; else WorkError.
    """
    data.model = model
    features = {role: data.features(role).float().cpu() for role in data.modalities}
    labels = None if data.hidden else data.labels.cpu()
    seed_all(seed, "fit")
    state = fitter.fit(features, labels, seed)
    if set(state) != set(features):
        raise WorkError(
            f"The fitter gave state for {', '.join(state) or 'nothing'}; it is to give it for {', '.join(features)}."
        )
    for role, buffers in state.items():
        _load(model, role, buffers)


def _load(model: HashModel, role: str, buffers: Mapping[str, torch.Tensor]) -> None:
    layer = model.hash_layers[role]
    wanted = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    given = {name: tuple(torch.as_tensor(value).shape) for name, value in buffers.items()}
    if given != wanted:
        raise WorkError(
            f"The fitter gave the hash layer of {role} the state {given} and its {type(layer).__name__} holds "
            f"{wanted}; names and shapes are to be the same."
        )
    bad = [name for name, value in buffers.items() if not bool(torch.isfinite(torch.as_tensor(value)).all())]
    if bad:
        raise DivergedError(
            f"The fitter gave the hash layer of {role} values that are not finite in {', '.join(bad)}", "."
        )
    layer.load_state_dict({name: torch.as_tensor(value) for name, value in buffers.items()})
