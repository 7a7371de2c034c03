"""HashNet's hash layer: tanh(beta z) with a slope that grows during training (ICCV 2017)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Problem, UsageError, unknown_name
from hashzoo.losses import sign

SCHEDULES = ("stages", "sqrt", "none")
SQRT_BLOCKS = 50
"""The released code raises beta every 200 of its 10,000 iterations: 50 blocks."""


class ContinuationHashLayer(nn.Module):
    """A linear layer and tanh(beta z); relaxed in [-1, 1], codes its sign.

    Weights are drawn from N(0, std^2), biases are zero. `start_epoch` sets beta, which belongs to the state.

    Options:
        schedule: "stages" as in the paper, "sqrt" as in the released code, "none" keeps beta at 1 (HashNet-sgn)
        stages: number of stages; paper, 10 suffices
        last_beta: slope of the last stage that is trained; ours, the paper does not print its slopes
        std: standard deviation of the initial weights; released code, 0.01
    """

    beta: torch.Tensor

    def __init__(
        self,
        feature_dim: int,
        problem: Problem,
        *,
        schedule: str = "stages",
        stages: int = 10,
        last_beta: float = 10.0,
        std: float = 0.01,
    ) -> None:
        super().__init__()
        if schedule not in SCHEDULES:
            raise unknown_name("schedule of beta", schedule, SCHEDULES)
        if not isinstance(stages, int) or isinstance(stages, bool) or stages < 1:
            raise UsageError(f"stages must be an integer of at least 1; got {stages!r}.")
        if not last_beta >= 1:
            raise UsageError(f"last_beta must be a number of at least 1; got {last_beta!r}.")
        if not std >= 0:
            raise UsageError(f"std must be a number of at least 0; got {std!r}.")
        self.linear = nn.Linear(feature_dim, problem.bits)
        nn.init.normal_(self.linear.weight, std=std)
        nn.init.zeros_(self.linear.bias)
        self.schedule = schedule
        self.stages = stages
        self.last_beta = last_beta
        self.register_buffer("beta", torch.ones(()))

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Set beta for epoch `epoch` (0-based) of `epochs`."""
        self.beta.fill_(self.beta_at(epoch, epochs))

    def beta_at(self, epoch: int, epochs: int) -> float:
        """Return beta in epoch `epoch` (0-based) of `epochs`.

        `stages`: stage t of m stages of equal length has beta = last_beta^(t / (m - 1)), from 1 to last_beta;
        the stage beta = infinity is the sign that makes the codes. With fewer epochs than stages every epoch is a
        stage, so that the last epoch has last_beta; a single epoch stays at 1. `sqrt`: sqrt(1 + k) after k of 50
        blocks.
        """
        stages = min(self.stages, epochs)
        if self.schedule == "stages" and stages > 1:
            stage = min(stages - 1, epoch * stages // epochs)
            return float(self.last_beta ** (stage / (stages - 1)))
        if self.schedule == "sqrt":
            return float((1.0 + epoch * SQRT_BLOCKS // epochs) ** 0.5)
        return 1.0

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        z = self.linear(features)
        return torch.tanh(self.beta * z), sign(z)
