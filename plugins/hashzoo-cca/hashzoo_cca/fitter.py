"""Canonical correlation analysis of two modalities, in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import (
    as_float64,
    canonical_axes,
    generator,
    projection_state,
    two_roles,
)

SCALES = ("sum", "trace")
FILLS = ("refuse", "random")


class CCA:
    """CCA and sign: the K pairs of directions in which the two modalities correlate most; labels are not seen.

    With X_m (n, D_m) centred by its mean over the train split and C_mm = X_m' X_m + lambda I, the weights maximise
    tr(W_1' X_1' X_2 W_2) under W_m' C_mm W_m = I (Hotelling, Biometrika 1936; as hashing: CVH, IJCAI 2011, where
    nothing but the pairing is known). Bit k of x is the sign of w_mk (x - mean_m). The first k bits of a longer code
    are the k-bit code. Signs are fixed on the side of the first role; nothing is drawn.

    Options:
        regularization: lambda; 1e-6 in a released CVH, 1e-4 in another
        scale: "sum", lambda is added to the sums of squares as in the released codes; "trace", it is a share of the
            mean variance, lambda tr(X_m' X_m) / D_m, which does not depend on the unit of the features
        fill: where K is larger than the number of correlated directions, "refuse", or fill up by "random" directions
            of N(0, 1), drawn for each modality alone, so that these bits carry nothing across modalities
    """

    def __init__(
        self, problem: Problem, *, regularization: float = 1e-6, scale: str = "sum", fill: str = "refuse"
    ) -> None:
        two_roles(problem, "Fitter 'cca'")
        if not regularization >= 0:
            raise UsageError(f"regularization must be a number of at least 0; got {regularization!r}.")
        for name, value, known in (("scale", scale, SCALES), ("fill", fill, FILLS)):
            if value not in known:
                raise UsageError(f"{name} must be {' or '.join(map(repr, known))}; got {value!r}.")
        self.problem = problem
        self.regularization, self.scale, self.fill = regularization, scale, fill

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of each role's hash layer `projection` from features (n, D_m)."""
        tables = [as_float64(features[role]) for role in self.problem.modalities]
        means = [x.mean(0) for x in tables]
        weights = self.weights(tables[0] - means[0], tables[1] - means[1])
        missing = self.problem.bits - weights[0].shape[1]
        if missing > 0 and self.fill == "refuse":
            raise UsageError(
                f"CCA finds {weights[0].shape[1]} correlated directions in features of width {tables[0].shape[1]} and "
                f"{tables[1].shape[1]}, fewer than {self.problem.bits} bits: use fewer, or --set fitter.fill=random."
            )
        draws = generator(seed)
        filled = [torch.cat([w, torch.randn(len(w), max(missing, 0), generator=draws)], dim=1) for w in weights]
        return {
            role: projection_state(mean, weight)
            for role, mean, weight in zip(self.problem.modalities, means, filled, strict=True)
        }

    def weights(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return W_1 (D_1, c) and W_2 (D_2, c), c at most K, of centred tables, with W' (X' X + lambda I) W = I."""
        units = [math.sqrt(float(t.square().sum()) / t.shape[1]) or 1.0 for t in (x, y)]
        one, two = units if self.scale == "trace" else (1.0, 1.0)
        spread = len(x) - 1  # canonical_axes divides sums of squares by it
        axes = canonical_axes(x / one, y / two, self.problem.bits, self.regularization / spread)
        return axes.weight_x / (one * math.sqrt(spread)), axes.weight_y / (two * math.sqrt(spread))
