"""The fitter of SDH (Shen et al., CVPR 2015), with the L2 loss; letters: n rows, m anchors, K bits, C classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    Ridge,
    anchor_count,
    anchors_state,
    choose_anchors,
    discrete_coordinate_descent,
    generator,
    labelled_rows,
    only_modality,
    rbf,
    ridge,
    unit_rows,
)
from hashzoo.losses import sign

STILL = 1e-5
"""The rounds end where F(X) or P moves by less than this share; released code."""


@dataclass(frozen=True)
class Solution:
    """Codes B (n, K), label regression W (K, C), kernel regression P (m + 1, K)."""

    codes: torch.Tensor
    labels_from_codes: torch.Tensor
    codes_from_kernel: torch.Tensor


class SDHFitter:
    """SDH: relaxed = [exp(-|x - a|^2 / (2 sigma^2)), 1] P, x and anchors a of unit length.

    Lowers |Y - B W|^2 + lambda |W|^2 + nu (|B - Phi P|^2 + rho |P|^2) over codes B, W and P in turn (rho is
    the released code's); the step for B is discrete coordinate descent. Items without any label are left out.

    Options:
        anchors: m, random train items, at most n; 1000, released code. The hash layer's option has to be the same.
        sigma: width of the kernel on rows of unit length; 0.4, released code.
        label_weight_decay: lambda; 1, paper and released code.
        fit_weight: nu, weight of the kernel regression; 1e-5, paper and released code.
        kernel_ridge: rho; 1e-2, released code.
        rounds: of B, W and P; 5, paper and released code.
        sweeps: over the bits in each step for B; 10, released code.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        anchors: int = 1000,
        sigma: float = 0.4,
        label_weight_decay: float = 1.0,
        fit_weight: float = 1e-5,
        kernel_ridge: float = 1e-2,
        rounds: int = 5,
        sweeps: int = 10,
    ) -> None:
        above_zero = {"sigma": sigma, "label_weight_decay": label_weight_decay, "kernel_ridge": kernel_ridge}
        for name, value in above_zero.items():
            if not value > 0:
                raise UsageError(f"SDH's option {name} must be a number above 0; got {value!r}.")
        for name, value in {"fit_weight": fit_weight, "rounds": rounds, "sweeps": sweeps}.items():
            if not value >= 0:
                raise UsageError(f"SDH's option {name} must be a number of at least 0; got {value!r}.")
        self.bits = problem.bits
        self.anchors = anchor_count(anchors, problem)
        self.scale = 1.0 / (2.0 * sigma**2)
        self.decay, self.fit_weight, self.ridge = label_weight_decay, fit_weight, kernel_ridge
        self.rounds, self.sweeps = rounds, sweeps

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of the layer `anchors`."""
        role, x = only_modality(features)
        rows, y = labelled_rows(labels)
        draws = generator(seed)
        x = unit_rows(x)
        anchors = choose_anchors(x, self.anchors, draws)
        kernel = rbf(x[rows], anchors, self.scale)
        phi = torch.cat([kernel, torch.ones(len(rows), 1, dtype=kernel.dtype)], 1)
        start = sign(torch.randn(len(rows), self.bits, generator=draws, dtype=kernel.dtype))
        p = self.solve(phi, y, start).codes_from_kernel
        return {role: anchors_state(anchors, self.scale, p[:-1], bias=p[-1], unit=True)}

    def solve(self, phi: torch.Tensor, y: torch.Tensor, codes: torch.Tensor) -> Solution:
        """Return codes and regressions from kernel features phi (n, m + 1), labels y (n, C) and first codes (n, K)."""
        kernel_regression = Ridge(phi, self.ridge)
        w, p = ridge(codes, y, self.decay), kernel_regression.solve(codes)
        for _ in range(self.rounds):
            codes = discrete_coordinate_descent(codes, y @ w.T + self.fit_weight * (phi @ p), w, self.sweeps)
            last = p
            w, p = ridge(codes, y, self.decay), kernel_regression.solve(codes)
            moved = torch.linalg.matrix_norm(p - last) / torch.linalg.matrix_norm(last, 2)
            if moved < STILL or (codes - phi @ p).norm() < STILL * codes.norm():
                break
        return Solution(codes, w, p)

    def objective(self, phi: torch.Tensor, y: torch.Tensor, found: Solution) -> float:
        """Return |Y - B W|^2 + lambda |W|^2 + nu (|B - Phi P|^2 + rho |P|^2)."""
        b, w, p = found.codes, found.labels_from_codes, found.codes_from_kernel
        regression = (b - phi @ p).square().sum() + self.ridge * p.square().sum()
        return float((y - b @ w).square().sum() + self.decay * w.square().sum() + self.fit_weight * regression)
