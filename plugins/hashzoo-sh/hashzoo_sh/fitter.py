"""The fitter of spectral hashing (Weiss, Torralba and Fergus, NIPS 2008); letters: n rows, D width, K bits, p axes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from hashzoo import Problem
from hashzoo.fitting import only_modality, principal_axes

MARGIN = 2.0**-52
"""Added to both ends of each range: double precision's epsilon, released code."""


def modes(ranges: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return axis (K,) and frequency omega (K,) of the K modes of smallest eigenvalue, from the axes' ranges (p,).

    Axis i has the modes m = 1 .. ceil((K + 1) R_i / R_max) - 1 with omega = m pi / R_i, and an eigenvalue of the
    Laplacian that rises with omega. Ties, up to rounding: first axis, then smallest m. The constant m = 0 is left out.
    """
    widest = float(ranges.max())
    axis, omega = [], []
    for i, size in enumerate(ranges.tolist()):
        count = math.ceil((bits + 1) * size / widest) - 1
        axis += [i] * count
        omega += [m * math.pi / size for m in range(1, count + 1)]
    chosen = sorted(range(len(omega)), key=lambda mode: round(omega[mode] * widest, 9))[:bits]  # stable
    return torch.tensor(axis)[chosen], torch.tensor(omega, dtype=torch.float64)[chosen]


class SHFitter:
    """Spectral hashing: relaxed_k = cos(omega_k (z_k - a_k)), z_k the projection on the axis of bit k.

    The axes are the min(K, D) leading ones of PCA; a_k is the smallest projection of a train item on the axis. No
    option and no random draw.
    """

    def __init__(self, problem: Problem) -> None:
        self.bits = problem.bits

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of the layer `sh`."""
        role, x = only_modality(features)
        mean, axes, _ = principal_axes(x, self.bits)
        z = (x - mean) @ axes
        low, high = z.amin(0) - MARGIN, z.amax(0) + MARGIN
        axis, omega = modes(high - low, self.bits)
        weight, phase = axes[:, axis] * omega, low[axis] * omega
        return {role: {"mean": mean.float(), "weight": weight.float(), "phase": phase.float()}}
