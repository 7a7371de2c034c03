"""Pieces that closed-form methods share: eigenvectors with fixed signs, PCA, CCA, anchors, ridge, discrete descent.

Letters: n rows, D feature width, K bits, C classes, m anchors, c axes. Fits work in float64 on the CPU (`as_float64`),
draw only from generators made by `generator(seed)`, and fix the sign of every eigenvector, so that one seed gives one
answer. What a fitter returns is put in the form of the core's hash layers by `projection_state` and `anchors_state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import scipy.linalg
import torch

from hashzoo.errors import UsageError
from hashzoo.losses import two_roles as two_roles
from hashzoo.specs import Problem

RANK_TOLERANCE = 1e-12
"""A variance below this share of the largest counts as none."""

NO_CORRELATION = 1e-8
"""A canonical correlation below this counts as none: it is rounding error."""

MAX_LABEL_SETS = 10_000
"""Most distinct label sets where the similarities of all pairs of them are kept."""

TIE = 1e-12
"""In `discrete_coordinate_descent` an argument below this share of the largest possible one counts as 0."""


class PrincipalAxes(NamedTuple):
    """Mean (D,) of the rows, axes (D, c) as columns of length 1, and variances (c,), falling."""

    mean: torch.Tensor
    axes: torch.Tensor
    variances: torch.Tensor


class CanonicalAxes(NamedTuple):
    """Means (D,) and (E,), weights (D, c) and (E, c), and canonical correlations (c,), falling."""

    mean_x: torch.Tensor
    mean_y: torch.Tensor
    weight_x: torch.Tensor
    weight_y: torch.Tensor
    correlations: torch.Tensor


def generator(seed: int) -> torch.Generator:
    """Return a CPU generator of its own, seeded; draws from it touch no global state.

    >>> torch.equal(torch.rand(3, generator=generator(1)), torch.rand(3, generator=generator(1)))
    True
    """
    return torch.Generator().manual_seed(seed)


def as_float64(x: torch.Tensor) -> torch.Tensor:
    """Return x (n, D) as float64 on the CPU; refuse what is no table, empty, or not finite."""
    if x.ndim != 2 or not len(x):
        raise UsageError(f"A fit needs a table of shape (n, D) with at least one row; got {tuple(x.shape)}.")
    x = x.detach().double().cpu()
    if not bool(torch.isfinite(x).all()):
        raise UsageError("A fit needs finite features and labels; some are NaN or infinite, so remove those rows.")
    return x


def only_modality(features: Mapping[str, torch.Tensor]) -> tuple[str, torch.Tensor]:
    """Return the one role of `features` and its table (n, D) in float64; refuse several modalities."""
    if len(features) != 1:
        raise UsageError(f"This method takes features of one modality; got {sorted(features)}.")
    role, x = next(iter(features.items()))
    return role, as_float64(x)


def labelled_rows(labels: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows (l,) that carry a label and their labels (l, C) in float64.

    A row without any label is similar to nothing, not even to itself: supervised fits leave it out.
    """
    if labels is None:
        raise UsageError("This method is supervised and needs labels (n, C); got none.")
    labels = as_float64(labels)
    rows = labels.sum(1).nonzero().flatten()
    if not len(rows):
        raise UsageError("This method is supervised and needs labels; no train item has one.")
    return rows, labels[rows]


def label_sets(labels: torch.Tensor, most: int = 0, method: str = "") -> tuple[torch.Tensor, torch.Tensor]:
    """Return for each row of labels (n, C) the number of its label set (n,), and the distinct sets (u, C).

    Whether two items share a label depends on their sets alone, so that n x n similarities need u x u numbers. A method
    that keeps these refuses more than `most` sets (`MAX_LABEL_SETS`; 0: any number).

    >>> number, sets = label_sets(torch.tensor([[1.0, 0], [0, 1], [1, 0]]))
    >>> number.tolist(), sets.tolist()
    ([1, 0, 1], [[0.0, 1.0], [1.0, 0.0]])
    """
    sets, number = torch.unique(labels, dim=0, return_inverse=True)
    if most and len(sets) > most:
        raise UsageError(
            f"{method or 'This method'} keeps the similarities of all distinct label sets: {len(sets):,} are more than "
            f"{most:,}; train on fewer items."
        )
    return number, sets


def fixed_signs(vectors: torch.Tensor) -> torch.Tensor:
    """Return the signs (c,) that make the entry of largest modulus of each column (D, c) positive; ties: the first.

    >>> fixed_signs(torch.tensor([[1.0, -2.0], [-3.0, 2.0]])).tolist()
    [-1.0, -1.0]
    """
    size = vectors.abs()
    rows = torch.arange(len(vectors))[:, None]
    # Entries that are equal up to rounding count as ties.
    first = torch.where(size >= size.amax(0) * (1 - 1e-10), rows, len(vectors)).amin(0)
    return torch.where(vectors[first, torch.arange(vectors.shape[1])] < 0, -1.0, 1.0).to(vectors.dtype)


def eigenvectors(matrix: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k largest eigenvalues (k,), falling, and their eigenvectors (D, k) of a symmetric matrix (D, D).

    The matrix is made symmetric first; signs are those of `fixed_signs`. Equal eigenvalues leave the basis of their
    space to the solver.
    """
    d = len(matrix)
    if not 1 <= k <= d:
        raise UsageError(f"A matrix of {d} x {d} has 1 to {d} eigenvectors; {k} were asked for.")
    symmetric = ((matrix + matrix.T) / 2).numpy()
    values, vectors = scipy.linalg.eigh(symmetric, subset_by_index=[d - k, d - 1])
    falling = torch.from_numpy(vectors[:, ::-1].copy())
    return torch.from_numpy(values[::-1].copy()), falling * fixed_signs(falling)


def principal_axes(x: torch.Tensor, k: int) -> PrincipalAxes:
    """Return mean, leading axes and variances of x (n, D): PCA of the covariance with divisor n - 1.

    Axes without variance are left out, so that c = min(k, rank): what spans no data would be the solver's choice.
    """
    if len(x) < 2:
        raise UsageError(f"Principal axes need at least 2 rows; got {len(x)}.")
    mean = x.mean(0)
    centred = x - mean
    variances, axes = eigenvectors(centred.T @ centred / (len(x) - 1), min(k, x.shape[1]))
    kept = variances > RANK_TOLERANCE * variances[0]
    if float(variances[0]) <= 0:
        raise UsageError("All train features are equal, so that there is no principal axis; check the features.")
    return PrincipalAxes(mean, axes[:, kept], variances[kept])


def canonical_axes(x: torch.Tensor, y: torch.Tensor, k: int, regularization: float = 1e-4) -> CanonicalAxes:
    """Return the canonical axes of x (n, D) and y (n, E): CCA with covariances of divisor n - 1 plus rho I.

    With C_xx = L_x L_x^T and C_yy = L_y L_y^T (rho on their diagonals) and the singular value decomposition
    L_x^-1 C_xy L_y^-T = U diag(r) V^T, the weights are L_x^-T U and L_y^-T V, so that weight^T C weight = I on both
    sides. Axes without correlation are left out: c = min(k, rank of C_xy). Signs are fixed on the side of x.
    """
    if len(x) < 2 or len(x) != len(y):
        raise UsageError(f"Canonical axes need two tables of the same 2 or more rows; got {len(x)} and {len(y)}.")
    if not regularization >= 0:
        raise UsageError(f"The regularization of CCA must be a number of at least 0; got {regularization!r}.")
    mean_x, mean_y = x.mean(0), y.mean(0)
    left = _factor(x - mean_x, len(x) - 1, regularization)
    right = _factor(y - mean_y, len(x) - 1, regularization)
    cross = (x - mean_x).T @ (y - mean_y) / (len(x) - 1)
    inner = torch.linalg.solve_triangular(left, cross, upper=False)
    inner = torch.linalg.solve_triangular(right, inner.T, upper=False).T
    u, r, vh = torch.linalg.svd(inner, full_matrices=False)
    kept = int((r[:k] > NO_CORRELATION).sum())
    if not kept:
        raise UsageError("The two tables are not correlated at all, so that CCA has no axis; check their rows.")
    weight_x = torch.linalg.solve_triangular(left.T, u[:, :kept], upper=True)
    weight_y = torch.linalg.solve_triangular(right.T, vh[:kept].T, upper=True)
    signs = fixed_signs(weight_x)
    return CanonicalAxes(mean_x, mean_y, weight_x * signs, weight_y * signs, r[:kept])


def anchor_count(anchors: int, problem: Problem) -> int:
    """Return m, the number of anchors on this problem: `anchors`, or all train items where there are fewer."""
    if anchors < 1:
        raise UsageError(f"The option anchors must be a whole number of at least 1; got {anchors!r}.")
    return min(anchors, problem.num_train)


def choose_anchors(x: torch.Tensor, m: int, draws: torch.Generator) -> torch.Tensor:
    """Return m distinct rows of x (n, D): the first m of a random permutation. Refuses m > n."""
    if not 1 <= m <= len(x):
        raise UsageError(f"Anchors are rows of the train split: {m} were asked for, and there are {len(x)}.")
    return x[torch.randperm(len(x), generator=draws)[:m]]


def unit_rows(x: torch.Tensor) -> torch.Tensor:
    """Return the rows of x (n, D) divided by their length; a zero row stays zero."""
    length = x.norm(dim=1, keepdim=True)
    return x / torch.where(length > 0, length, 1.0)


def squared_distances(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """Return |x_i - a_j|^2 (n, m) of x (n, D) and a (m, D), never negative.

    >>> squared_distances(torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0, 5.0], [0.0, 1.0]])).tolist()
    [[25.0, 0.0]]
    """
    first = x.square().sum(1)
    second = first if a is x else a.square().sum(1)
    return torch.sub(first[:, None] + second[None, :], x @ a.T, alpha=2).relu_()


def rbf(x: torch.Tensor, a: torch.Tensor, scale: float | torch.Tensor) -> torch.Tensor:
    """Return exp(-scale |x_i - a_j|^2) (n, m); scale = 1 / (2 sigma^2)."""
    return (squared_distances(x, a) * -scale).exp_()


class Ridge:
    """Ridge regression on x (n, D), factored once: `solve(y)` is (x^T x + rho I)^-1 x^T y (D, K) of y (n, K).

    rho = 0 is least squares and needs columns of x that are independent.
    """

    def __init__(self, x: torch.Tensor, regularization: float) -> None:
        if not regularization >= 0:
            raise UsageError(f"The regularization of a ridge must be a number of at least 0; got {regularization!r}.")
        self.x = x
        self.factor = _factor(x, 1, regularization)

    def solve(self, y: torch.Tensor) -> torch.Tensor:
        """Return the coefficients (D, K) for targets y (n, K)."""
        return torch.cholesky_solve(self.x.T @ y, self.factor)


def ridge(x: torch.Tensor, y: torch.Tensor, regularization: float) -> torch.Tensor:
    """Return (x^T x + rho I)^-1 x^T y (D, K) of x (n, D) and y (n, K); rho = 0 is least squares."""
    return Ridge(x, regularization).solve(y)


def discrete_coordinate_descent(B: torch.Tensor, Q: torch.Tensor, P: torch.Tensor, sweeps: int = 10) -> torch.Tensor:
    """Lower |B P|^2 - 2 <B, Q> over codes B (n, K) in {-1, +1}, bit by bit: DCC (SDH, CVPR 2015).

    Bit k becomes sgn(q_k - B' P' p_k), with q_k column k of Q (n, K), p_k row k of P (K, C), and primes without bit k;
    columns in order, new values used at once, up to `sweeps` times or until nothing changes. Where the argument is 0
    (up to rounding) a bit keeps its value, so that no step raises the objective. B is not changed.
    """
    B = B.clone()
    gram = P @ P.T
    tie = TIE * (Q.abs().max() + gram.abs().sum(0).max())
    for _ in range(sweeps):
        before = B.clone()
        for k in range(B.shape[1]):
            argument = Q[:, k] - B @ gram[:, k] + B[:, k] * gram[k, k]
            B[:, k] = torch.where(argument.abs() <= tie, B[:, k], argument.sign())
        if torch.equal(B, before):
            break
    return B


def projection_state(
    mean: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """Return the state of the hash layer `projection`: relaxed = (x - mean) weight + bias; mean (D,), weight (D, K)."""
    bias = torch.zeros(weight.shape[1]) if bias is None else bias
    return {"mean": mean.float(), "weight": weight.float(), "bias": bias.float()}


def anchors_state(
    anchors: torch.Tensor,
    scale: float | torch.Tensor,
    weight: torch.Tensor,
    *,
    offset: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    unit: bool = False,
) -> dict[str, torch.Tensor]:
    """Return the state of the hash layer `anchors`: relaxed = (exp(-scale |x - a|^2) - offset) weight + bias.

    anchors (m, D), scale = 1 / (2 sigma^2), offset (m,), weight (m, K), bias (K,); with `unit` x is brought to length
    1 first, and the anchors are given so. The state's mean is that of the anchors: the layer takes it from both sides,
    which changes no distance and saves digits in float32.
    """
    m, k = weight.shape
    return {
        "anchors": anchors.float(),
        "mean": anchors.mean(0).float(),
        "scale": torch.as_tensor(scale).float(),
        "offset": (torch.zeros(m) if offset is None else offset).float(),
        "weight": weight.float(),
        "bias": (torch.zeros(k) if bias is None else bias).float(),
        "unit": torch.tensor(float(unit)),
    }


def _factor(x: torch.Tensor, divisor: int, regularization: float) -> torch.Tensor:
    """Return the lower Cholesky factor of x^T x / divisor + rho I."""
    moments = x.T @ x / divisor
    moments.diagonal().add_(regularization)
    factor: torch.Tensor
    factor, trouble = torch.linalg.cholesky_ex(moments)
    if int(trouble):
        raise UsageError(
            f"Columns of the features depend on each other and regularization {regularization!r} is too small for "
            "that; give a larger one."
        )
    return factor
