"""The pixels of an image as its features."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.errors import UsageError


class Pixels(nn.Module):
    """uint8 images (N, H, W, 3) to features (N, D), D = 3 H W: the pixels in 0..1, row by row.

    Options:
        in_features: 3 H W; the data set's own unless given.
    """

    preprocessing = None

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.feature_dim = in_features

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features (N, D)."""
        if images.dtype != torch.uint8 or images[0].numel() != self.feature_dim:
            raise UsageError(
                f"Backbone 'pixels' was built for uint8 images of {self.feature_dim} values; got "
                f"{str(images.dtype).split('.')[-1]} of shape {tuple(images.shape)}."
            )
        return images.flatten(1).float() / 255
