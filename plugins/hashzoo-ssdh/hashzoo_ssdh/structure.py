"""Which pairs of train items are surely near or surely far, from the distances of their features (SSDH, IJCAI 2018)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from hashzoo import WorkError

BIN_WIDTH = 0.01
BINS = 200
"""Bins of the histogram of distances; the released code has 100, enough for features without negative values."""
FIRST_EDGE = -1e-8
ROWS = 1024
"""Rows of features whose distances are computed at a time: memory is ROWS x n, never n x n."""


def find_thresholds(features: torch.Tensor, alpha: float, beta: float) -> tuple[float, float]:
    """Return near = m - alpha s_l and far = m + beta s_r of the cosine distances between unit features (n, D).

    m is their `most_frequent` value, s_l and s_r are their `deviations` to its left and right.
    """
    mode = most_frequent(features)
    left, right = deviations(features, mode)
    return mode - alpha * left, mode + beta * right


def most_frequent(features: torch.Tensor) -> float:
    """Return the left edge of the fullest bin of width 0.01 (the first of equals) of the distances of all pairs."""
    counts = torch.zeros(BINS, dtype=torch.int64, device=features.device)
    for distances in blocks(features):
        places = ((distances - FIRST_EDGE) / BIN_WIDTH).floor().long().clamp(0, BINS - 1)
        counts += torch.bincount(places, minlength=BINS)
    return FIRST_EDGE + BIN_WIDTH * int(counts.argmax())


def deviations(features: torch.Tensor, mode: float) -> tuple[float, float]:
    """Return s_l and s_r, the roots of the mean of (d - m)^2 over the distances up to the mode m, and above it.

    The paper mirrors each half at m and fits a Gaussian to it: its mean is m, and this is its deviation.
    """
    squares, numbers = [0.0, 0.0], [0, 0]
    for distances in blocks(features):
        for side, chosen in enumerate((distances[distances <= mode], distances[distances > mode])):
            squares[side] += float(((chosen.double() - mode) ** 2).sum())
            numbers[side] += len(chosen)
    if not all(numbers):
        raise WorkError(
            f"All distances between the {len(features)} train features lie on one side of their most frequent value "
            f"({mode:.2f}), so SSDH finds no structure in them; use more items, another backbone, or "
            "--set loss.center_features=true."
        )
    left, right = ((square / number) ** 0.5 for square, number in zip(squares, numbers, strict=True))
    return left, right


def blocks(features: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the cosine distances 1 - <x_i, x_j> of all ordered pairs i != j of unit features (n, D), in blocks."""
    count = len(features)
    for begin in range(0, count, ROWS):
        rows = features[begin : begin + ROWS]
        distances = 1.0 - rows @ features.T
        others = torch.ones_like(distances, dtype=torch.bool)
        others[torch.arange(len(rows)), torch.arange(begin, begin + len(rows))] = False
        yield distances[others]


def structure_of(features: torch.Tensor, near: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
    """Return S (N, N) of unit features (N, D): +1 where d < near, -1 where d > far, else 0; +1 on the diagonal."""
    distances = 1.0 - features @ features.T
    found = (distances < near).to(features.dtype) - (distances > far).to(features.dtype)
    return found.fill_diagonal_(1.0)
