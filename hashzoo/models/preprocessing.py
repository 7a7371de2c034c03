"""From uint8 images to what a network takes, on the device the network is on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from hashzoo.errors import UsageError, unknown_name

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
INTERPOLATIONS = ("bilinear", "bicubic")
AUGMENTS = ("none", "flip", "crop", "flip+crop")


@dataclass(frozen=True)
class Preprocessing:
    """What is done to an image before the network; all of it decides the features.

    The image is resized to `resize` x `resize` (its aspect is not kept) with antialiasing, as Pillow does
    it; a part of `size` x `size` is cut out: the centre, or in training a random place if `augment` has
    "crop"; in training it is mirrored half of the time if `augment` has "flip"; pixels in 0..1 are reduced
    by `mean` and divided by `std`, per channel. `size` 0 leaves images as large as they are. `resize` 0
    stands for `size`, or with "crop" for size * 8 / 7 (256 for 224, the usual pair).
    """

    size: int = 224
    interpolation: str = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    augment: str = "none"
    resize: int = 0

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise unknown_name("interpolation", self.interpolation, INTERPOLATIONS)
        if self.augment not in AUGMENTS:
            raise unknown_name("augmentation", self.augment, AUGMENTS)
        for name, value in (("size", self.size), ("resize", self.resize)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise UsageError(f"Image {name} must be an integer of at least 0; got {value!r}.")
        if self.size == 0 and (self.resize or self.crops):
            raise UsageError("Images left as large as they are (size 0) cannot be resized or cropped; give a size.")
        if 0 < self.resize < self.size:
            raise UsageError(f"resize ({self.resize}) must be at least size ({self.size}), which is cut out of it.")

    @property
    def crops(self) -> bool:
        """Whether training cuts at random places."""
        return "crop" in self.augment

    @property
    def flips(self) -> bool:
        """Whether training mirrors images."""
        return "flip" in self.augment

    @property
    def resized(self) -> int:
        """Side of the image before `size` is cut out of it; 0 leaves it as it is."""
        if self.resize or not self.crops:
            return self.resize or self.size
        return self.size * 8 // 7


class Preprocess(nn.Module):
    """Applies a Preprocessing: uint8 (N, H, W, 3) to float32 (N, 3, size, size) in channels_last layout.

    Random draws come from torch's global generator on the CPU, whatever the device: seeding it gives the
    same crops.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        mean = torch.tensor(preprocessing.mean, dtype=torch.float64).view(1, 3, 1, 1)
        std = torch.tensor(preprocessing.std, dtype=torch.float64).view(1, 3, 1, 1)
        self.register_buffer("scale", (1 / (255 * std)).float(), persistent=False)
        self.register_buffer("shift", (-mean / std).float(), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the images ready for the network; anything but uint8 (N, H, W, 3) is a UsageError."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise UsageError(
                "Image backbones take uint8 images of shape (N, H, W, 3); got "
                f"{str(images.dtype).split('.')[-1]} of shape {tuple(images.shape)}."
            )
        x = images.permute(0, 3, 1, 2)
        side = self.preprocessing.resized
        if side and x.shape[2:] != (side, side):
            x = resize_uint8(x, side, self.preprocessing.interpolation)
        size = self.preprocessing.size
        if size and side > size:
            x = self._cut(x, size)
        with torch.autocast(device_type=x.device.type, enabled=False):
            x = (x * self.scale).add_(self.shift)
        if self.training and self.preprocessing.flips:
            mirrored = (torch.rand(len(x)) < 0.5).to(x.device)
            x = torch.where(mirrored.view(-1, 1, 1, 1), x.flip(3), x)
        return x.contiguous(memory_format=torch.channels_last)

    def _cut(self, x: torch.Tensor, size: int) -> torch.Tensor:
        room = x.shape[2] - size
        if not (self.training and self.preprocessing.crops):
            top = round(room / 2)
            return x[:, :, top : top + size, top : top + size]
        places = torch.randint(0, room + 1, (len(x), 2)).tolist()
        cuts = [x[i, :, top : top + size, left : left + size] for i, (top, left) in enumerate(places)]
        return torch.stack(cuts).contiguous(memory_format=torch.channels_last)


def resize_uint8(x: torch.Tensor, side: int, interpolation: str) -> torch.Tensor:
    """Return uint8 images (N, 3, H, W) resized to side x side with antialiasing, rounded as Pillow rounds.

    On the CPU all of it is done in uint8, several times faster than in float32; other devices have no such
    kernel and work in float32, which gives the same values but for differences of one level.
    """
    if x.device.type == "cpu":
        return F.interpolate(x, size=(side, side), mode=interpolation, antialias=True)
    return resize_in_floats(x, side, interpolation)


def resize_in_floats(x: torch.Tensor, side: int, interpolation: str) -> torch.Tensor:
    """Return what `resize_uint8` returns, computed in float32: along the width, rounded, then along the height."""
    x = x.float()
    for size in ((x.shape[2], side), (side, side)):
        x = F.interpolate(x, size=size, mode=interpolation, antialias=True).round_().clamp_(0, 255)
    return x.to(torch.uint8)
