"""Hash layers of the reference points: random codes, and the features themselves."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import nn

from hashzoo.losses import sign
from hashzoo.specs import Problem

_SEED_BYTES = 16


class RandomCodes(nn.Module):
    """Pseudo-random bits that depend on an item's features and the layer's seed, and on nothing else.

    Bit k of an item is bit k of SHAKE-256(seed, features as little-endian float32). The seed is drawn when
    the layer is built, from torch's generator, and belongs to its state. The same item gets the same code in
    any batch.
    """

    seed: torch.Tensor

    def __init__(self, feature_dim: int, problem: Problem) -> None:
        super().__init__()
        del feature_dim  # features of any width are hashed
        self.bits = problem.bits
        self.register_buffer("seed", torch.randint(0, 256, (_SEED_BYTES,), dtype=torch.uint8))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the codes twice: relaxed and codes are the same, both (N, K)."""
        rows = np.ascontiguousarray(features.detach().float().cpu().numpy(), dtype="<f4")
        seed = self.seed.cpu().numpy().tobytes()
        width = (self.bits + 7) // 8
        digests = b"".join(hashlib.shake_256(seed + row.tobytes()).digest(width) for row in rows)
        packed = np.frombuffer(digests, dtype=np.uint8).reshape(len(rows), width)
        drawn = np.unpackbits(packed, axis=1, count=self.bits).astype(np.float32) * 2 - 1
        codes = torch.from_numpy(drawn).to(features.device)
        return codes, codes


class Uncoded(nn.Module):
    """The centred features themselves, for ranking without codes: relaxed = x - mean (N, D), codes their sign.

    `mean` (D,) is that of the train features once it is fitted, zero before; without it, cosines of features that are
    all positive are near 1.
    """

    mean: torch.Tensor

    def __init__(self, feature_dim: int, problem: Problem) -> None:
        super().__init__()
        del problem  # as wide as the features, whatever the bit length
        self.register_buffer("mean", torch.zeros(feature_dim))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, D)."""
        relaxed = features - self.mean
        return relaxed, sign(relaxed)
