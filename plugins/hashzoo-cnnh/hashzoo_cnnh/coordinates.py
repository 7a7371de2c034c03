"""Stage 1 of CNNH: one real code per train item whose inner products reproduce label similarity (AAAI 2014).

The objective is f(H) = |H H^T - K S|^2 over H (n, K) in [-1, 1], S (n, n) with +1 where two items share a label (and on
the diagonal) and -1 elsewhere. No n x n matrix is formed: H H^T enters a step through G = H^T H (K, K), and S through
sums of the columns of H over items with the same labels.
"""

from __future__ import annotations

from collections.abc import Callable
from math import acos, acosh, asinh, cos, cosh, pi, sinh, sqrt
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numba import njit

from hashzoo.fitting import label_sets

F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    """Return the function compiled on first use; kept on disk where some folder can be written."""
    compiled: Any
    try:
        compiled = njit(cache=True)(function)
    except RuntimeError:  # numba found no folder for its cache
        compiled = njit(function)
    return cast("F", compiled)


class Coordinates:
    """H (n, K) of one label matrix (n, C), with what a coordinate step needs kept up to date.

    `gram` is H^T H (K, K), `total` (K,) the sum of each column of H, `near` (K, u) its sum over the items that share a
    label with each of the u distinct label sets, `words` (ceil(C/64), u) those sets as bits. An item without any label
    is similar to itself alone.
    """

    def __init__(self, H: torch.Tensor, labels: torch.Tensor) -> None:
        number, sets = label_sets(labels > 0)
        u, C = sets.shape
        padded = np.zeros((u, -(-C // 64) * 64), dtype=np.uint8)
        padded[:, :C] = sets.numpy()
        self.H = H.double().numpy().copy()
        self.number = number.numpy()
        self.words = np.ascontiguousarray(np.packbits(padded, axis=1).view(np.uint64).T)
        self.refresh()

    def refresh(self) -> None:
        """Compute `gram`, `total` and `near` from H, which removes the rounding errors of many steps."""
        self.gram = self.H.T @ self.H
        self.total = self.H.sum(axis=0)
        self.near = np.empty((self.H.shape[1], self.words.shape[1]))
        sums = np.zeros_like(self.near.T)
        np.add.at(sums, self.number, self.H)
        for u, word in enumerate(self.words.T):
            sharing = (word[:, None] & self.words).any(axis=0)
            self.near[:, u] = sums[sharing].sum(axis=0)

    def descend(self, order: np.ndarray, exact: bool = True) -> None:
        """Take one step at each coordinate i K + j of `order`, one after the other."""
        _steps(order, self.H, self.gram, self.total, self.near, self.number, self.words, exact)

    def value(self) -> float:
        """Return f(H) = |H^T H|^2 - 2 K tr(H^T S H) + K^2 n^2."""
        n, K = self.H.shape
        self.refresh()
        alike = float((self.H * self.near.T[self.number]).sum())
        alone = ~self.words.any(axis=0)[self.number]
        alike += float((self.H[alone] ** 2).sum())
        return float((self.gram**2).sum() - 2.0 * K * (2.0 * alike - (self.total**2).sum()) + (K * n) ** 2)


def hash_targets(labels: torch.Tensor, bits: int, draws: torch.Generator, sweeps: int, exact: bool) -> torch.Tensor:
    """Return codes (n, K) in {-1, +1} as int8: sgn(H) after sweeps over all coordinates in random order.

    H starts uniform in [-1, 1]. Newton's steps (`exact` False) can raise f; a sweep that did so is taken back.
    """
    n = len(labels)
    found = Coordinates(2.0 * torch.rand(n, bits, generator=draws, dtype=torch.float64) - 1.0, labels)
    best = found.value()
    for _ in range(sweeps):
        before = found.H.copy()
        found.descend(torch.randperm(n * bits, generator=draws).numpy(), exact)
        value = found.value()
        if value >= best:
            found.H = before
            found.refresh()
        best = min(best, value)
    return torch.from_numpy(np.where(found.H >= 0.0, 1, -1).astype(np.int8))


@_compiled
def _steps(order: Any, H: Any, gram: Any, total: Any, near: Any, number: Any, words: Any, exact: bool) -> None:
    K = H.shape[1]
    shared = np.zeros(words.shape[1], dtype=np.uint64)
    for place in range(order.shape[0]):
        i, j = order[place] // K, order[place] % K
        own, h = number[i], H[i, j]
        inner, length = 0.0, 0.0  # H_i . (H^T H)_j and |H_i|^2
        for k in range(K):
            inner += H[i, k] * gram[k, j]
            length += H[i, k] * H[i, k]
        alike = near[j, own]  # S_i . H_j = 2 alike - total
        if not words[:, own].any():
            alike += h
        slope = inner - K * (2.0 * alike - total[j])  # a quarter of f'
        others, diagonal = gram[j, j] - h * h, length - K
        curvature = others + diagonal + 2.0 * h * h  # a quarter of f''
        if exact:
            new = _lowest(others + diagonal - h * h, slope - curvature * h + 2.0 * h * h * h, h)
        else:
            new = min(1.0, max(-1.0, h - slope / curvature)) if curvature > 0.0 else h
        if new == h:
            continue
        d = new - h
        for k in range(K):
            if k != j:
                gram[k, j] += d * H[i, k]
                gram[j, k] = gram[k, j]
        gram[j, j] += new * new - h * h
        total[j] += d
        shared[:] = 0
        for w in range(words.shape[0]):
            shared |= words[w, own] & words[w]
        for u in range(shared.shape[0]):
            near[j, u] += d if shared[u] != 0 else 0.0
        H[i, j] = new


@_compiled
def _lowest(p: float, q: float, h: float) -> float:
    """Return where x^4/4 + p x^2/2 + q x is lowest on [-1, 1]: an end, a root of x^3 + p x + q, or h, the present x.

    A quarter of f is this polynomial of the new value x of one coordinate, up to a constant.
    """
    found = np.zeros(6)
    found[0], found[1], found[2] = h, -1.0, 1.0
    scale = sqrt(abs(p) / 3.0)
    if p == 0.0:
        found[3] = -np.sign(q) * abs(q) ** (1.0 / 3.0)
    elif p > 0.0:
        found[3] = -2.0 * scale * sinh(asinh(1.5 * q / (p * scale)) / 3.0)
    else:
        ratio = 1.5 * q / (p * scale)
        if abs(ratio) > 1.0:
            found[3] = -2.0 * np.sign(q) * scale * cosh(acosh(abs(ratio)) / 3.0)
        else:
            for turn in range(3):
                found[3 + turn] = 2.0 * scale * cos((acos(ratio) - 2.0 * pi * turn) / 3.0)
    best, lowest = h, h * h * (0.25 * h * h + 0.5 * p) + q * h
    for x in found:
        value = x * x * (0.25 * x * x + 0.5 * p) + q * x
        if -1.0 <= x <= 1.0 and value < lowest:
            best, lowest = x, value
    return best
