"""The loss of DJSRH (ICCV 2019): cosines of the outputs reconstruct one affinity joined from both modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import (
    cosine,
    take_shapes,
    two_roles,
    widen,
)

if TYPE_CHECKING:
    from hashzoo.training import TrainData


class DJSRHLoss(nn.Module):
    """DJSRH (ICCV 2019): mean squared distance of code cosines to the joint-semantics affinity S (N, N) of the batch.

    With f_m the reference features (N, D_m) of role m, S_m = 2 cos(f_m, f_m) - 1, T = beta S_0 + (1 - beta) S_1 and

        S = mu ((1 - eta) T + eta T T' / N),

    a constant. The terms are `within_0`, lambda1 mse(cos(B_0, B_0), S), `across`, mse(cos(B_0, B_1), S), and
    `within_1`, lambda2 mse(cos(B_1, B_1), S), of the relaxed outputs B_m (N, K): means over all N x N entries, the
    diagonal included. A zero vector has the cosine 0.

    Reference features are the inputs themselves where these are vectors (frozen features, a bag of words), else what
    the backbone gave for the train split before training, as the released code keeps a second, fixed network for them;
    they are buffers `reference_0` and `reference_1` (n, D_m), which `prepare` fills.

    Options:
        beta: share of the first role's affinity; 0.9 on MIRFLICKR, 0.6 on NUS-WIDE-10, 0.3 on Wiki (released code)
        eta: share of the second-order affinity T T' / N; released code
        mu: scale of S, above 1 on purpose: it pulls similar pairs together; released code
        lambda1: weight of the first role's own term; 0.1, on Wiki 0.3 (released code)
        lambda2: weight of the second role's own term; 0.1, on Wiki 0.3 (released code)
    """

    reference_0: torch.Tensor
    reference_1: torch.Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        beta: float = 0.9,
        eta: float = 0.4,
        mu: float = 1.5,
        lambda1: float = 0.1,
        lambda2: float = 0.1,
    ) -> None:
        super().__init__()
        for name, value, top in (
            ("beta", beta, 1.0), ("eta", eta, 1.0), ("mu", mu, None), ("lambda1", lambda1, None),
            ("lambda2", lambda2, None),
        ):  # fmt: skip
            if not 0.0 <= value <= (float("inf") if top is None else top):
                raise UsageError(f"{name} must be a number of {'0 to 1' if top else 'at least 0'}; got {value!r}.")
        self.roles = two_roles(problem, "Loss 'djsrh'")
        self.beta, self.eta, self.mu = beta, eta, mu
        self.weights = (lambda1, lambda2)
        for name in ("reference_0", "reference_1"):
            self.register_buffer(name, torch.empty(problem.num_train, 0))
        take_shapes(self, "reference_0", "reference_1")

    def prepare(self, data: TrainData, seed: int) -> None:
        """Keep the backbone's features of roles whose inputs are not vectors; called once before the first epoch."""
        first = torch.zeros(1, dtype=torch.int64)
        for name, role in zip(("reference_0", "reference_1"), self.roles, strict=True):
            if data.inputs(role, first).ndim != 2:
                kept = getattr(self, name)
                setattr(self, name, data.features(role).detach().to(kept.device, torch.float32))

    def affinity(self, features: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return S (N, N) of reference features (N, D_0) and (N, D_1)."""
        own = [2.0 * cosine(f, f) - 1.0 for f in features]
        joint = self.beta * own[0] + (1.0 - self.beta) * own[1]
        return self.mu * ((1.0 - self.eta) * joint + self.eta * joint @ joint.T / len(joint))

    def forward(self, output: Mapping[str, HashOutput], batch: Batch) -> dict[str, torch.Tensor]:
        """Return the three terms."""
        a, b = (widen(output[role].relaxed) for role in self.roles)
        with torch.no_grad():
            first, second = (self._features(slot, output[role], batch) for slot, role in enumerate(self.roles))
            target = self.affinity((first, second)).to(a.dtype)
        return {
            "within_0": self.weights[0] * (cosine(a, a) - target).square().mean(),
            "across": (cosine(a, b) - target).square().mean(),
            "within_1": self.weights[1] * (cosine(b, b) - target).square().mean(),
        }

    def _features(self, slot: int, output: HashOutput, batch: Batch) -> torch.Tensor:
        inputs = batch.inputs[self.roles[slot]]
        if inputs.ndim == 2:
            return widen(inputs)
        kept = self.reference_0 if slot == 0 else self.reference_1
        return kept[batch.index] if kept.shape[1] else widen(output.features.detach())
