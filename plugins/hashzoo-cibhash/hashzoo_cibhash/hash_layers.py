"""CIBHash's head: two layers whose outputs are the log-odds of the bits (IJCAI 2021)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hashzoo import Problem, UsageError, unknown_name
from hashzoo.losses import sign

CODES = ("sign", "sampled")


class ThroughProbability(torch.autograd.Function):
    """Codes forward; backward the gradient of the codes is that of p = sigmoid(logits): times p (1 - p)."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the codes (N, K)."""
        ctx.save_for_backward(logits)
        return codes.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Return the gradient of the logits."""
        (logits,) = ctx.saved_tensors
        p = torch.sigmoid(logits)
        return gradient * p * (1.0 - p), None


class CIBHashLayer(nn.Module):
    """Linear D-hidden, ReLU, linear hidden-K; relaxed are the log-odds l of the bits, codes sgn(l).

    The initial values are those of torch's linear layer.

    Options:
        hidden: width of the first layer; released code, 1024
        codes: codes in training, "sign" as in the released code, or "sampled", +1 with probability sigmoid(l); paper
    """

    def __init__(self, feature_dim: int, problem: Problem, *, hidden: int = 1024, codes: str = "sign") -> None:
        super().__init__()
        if not isinstance(hidden, int) or isinstance(hidden, bool) or hidden < 1:
            raise UsageError(f"hidden must be an integer of at least 1; got {hidden!r}.")
        if codes not in CODES:
            raise unknown_name("kind of codes", codes, CODES)
        self.codes = codes
        self.layers = nn.Sequential(nn.Linear(feature_dim, hidden), nn.ReLU(), nn.Linear(hidden, problem.bits))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        logits = self.layers(features)
        chosen = sign(logits)
        if self.training and self.codes == "sampled":
            chosen = sign(torch.sigmoid(logits) - torch.rand_like(logits))
        codes: torch.Tensor = ThroughProbability.apply(logits, chosen)  # type: ignore[no-untyped-call] # torch types it so
        return logits, codes
