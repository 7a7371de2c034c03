"""The fitter of BRE (Kulis and Darrell, NIPS 2009), linear kernel; letters: n rows, K bits, s points a bit, E pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from hashzoo import Problem, UsageError
from hashzoo.fitting import generator, labelled_rows, only_modality, projection_state, unit_rows
from hashzoo.losses import share_label

EDGE = 5e-7
"""How far the first and last candidate lie outside the thresholds; a copy of the authors' code."""
NARROW = 1e-12
"""A gap between two thresholds below this holds no candidate: rounding would decide its bits."""
STILL = 2e-5
"""The passes end where the objective falls by no more than this for each pair: 1 for 50,000, as in that code."""


@dataclass
class State:
    """A solution in the making: kernel (n, n), points (K, s), pairs (E,) each with their target, weights (K, s).

    score (n, K) is sum_q W_bq k(x_(q,b), x_i); a bit is score > 0; error (E,) is Hamming / K minus target.
    """

    kernel: torch.Tensor
    points: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    target: torch.Tensor
    weights: torch.Tensor

    def __post_init__(self) -> None:
        self.score = torch.einsum("nks,ks->nk", self.kernel[:, self.points], self.weights)
        self.error = (self.ones[self.first] != self.ones[self.second]).double().mean(1) - self.target

    @property
    def ones(self) -> torch.Tensor:
        """The bits (n, K), true for 1."""
        return self.score > 0

    @property
    def objective(self) -> float:
        """Half the sum of squared errors over the pairs."""
        return 0.5 * float(self.error.square().sum())

    def candidates(self, bit: int, q: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return candidate weights (n + 1,) of point q of a bit, rising, and the objective at each.

        Row i changes its bit at weight t_i = w - score_i / k_i; a row with k_i = 0 never does. Between thresholds the
        bits, and so the objective, stay the same. A pair (i, j) differs from its state below all thresholds exactly
        between t_i and t_j, so that running sums give the objective everywhere. Empty gaps have infinity.
        """
        row, bits = self.kernel[:, self.points[bit, q]], len(self.weights)
        moves = row.nonzero().flatten()
        old = self.score[moves, bit] / row[moves]
        thresholds, order = torch.sort(self.weights[bit, q] - old, stable=True)
        rank = torch.full((len(row),), len(moves))
        rank[moves[order]] = torch.arange(len(moves))
        below = torch.where(row == 0, self.score[:, bit] > 0, row < 0)  # the bits below all thresholds
        ones = self.score[:, bit] > 0
        rest = self.error - (ones[self.first] != ones[self.second]).double() / bits
        differs = (below[self.first] != below[self.second]).double()
        base, other = (rest + differs / bits).square(), (rest + (1 - differs) / bits).square()
        ranks = torch.stack([rank[self.first], rank[self.second]])
        steps = torch.zeros(len(moves) + 2, dtype=base.dtype)
        steps.index_add_(0, ranks.amin(0) + 1, other - base).index_add_(0, ranks.amax(0) + 1, base - other)
        values = 0.5 * (base.sum() + steps[:-1].cumsum(0))
        if not len(moves):
            return self.weights[bit, q][None], values
        middle = (thresholds[:-1] + thresholds[1:]) / 2
        values[1:-1] = torch.where(thresholds[1:] - thresholds[:-1] > NARROW, values[1:-1], torch.inf)
        return torch.cat([thresholds[:1] - EDGE, middle, thresholds[-1:] + EDGE]), values

    def update(self, bit: int, q: int) -> None:
        """Give point q of a bit the best weight there is; ties: the smallest."""
        weights, values = self.candidates(bit, q)
        weight = weights[int(torch.argmin(values))]
        before = self._differ(bit)
        self.score[:, bit] += (weight - self.weights[bit, q]) * self.kernel[:, self.points[bit, q]]
        self.weights[bit, q] = weight
        self.error += (self._differ(bit) - before) / len(self.weights)

    def _differ(self, bit: int) -> torch.Tensor:
        ones = self.score[:, bit] > 0
        return (ones[self.first] != ones[self.second]).double()


class BREFitter:
    """BRE: relaxed = (x - mean) A, column b of A a weighted sum of s train items.

    Lowers half the sum over pairs of (Hamming / K - target)^2, one weight at a time and exactly, on items centred and
    of unit length. Targets: with labels 0 for pairs that share one and 1 for others; without, half the squared distance
    of the features divided by its largest. Fitted on a sample of the train items.

    Options:
        points: s, train items whose weighted sum is a bit; 20, a copy of the authors' code (50 in the paper).
        sample: train items fitted on; 1000, paper and code.
        neighbors: share of the sample that each item is paired with, drawn at random; 0.05, code.
        passes: most passes over the bits, each changing one weight a bit; 30.
    """

    def __init__(
        self, problem: Problem, *, points: int = 20, sample: int = 1000, neighbors: float = 0.05, passes: int = 30
    ) -> None:
        for name, value in (("points", points), ("sample", sample), ("passes", passes)):
            if value < 1:
                raise UsageError(f"BRE's option {name} must be a whole number of at least 1; got {value!r}.")
        if not 0 < neighbors <= 1:
            raise UsageError(f"BRE's option neighbors must be above 0 and at most 1; got {neighbors!r}.")
        self.bits, self.points, self.sample = problem.bits, points, sample
        self.neighbors, self.passes = neighbors, passes

    def fit(
        self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int
    ) -> dict[str, dict[str, torch.Tensor]]:
        """Return the state of the layer `projection`."""
        role, x = only_modality(features)
        mean = x.mean(0)
        draws = generator(seed)
        rows, y = (torch.arange(len(x)), None) if labels is None else labelled_rows(labels)
        chosen = torch.randperm(len(rows), generator=draws)[: self.sample]
        unit = unit_rows((x - mean)[rows[chosen]])
        state = self.start(unit, None if y is None else y[chosen], draws)
        before = float("inf")
        for _ in range(self.passes):
            for bit in range(self.bits):
                state.update(bit, int(torch.randint(state.points.shape[1], (1,), generator=draws)))
            if before - state.objective <= STILL * len(state.target):
                break
            before = state.objective
        weight = torch.einsum("ksd,ks->dk", unit[state.points], state.weights)
        return {role: projection_state(mean, weight)}

    def start(self, unit: torch.Tensor, labels: torch.Tensor | None, draws: torch.Generator) -> State:
        """Return the first state on items (n, D) of unit length: points, pairs and weights are drawn, in this order."""
        n = len(unit)
        if n < 2:
            raise UsageError(f"BRE needs at least 2 train items; got {n}.")
        kernel = unit @ unit.T
        points = torch.stack([torch.randperm(n, generator=draws)[: self.points] for _ in range(self.bits)])
        count = max(1, int(self.neighbors * n))
        drawn = torch.stack([torch.randperm(n, generator=draws)[:count] for _ in range(n)]).flatten()
        first = torch.arange(n).repeat_interleave(count)
        first, second = first[first != drawn], drawn[first != drawn]
        if not len(first):
            raise UsageError(f"BRE drew no pair among {n} train items; use more items or a larger option neighbors.")
        weights = 1e-3 * torch.randn(points.shape, generator=draws, dtype=unit.dtype)
        return State(kernel, points, first, second, self.target(kernel, labels)[first, second], weights)

    @staticmethod
    def target(kernel: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """Return the target distances (n, n) in [0, 1] from the kernel (n, n) and labels (n, C) or None."""
        if labels is not None:
            return 1.0 - share_label(labels, labels)
        size = kernel.diagonal()
        distance = 0.5 * (size[:, None] + size[None, :] - 2.0 * kernel)
        if not float(distance.max()) > 0:
            raise UsageError("All train features are equal, so that BRE has nothing to rebuild; check the features.")
        return distance / distance.max()
