"""Fitters of ITQ and ITQ-CCA (Gong and Lazebnik, CVPR 2011); letters: n rows, D width, K bits, c axes, C classes."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    canonical_axes,
    generator,
    labelled_rows,
    only_modality,
    principal_axes,
    projection_state,
)
from hashzoo.losses import sign

State = dict[str, dict[str, torch.Tensor]]


def random_rotation(bits: int, draws: torch.Generator) -> torch.Tensor:
    """Return a rotation (K, K), evenly drawn: Q of a Gaussian matrix's QR, the diagonal of R positive."""
    q, r = torch.linalg.qr(torch.randn(bits, bits, generator=draws, dtype=torch.float64))
    return q * sign(r.diagonal())


def quantization_error(v: torch.Tensor, rotation: torch.Tensor) -> float:
    """Return |sgn(V R) - V R|^2, the objective with the best codes for this rotation."""
    turned = v @ rotation
    return float((sign(turned) - turned).square().sum())


def learn_rotation(v: torch.Tensor, rotation: torch.Tensor, iterations: int) -> torch.Tensor:
    """Lower |B - V R|^2 over codes B (n, K) and R (c, K) with R R^T = I, from projections V (n, c) and a first R.

    Alternates B = sgn(V R) and the Procrustes step: with V^T B = A S C^T, R = A C^T. Stops before `iterations` where B
    repeats, since nothing changes from there on. For c = K this is the paper's square rotation; for c < K (fewer axes
    than bits) it is the paper's on V with K - c columns of zeros.
    """
    codes = None
    for _ in range(iterations):
        last, codes = codes, sign(v @ rotation)
        if last is not None and torch.equal(codes, last):
            break
        left, _, right = torch.linalg.svd(v.T @ codes, full_matrices=False)
        rotation = left @ right
    return rotation


class ITQFitter:
    """PCA-ITQ: relaxed = (x - mean) P R with P the leading principal axes (D, c) and R the learned rotation (c, K).

    Options:
        iterations: rounds of the rotation; 50, paper and released code (whose loop makes 51).
    """

    name = "ITQ"

    def __init__(self, problem: Problem, *, iterations: int = 50) -> None:
        if iterations < 0:
            raise UsageError(f"{self.name}'s option iterations must be at least 0; got {iterations!r}.")
        self.bits = problem.bits
        self.iterations = iterations

    def fit(self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int) -> State:
        """Return the state of the layer `projection`."""
        role, x = only_modality(features)
        if self.bits > x.shape[1]:
            raise UsageError(
                f"{self.name} gives at most one bit for each feature: {self.bits} bits were asked for and the features "
                f"have {x.shape[1]}; ask for fewer bits or use wider features."
            )
        mean, axes, projections = self.axes(x, labels)
        start = random_rotation(self.bits, generator(seed))[: axes.shape[1]]
        rotation = learn_rotation(projections, start, self.iterations)
        return {role: projection_state(mean, axes @ rotation)}

    def axes(self, x: torch.Tensor, labels: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return mean (D,), axes (D, c) and the projections (n, c) to rotate."""
        mean, axes, _ = principal_axes(x, self.bits)
        return mean, axes, (x - mean) @ axes


class ITQCCAFitter(ITQFitter):
    """CCA-ITQ: as ITQ, with the canonical axes of features and labels, each times its correlation r, in place of PCA.

    Centred one-hot labels of C classes give at most C - 1 axes; those without correlation are left out. Items without
    any label are left out.

    Options:
        iterations: rounds of the rotation; 50, paper and released code (whose loop makes 51).
        regularization: rho on the diagonal of both covariances; 1e-4, released code.
    """

    name = "ITQ-CCA"

    def __init__(self, problem: Problem, *, iterations: int = 50, regularization: float = 1e-4) -> None:
        super().__init__(problem, iterations=iterations)
        if not regularization > 0:
            raise UsageError(f"ITQ-CCA's option regularization must be a number above 0; got {regularization!r}.")
        self.regularization = regularization

    def axes(self, x: torch.Tensor, labels: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return mean (D,), scaled canonical axes (D, c) and the projections (l, c) of the labelled items."""
        rows, y = labelled_rows(labels)
        found = canonical_axes(x[rows], y, self.bits, self.regularization)
        axes = found.weight_x * found.correlations
        return found.mean_x, axes, (x[rows] - found.mean_x) @ axes
