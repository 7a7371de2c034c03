"""HashModel: one backbone and one hash layer for each of a method's roles."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.specs import HashOutput


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which mixed precision is off; where it is off already, one that does nothing."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


class HashModel(nn.Module):
    """Backbones and hash layers by role: inputs to features (N, D), relaxed (N, K) and codes (N, K).

    Hash layers compute in float32 whatever the precision of the backbones is, so that a code never depends
    on a rounding to bfloat16 of the relaxed output.
    """

    def __init__(self, backbones: Mapping[str, nn.Module], hash_layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        if set(backbones) != set(hash_layers):
            raise UsageError(
                "A HashModel needs one hash layer per backbone; backbones are given for "
                f"{sorted(backbones)} and hash layers for {sorted(hash_layers)}."
            )
        self.backbones = nn.ModuleDict(dict(backbones))
        self.hash_layers = nn.ModuleDict(dict(hash_layers))

    def forward(self, modality: str, inputs: torch.Tensor) -> HashOutput:
        """Return features, relaxed outputs and codes of a batch of one modality, all float32."""
        if modality not in self.backbones:
            raise UsageError(f"The model has no modality {modality!r}; it has {', '.join(self.backbones)}.")
        features = self.backbones[modality](inputs)
        with full_precision(features.device):
            features = features.float()
            relaxed, codes = self.hash_layers[modality](features)
        return HashOutput(features=features, relaxed=relaxed, codes=codes)

    def settled_norms(self) -> list[nn.Module]:
        """Return the batch normalisations of the backbones whose running statistics are not those of a new layer."""
        return [
            module
            for module in self.backbones.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
            and module.running_mean is not None
            and module.running_var is not None
            and not (bool((module.running_mean == 0).all()) and bool((module.running_var == 1).all()))
        ]

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Tell hash layers that define `start_epoch` that epoch `epoch` (0-based) of `epochs` begins."""
        for layer in self.hash_layers.values():
            begin = getattr(layer, "start_epoch", None)
            if begin is not None:
                begin(epoch, epochs)
