"""The sign with two values: sign(0) is +1."""

from __future__ import annotations

import torch


def sign(x: torch.Tensor) -> torch.Tensor:
    """Return +1 where x >= 0 and -1 elsewhere, in x's dtype and without gradient; never 0.

    >>> sign(torch.tensor([-2.0, -0.0, 0.0, 0.5])).tolist()
    [-1.0, 1.0, 1.0, 1.0]
    """
    x = x.detach()
    return torch.where(x >= 0, 1, -1).to(x.dtype)
