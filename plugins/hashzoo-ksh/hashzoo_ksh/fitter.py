"""The fitter of KSH (Liu et al., CVPR 2012); letters: l labelled rows, m anchors, K bits, C classes, u label sets."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    MAX_LABEL_SETS,
    anchor_count,
    anchors_state,
    choose_anchors,
    eigenvectors,
    generator,
    label_sets,
    labelled_rows,
    only_modality,
    squared_distances,
)
from hashzoo.losses import share_label, sign

JITTER = 1e-8
"""Share of the mean variance added to the kernel's moments, so that repeated anchors leave them invertible."""
FLAT = 1e-2
"""The descent on a bit ends where the objective for each row moves by no more than this; released code."""
STEPS, HALVINGS = 500, 50
"""Most steps of the descent on a bit, and most halvings of a step; released code."""


class Residue:
    """R = K S - sum of h h^T over the bits found, as an operator: l x l numbers are never stored.

    S is +1 where two rows share a label, else -1, and depends on their label sets alone: S = E T E^T with E (l, u)
    the one-hot sets and T (u, u).
    """

    def __init__(self, labels: torch.Tensor, bits: int) -> None:
        self.number, sets = label_sets(labels, MAX_LABEL_SETS, "KSH")
        self.similar = bits * (2.0 * share_label(sets, sets) - 1.0)
        self.found = labels.new_zeros(len(labels), 0)

    def times(self, v: torch.Tensor) -> torch.Tensor:
        """Return R v (l, q) for v (l, q)."""
        sums = v.new_zeros(len(self.similar), v.shape[1]).index_add_(0, self.number, v)
        return (self.similar @ sums)[self.number] - self.found @ (self.found.T @ v)

    def form(self, v: torch.Tensor) -> float:
        """Return v^T R v of one vector v (l,)."""
        return float(v @ self.times(v[:, None])[:, 0])

    def take(self, codes: torch.Tensor) -> None:
        """Take the bit with codes h (l,) off: R - h h^T."""
        self.found = torch.cat([self.found, codes[:, None]], 1)


def smooth_objective(scores: torch.Tensor, residue: Residue) -> tuple[float, torch.Tensor]:
    """Return g = -v^T R v, v = tanh(u / 2) of scores u (l,), and -dg/du (l,): (R v) * (1 - v^2).

    tanh(u / 2) is the paper's 2 / (1 + exp(-u)) - 1. With u = kernel a, the gradient in a is -kernel^T of the second.
    """
    v = torch.tanh(0.5 * scores)
    product = residue.times(v[:, None])[:, 0]
    return -float(v @ product), product * (1.0 - v.square())


def refine(a: torch.Tensor, kernel: torch.Tensor, residue: Residue) -> torch.Tensor:
    """Return a (m,) after Nesterov's accelerated descent on `smooth_objective` with backtracking (released code).

    Scores kernel a go along with each a by linearity, so that a step costs two products with the kernel (l, m).
    """
    last, here = a, a
    last_scores = here_scores = kernel @ a
    value, _ = smooth_objective(here_scores, residue)
    steepness, before, now = 1.0, 0.0, 1.0
    for _ in range(STEPS):
        push = (before - 1.0) / now
        ahead, scores = here + push * (here - last), here_scores + push * (here_scores - last_scores)
        start, pull = smooth_objective(scores, residue)
        gradient = -(kernel.T @ pull)
        along, slope = kernel @ gradient, float(gradient @ gradient)
        for halving in range(HALVINGS + 1):
            beta = steepness * 2.0**halving
            tried = scores - along / beta
            reached, _ = smooth_objective(tried, residue)
            if reached <= start - slope / (2.0 * beta):
                break
        else:
            return here
        steepness, last, last_scores, here, here_scores = beta, here, here_scores, ahead - gradient / beta, tried
        if abs(reached - value) / len(kernel) <= FLAT:
            return here
        value = reached
        before, now = now, (1.0 + math.sqrt(1.0 + 4.0 * now**2)) / 2.0
    return here


class KSHFitter:
    """KSH: relaxed = (exp(-|x - a|^2 / (2 sigma^2)) - offset) A, sigma^2 the mean squared distance to the anchors.

    Lowers |H H^T / K - S|^2 over the codes H (l, K) of the labelled train rows, one bit after the other: each maximises
    h^T R h with the residue R. Start: leading generalised eigenvector; then a descent on the smooth
    objective, kept only where its signs are better.

    Options:
        anchors: m, random train items, at most n; 300, paper and released code. The hash layer's has to be the same.
        labelled: l, train items drawn at random whose labels are used; 0 for all, 1000 to 5000 in the paper.
        refine: whether the descent follows the spectral start; false is the paper's KSH0.
    """

    def __init__(self, problem: Problem, *, anchors: int = 300, labelled: int = 0, refine: bool = True) -> None:
        if labelled < 0:
            raise UsageError(f"KSH's option labelled must be a whole number of at least 0; got {labelled!r}.")
        self.bits = problem.bits
        self.anchors = anchor_count(anchors, problem)
        self.labelled = labelled
        self.refine = refine

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of the layer `anchors`."""
        role, x = only_modality(features)
        rows, y = labelled_rows(labels)
        draws = generator(seed)
        if self.labelled:
            chosen = torch.randperm(len(rows), generator=draws)[: self.labelled]
            rows, y = rows[chosen], y[chosen]
        anchors = choose_anchors(x, self.anchors, draws)
        center = anchors.mean(0)  # the same on both sides: no distance changes, and large means cost no digits
        distances = squared_distances(x - center, anchors - center)
        variance = float(distances.mean())
        if not variance > 0:
            raise UsageError("All train features are equal, so that KSH's kernel has no width; check the features.")
        scale = 1.0 / (2.0 * variance)
        kernel = distances.mul_(-scale).exp_()
        offset = kernel.mean(0)
        weight, _ = self.bits_of((kernel - offset)[rows], y)
        return {role: anchors_state(anchors, scale, weight, offset=offset)}

    def bits_of(self, kernel: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return A (m, K) and the codes (l, K) of the rows with centred kernel (l, m) and labels (l, C)."""
        residue = Residue(labels, self.bits)
        moments = kernel.T @ kernel
        moments.diagonal().add_(JITTER * moments.trace() / len(moments))
        factor = torch.linalg.cholesky(moments)
        pull = kernel.T @ residue.times(kernel)
        columns = []
        for _ in range(self.bits):
            a = self.spectral(pull, factor, moments, len(kernel))
            codes = sign(kernel @ a)
            if self.refine:
                refined = refine(a, kernel, residue)
                if residue.form(sign(kernel @ refined)) > residue.form(codes):
                    a, codes = refined, sign(kernel @ refined)
            columns.append(a)
            residue.take(codes)
            seen = kernel.T @ codes
            pull = pull - torch.outer(seen, seen)
        return torch.stack(columns, 1), residue.found

    @staticmethod
    def spectral(pull: torch.Tensor, factor: torch.Tensor, moments: torch.Tensor, rows: int) -> torch.Tensor:
        """Return the leading a (m,) of pull a = value moments a, scaled to a^T moments a = l; factor is of moments."""
        inner = torch.linalg.solve_triangular(factor, pull, upper=False)
        inner = torch.linalg.solve_triangular(factor, inner.T, upper=False)
        _, leading = eigenvectors(inner, 1)
        a = torch.linalg.solve_triangular(factor.T, leading, upper=True)[:, 0]
        a = a * sign(a[a.abs().argmax()])
        return a * torch.sqrt(rows / (a @ moments @ a))
