"""Zero-mean inputs during training, folded into the first layer afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hashzoo import UsageError

if TYPE_CHECKING:
    from hashzoo.training import TrainJob

ROWS = 4096
"""Rows read at a time for the mean."""


class InputMeans:
    """Means (W,) of the train inputs of some modalities of vectors of width W; images are left alone.

    While training, the network sees x - m. Its first layer is linear, V (x - m) + c = V x + (c - V m), so that
    `fold_in` makes the trained network one of x itself, and encoding needs no mean.
    """

    def __init__(self, job: TrainJob, modalities: tuple[str, ...]) -> None:
        self._first: dict[str, nn.Linear] = {}
        self._means: dict[str, torch.Tensor] = {}
        data = job.data
        for modality in modalities:
            rows = torch.split(torch.arange(len(data)), ROWS)
            if data.inputs(modality, rows[0][:1]).ndim == 2:
                self._first[modality] = first_linear(job.model.backbones[modality], job.model.hash_layers[modality])
                total = sum(data.inputs(modality, index).double().sum(dim=0) for index in rows)
                self._means[modality] = (torch.as_tensor(total) / len(data)).float()

    def centered(self, modality: str, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs (N, W) less the mean, where the modality is centred."""
        mean = self._means.get(modality)
        return inputs if mean is None else inputs - mean

    @torch.no_grad()
    def fold_in(self) -> None:
        """Change the first layers' biases so that the networks take inputs that are not centred."""
        for modality, mean in self._means.items():
            layer = self._first[modality]
            layer.bias.sub_((layer.weight.double() @ mean.double()).to(layer.bias.dtype))


def first_linear(backbone: nn.Module, hash_layer: nn.Module) -> nn.Linear:
    """Return the linear layer with bias that sees the inputs, or raise UsageError where another layer does."""
    parts = [*backbone.modules(), *hash_layer.modules()]
    first = next((part for part in parts if next(part.parameters(recurse=False), None) is not None), None)
    if isinstance(first, nn.Linear) and first.bias is not None:
        return first
    raise UsageError(
        "Centring inputs needs a network whose first layer is linear with a bias, such as mlp; use "
        "--set trainer.center=false with this backbone."
    )
