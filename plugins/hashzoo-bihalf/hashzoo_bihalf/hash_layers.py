"""The bi-half layer: in training each bit is +1 for one half of the batch and -1 for the other (AAAI 2021)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hashzoo import Problem, UsageError
from hashzoo.losses import sign


def halves(relaxed: torch.Tensor) -> torch.Tensor:
    """Return B (N, K): in each column the floor(N/2) largest of relaxed (N, K) give +1, the others -1.

    Of equal values the one in the earlier row counts as larger.
    """
    order = relaxed.detach().argsort(dim=0, descending=True, stable=True)
    signs = torch.full_like(relaxed, -1.0, requires_grad=False)
    return signs.scatter_(0, order[: len(relaxed) // 2], 1.0)


class PullToCodes(torch.autograd.Function):
    """B forward; backward dL/dU = dL/dB + gamma (U - B) / (N K), which is the gradient of no function."""

    @staticmethod
    def forward(ctx: Any, relaxed: torch.Tensor, codes: torch.Tensor, gamma: float) -> torch.Tensor:
        """Return the codes (N, K)."""
        ctx.save_for_backward(relaxed, codes)
        ctx.gamma = gamma
        return codes.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return the gradient of the relaxed outputs."""
        relaxed, codes = ctx.saved_tensors
        return gradient + ctx.gamma * (relaxed - codes) / relaxed.numel(), None, None


class BiHalfLayer(nn.Module):
    """A linear layer; relaxed is its output U, codes are `halves` of the batch in training and sgn(U) otherwise.

    A training batch of one item has no halves and gets its signs. The initial values are those of torch's linear
    layer. Several processes are refused, because a half of each part is not a half of the batch, and --precision fp16,
    because its scale of the loss reaches the gradient and not the pull that is added to it.

    Options:
        gamma: weight of the pull of U to B in the gradient; released code, 6 (1 for its auto-encoder on MNIST)
    """

    no_fp16 = "hash layer 'bihalf' adds a pull to the gradient that is not scaled with it"

    def __init__(self, feature_dim: int, problem: Problem, *, gamma: float = 6.0) -> None:
        super().__init__()
        if not gamma >= 0:
            raise UsageError(f"gamma must be a number of at least 0; got {gamma!r}.")
        self.gamma = gamma
        self.linear = nn.Linear(feature_dim, problem.bits)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = self.linear(features)
        split = self.training and len(relaxed) > 1
        if split and torch.distributed.is_available() and torch.distributed.is_initialized():
            processes = torch.distributed.get_world_size()
            if processes > 1:
                raise UsageError(f"Hash layer 'bihalf' sorts whole batches and runs in one process; got {processes}.")
        codes: torch.Tensor = PullToCodes.apply(relaxed, halves(relaxed) if split else sign(relaxed), self.gamma)  # type: ignore[no-untyped-call] # torch types it so
        return relaxed, codes
