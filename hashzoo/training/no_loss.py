"""The loss of methods that are not trained by gradients."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.specs import Batch, HashOutput, Problem


class NoLoss(nn.Module):
    """Has no terms and no parameters."""

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return no term."""
        return {}


def build_no_loss(problem: Problem) -> NoLoss:
    """Build the loss without terms; it has no options."""
    return NoLoss()
