"""SCM (AAAI 2014): projections whose signs reconstruct the cosine similarity of labels."""

from __future__ import annotations

import math
from collections.abc import Mapping

import scipy.sparse.linalg
import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    Ridge,
    as_float64,
    fixed_signs,
    projection_state,
    two_roles,
    unit_rows,
)

SOLVERS = ("seq", "orth")
DENSE = 128
"""Up to this many rows or columns a singular value decomposition is computed whole; above, its top triple only."""
NO_DIRECTION = 1e-9
"""A singular value below this share of the largest counts as none."""

Triple = tuple[torch.Tensor, float, torch.Tensor]


class SCM:
    """SCM (AAAI 2014): W_m (D_m, K) that lower |sgn(X_1 W_1) sgn(X_2 W_2)' - K S|^2 over all n x n pairs.

    X_m (n, D_m) is centred by its mean over the train split; S = 2 T T' - 1 with T (n, C) the label rows divided by
    their length, an unlabelled row staying 0. S itself is never formed. With C_mm = X_m' X_m + lambda I = L_m L_m' and
    A_m = L_m^-1 X_m' everything happens in M = A_1 K S A_2' (D_1, D_2), whose singular vectors u, v give the directions
    L_1^-T u and L_2^-T v.

    `seq`: bit by bit the top triple of M, then M -= (A_1 h_1)(A_2 h_2)' with h_m the signs of the projected train
    items. Where a singular value rises, that bit and the later ones take the directions of CCA (of the same number, as
    far as there are any), as in a released code. `orth`: the K top triples of the first M at once; its rank is at most
    C, and bits beyond it take the directions of CCA, where released codes take what the solver gives.

    Options:
        solver: "seq" or "orth"
        regularization: lambda, added to the sums of squares; released code 1e-6
    """

    def __init__(self, problem: Problem, *, solver: str = "seq", regularization: float = 1e-6) -> None:
        two_roles(problem, "Fitter 'scm'")
        if solver not in SOLVERS:
            raise UsageError(f"solver must be {' or '.join(map(repr, SOLVERS))}; got {solver!r}.")
        if not regularization >= 0:
            raise UsageError(f"regularization must be a number of at least 0; got {regularization!r}.")
        self.problem, self.solver, self.regularization = problem, solver, regularization

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of each role's hash layer `projection` from features (n, D_m) and labels (n, C)."""
        if labels is None:
            raise UsageError("SCM is supervised and needs labels (n, C); got none.")
        tables = [as_float64(features[role]) for role in self.problem.modalities]
        means = [x.mean(0) for x in tables]
        x = [t - mean for t, mean in zip(tables, means, strict=True)]
        if self.solver == "orth" and self.problem.bits > min(x[0].shape[1], x[1].shape[1]):
            raise UsageError(
                f"SCM-orth has one bit for each direction at most: {self.problem.bits} bits are more than the smaller "
                f"width of the features, {min(x[0].shape[1], x[1].shape[1])}; use fewer bits, or method 'scm'."
            )
        factors = [Ridge(t, self.regularization).factor for t in x]
        a = [torch.linalg.solve_triangular(factor, t.T, upper=False) for factor, t in zip(factors, x, strict=True)]
        pairs = (self.sequential if self.solver == "seq" else self.orthogonal)(a, self.target(a, as_float64(labels)))
        weights = [
            torch.linalg.solve_triangular(factor.T, torch.stack(side, dim=1), upper=True)
            for factor, side in zip(factors, zip(*pairs, strict=True), strict=True)
        ]
        signs = fixed_signs(weights[0])
        return {role: projection_state(means[m], weights[m] * signs) for m, role in enumerate(self.problem.modalities)}

    def target(self, a: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Return M = K A_1 S A_2' (D_1, D_2) of A_m (D_m, n) and labels (n, C)."""
        t, one = unit_rows(labels), torch.ones(len(labels), 1, dtype=labels.dtype)
        return self.problem.bits * (2.0 * (a[0] @ t) @ (a[1] @ t).T - (a[0] @ one) @ (a[1] @ one).T)

    def sequential(self, a: list[torch.Tensor], m: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return (u (D_1,), v (D_2,)) for each bit, the signs of each fitted to what the bits before leave."""
        pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        spare: list[Triple] = []
        last, stopped = math.inf, False
        while len(pairs) < self.problem.bits:
            u, size, v = top_triples(m, 1)[0]
            if not stopped and size > last * (1.0 + NO_DIRECTION):
                stopped, spare = True, top_triples(a[0] @ a[1].T, self.problem.bits)
            last = size
            if stopped and len(pairs) < len(spare):
                u, _, v = spare[len(pairs)]
            else:
                h1, h2 = (torch.where(side @ t >= 0, 1.0, -1.0).double() for side, t in ((u, a[0]), (v, a[1])))
                m = m - torch.outer(a[0] @ h1, a[1] @ h2)
            pairs.append((u, v))
        return pairs

    def orthogonal(self, a: list[torch.Tensor], m: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return (u, v) of the K top triples of M, beyond its rank those of CCA."""
        triples = top_triples(m, self.problem.bits)
        if len(triples) < self.problem.bits:
            triples += top_triples(a[0] @ a[1].T, self.problem.bits)[len(triples) :]
        if len(triples) < self.problem.bits:
            raise UsageError(
                f"SCM-orth finds {len(triples)} directions, fewer than {self.problem.bits} bits: some columns of the "
                "features depend on others; use fewer bits, or method 'scm'."
            )
        return [(u, v) for u, _, v in triples]


def top_triples(m: torch.Tensor, k: int) -> list[Triple]:
    """Return the k largest singular triples (u, size, v) of m (D_1, D_2), falling, without those of size 0."""
    if k == 1 and min(m.shape) > DENSE:
        start = torch.ones(min(m.shape), dtype=m.dtype).numpy()
        left, sizes, right = scipy.sparse.linalg.svds(m.numpy(), k=1, v0=start)
        u, s, vh = (torch.from_numpy(part.copy()) for part in (left, sizes, right))
    else:
        u, s, vh = torch.linalg.svd(m, full_matrices=False)
    rank = max(1, int((s[:k] > NO_DIRECTION * s[0]).sum()))
    return [(u[:, i], float(s[i]), vh[i]) for i in range(rank)]
