"""Colour histograms as a torch module."""

import torch
from torch import nn
from torch.nn import functional as F


class ColourHistogram(nn.Module):
    """Images (N, H, W, 3) uint8 to features (N, 3 * levels): the share of pixels in each level of each channel."""

    preprocessing = None  # pixels are used as they are

    def __init__(self, levels):
        super().__init__()
        self.levels = levels
        self.feature_dim = 3 * levels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        level = images.flatten(1, 2).long() * self.levels // 256
        return F.one_hot(level, self.levels).float().mean(1).flatten(1)


def build(levels=8):
    return ColourHistogram(levels)
