"""CNN-F (also VGG-F), the image network of DCMH, DPSH, DTSH, DSDH and ADSH."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.models.backbones.image import ImageBackbone
from hashzoo.models.preprocessing import Preprocessing
from hashzoo.models.weights import load_weights

FEATURE_DIM = 4096
VGG_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
VGG_STD = (1 / 255, 1 / 255, 1 / 255)
"""The network takes pixels in 0..255 less a mean, with no division."""


def _norm() -> nn.LocalResponseNorm:
    # window 5, kappa 2, alpha 1e-4 on the sum over the window, beta 0.75; PyTorch divides alpha by the
    # window: 5e-4
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


class CNNF(nn.Module):
    """CNN-F (Chatfield et al., BMVC 2014) up to fc7 and its ReLU, D = 4096; images of 224 pixels.

    Pooling takes one more row and column at bottom and right where the window does not fit (MatConvNet's
    model). There is no dropout, as in the released model. Weights start from N(0, 0.01^2), biases at zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 11, stride=4)
        self.conv2 = nn.Conv2d(64, 256, 5, padding=2)
        self.conv3 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv4 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv5 = nn.Conv2d(256, 256, 3, padding=1)
        self.fc6 = nn.Conv2d(256, FEATURE_DIM, 6)
        self.fc7 = nn.Conv2d(FEATURE_DIM, FEATURE_DIM, 1)
        self.norm = _norm()
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return fc7 after ReLU (N, 4096)."""
        x = self.pool(self.norm(torch.relu(self.conv1(x))))
        x = self.pool(self.norm(torch.relu(self.conv2(x))))
        x = torch.relu(self.conv3(x))
        x = torch.relu(self.conv4(x))
        x = self.pool(torch.relu(self.conv5(x)))
        x = torch.relu(self.fc6(x))
        x = torch.relu(self.fc7(x))
        return x.flatten(1)


def build_cnn_f(weights: str = "random", augment: str = "none") -> ImageBackbone:
    """Build CNN-F; its ImageNet weights, published for MatConvNet only, are given as a PATH or not at all.

    Such a file has conv1..conv5, fc6 and fc7 with `.weight` (out, in, height, width) and `.bias`; fc8 is
    ignored.
    """
    if weights == "pretrained":
        raise UsageError(
            "The ImageNet weights of cnn-f are published as imagenet-vgg-f.mat, which is not read here; "
            "convert it to safetensors (conv1.weight ... fc7.bias) and give --weights PATH, or use "
            "--weights random."
        )
    network = CNNF()
    if weights != "random":
        load_weights(network, weights, head="fc8")
    return ImageBackbone(network, FEATURE_DIM, Preprocessing(224, "bilinear", VGG_MEAN, VGG_STD, augment))
