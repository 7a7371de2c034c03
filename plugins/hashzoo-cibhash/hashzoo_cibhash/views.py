"""Random views of images, all images of a batch at once, on their device."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

SMALLEST_PART = 0.5
"""Share of the area that a cut keeps at least; its sides are in the ratio 3/4 to 4/3 (released code)."""
JITTER, HUE = 0.4, 0.1
"""Largest relative change of brightness, contrast and saturation, and turn of the hue in circles (released code)."""
JITTERED, GRAYED, BLURRED = 0.7, 0.2, 0.5
"""Shares of the images that each is done to (released code)."""
SIGMA = (0.1, 2.0)
"""Range of the blur's sigma in pixels, with a kernel of 3 x 3 (released code)."""

LUMA = (0.299, 0.587, 0.114)
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def random_view(images: torch.Tensor) -> torch.Tensor:
    """Return one random view of each of the uint8 images (N, H, W, 3), of the same shape and type.

    In this order: a random part is cut out and scaled to H x W, half of the images are mirrored, then colours, gray
    and blur. Draws come from torch's global generator on the CPU, so that a seed gives the same views everywhere.
    """
    x = images.permute(0, 3, 1, 2).float() / 255.0
    x = _cut_and_mirror(x)
    x = torch.where(_chosen(x, JITTERED), _jitter(x), x)
    x = torch.where(_chosen(x, GRAYED), _gray(x).expand_as(x), x)
    x = torch.where(_chosen(x, BLURRED), _blur(x), x)
    return (x.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1)


def _drawn(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Return one number per image between low and high, (N, 1, 1, 1)."""
    return (low + (high - low) * torch.rand(len(x))).to(x.device).view(-1, 1, 1, 1)


def _chosen(x: torch.Tensor, share: float) -> torch.Tensor:
    return _drawn(x, 0.0, 1.0) < share


def _cut_and_mirror(x: torch.Tensor) -> torch.Tensor:
    area = _drawn(x, SMALLEST_PART, 1.0)
    ratio = torch.exp(_drawn(x, math.log(3 / 4), math.log(4 / 3)))
    width, height = ((area * r).sqrt().clamp(max=1.0).flatten() for r in (ratio, 1.0 / ratio))
    right, down = (_drawn(x, -1.0, 1.0).flatten() * (1.0 - side) for side in (width, height))
    mirror = torch.where(_chosen(x, 0.5).flatten(), -1.0, 1.0)
    zero = torch.zeros_like(width)
    rows = (torch.stack([width * mirror, zero, right], 1), torch.stack([zero, height, down], 1))
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _jitter(x: torch.Tensor) -> torch.Tensor:
    x = (x * _drawn(x, 1.0 - JITTER, 1.0 + JITTER)).clamp(0.0, 1.0)
    mean = _gray(x).mean(dim=(1, 2, 3), keepdim=True)
    x = torch.lerp(mean.expand_as(x), x, _drawn(x, 1.0 - JITTER, 1.0 + JITTER)).clamp(0.0, 1.0)
    x = torch.lerp(_gray(x).expand_as(x), x, _drawn(x, 1.0 - JITTER, 1.0 + JITTER)).clamp(0.0, 1.0)
    return _turn_hue(x, 2.0 * math.pi * _drawn(x, -HUE, HUE).flatten())


def _gray(x: torch.Tensor) -> torch.Tensor:
    return (x * torch.tensor(LUMA, device=x.device).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _turn_hue(x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Return x with the chroma of its YIQ colours turned by angles (N,)."""
    to_yiq = torch.tensor(YIQ, device=x.device)
    one, zero, cos, sin = torch.ones_like(angle), torch.zeros_like(angle), torch.cos(angle), torch.sin(angle)
    turn = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], dim=1).view(-1, 3, 3)
    return torch.einsum("nij,njhw->nihw", torch.linalg.inv(to_yiq) @ turn @ to_yiq, x)


def _blur(x: torch.Tensor) -> torch.Tensor:
    sigma = _drawn(x, *SIGMA).view(-1, 1)
    side = torch.exp(-0.5 * (torch.arange(-1, 2, device=x.device) / sigma) ** 2)
    side = side / side.sum(dim=1, keepdim=True)
    kernel = (side[:, :, None] * side[:, None, :]).repeat_interleave(3, dim=0)[:, None]
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate").flatten(0, 1)[None]
    return F.conv2d(padded, kernel, groups=padded.shape[1]).view_as(x)
