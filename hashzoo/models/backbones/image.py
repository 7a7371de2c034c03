"""The image backbone: preprocessing and a network that ends at its features."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.models.preprocessing import Preprocess, Preprocessing


class ImageBackbone(nn.Module):
    """uint8 images (N, H, W, 3) to features (N, D); the network's weights are kept in channels_last layout.

    `feature_dim` is D; `preprocessing` says what is done to the images first, on the device.
    """

    def __init__(self, network: nn.Module, feature_dim: int, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.preprocess = Preprocess(preprocessing)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack the keyword-only form
        self.feature_dim = feature_dim

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to an image before the network."""
        return self.preprocess.preprocessing

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features (N, D)."""
        features: torch.Tensor = self.network(self.preprocess(images))
        return features


def measure_feature_dim(network: nn.Module, size: int, name: str) -> int:
    """Return D of a network by giving it one image of `size` pixels; if it cannot take it, a UsageError."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            features = network(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise UsageError(f"Backbone {name!r} does not take images of {size} pixels: {error}") from error
    finally:
        network.train(training)
    if features.ndim != 2:
        raise UsageError(f"Backbone {name!r} gives features of shape {tuple(features.shape)}, not (N, D).")
    return int(features.shape[1])
