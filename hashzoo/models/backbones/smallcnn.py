"""A small convolutional network for tiny images (8 to 32 pixels), trained from scratch."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.models.backbones.image import ImageBackbone
from hashzoo.models.preprocessing import Preprocessing
from hashzoo.models.weights import load_weights, no_pretrained

HALF = (0.5, 0.5, 0.5)


class SmallCNN(nn.Module):
    """Three pairs of 3 x 3 convolutions with batch norm and ReLU, max pooling between, then the spatial mean.

    Images of any size from 4 x 4 pixels; D = 4 * width.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for stage, channels in enumerate((width, 2 * width, 4 * width)):
            if stage:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            for _ in range(2):
                layers += [
                    nn.Conv2d(before, channels, 3, padding=1, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(),
                ]
                before = channels
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features (N, 4 * width)."""
        out: torch.Tensor = self.layers(x)
        return out.mean((2, 3))


def build_smallcnn(
    weights: str = "random", width: int = 32, size: int = 0, augment: str = "none", resize: int = 0
) -> ImageBackbone:
    """Build the small network; images keep their size unless `size` is given."""
    if weights == "pretrained":
        raise no_pretrained("smallcnn")
    network = SmallCNN(width)
    if weights != "random":
        load_weights(network, weights)
    return ImageBackbone(network, 4 * width, Preprocessing(size, "bilinear", HALF, HALF, augment, resize))
