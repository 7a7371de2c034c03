"""Hash layers of the floors and the ceiling: random codes, random hyperplanes, the features themselves."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.losses import sign
from hashzoo.specs import Problem

_SEED_BYTES = 16
_FIT_ROWS = 8192


class RandomCodes(nn.Module):
    """Pseudo-random bits that depend on an item's features and the layer's seed, and on nothing else.

    Bit k of an item is bit k of SHAKE-256(seed, features as little-endian float32). The seed is drawn when
    the layer is built, from torch's generator, and belongs to its state. The same item gets the same code in
    any batch.
    """

    seed: torch.Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits
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


class RandomProjection(nn.Module):
    """LSH by random hyperplanes (Charikar, STOC 2002): relaxed = (x - mean) W, W ~ N(0, 1).

    `fit` sets the mean to that of the train features; before it the mean is zero. Neither mean nor W is a
    parameter: both belong to the layer's state. W is drawn when the layer is built, from torch's generator.
    """

    mean: torch.Tensor
    projection: torch.Tensor

    def __init__(self, feature_dim: int, bits: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("projection", torch.randn(feature_dim, bits))

    def fit(self, features: torch.Tensor | np.ndarray) -> None:
        """Store the mean of the train features (n, D), summed in float64."""
        if features.ndim != 2 or features.shape[1] != len(self.mean) or not len(features):
            raise UsageError(
                f"Hash layer 'lsh' is fitted on features of shape (n, {len(self.mean)}) with n of at least "
                f"1; got {tuple(features.shape)}."
            )
        total = torch.zeros(len(self.mean), dtype=torch.float64)
        for begin in range(0, len(features), _FIT_ROWS):
            rows = features[begin : begin + _FIT_ROWS]
            block = rows if isinstance(rows, torch.Tensor) else torch.from_numpy(np.array(rows))
            total += block.detach().double().sum(0).cpu()
        self.mean.copy_(total / len(features))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, K)."""
        relaxed = (features - self.mean) @ self.projection
        return relaxed, sign(relaxed)


class Uncoded(nn.Module):
    """The features themselves, for ranking without codes: relaxed = features (N, D), codes their sign."""

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return relaxed and codes, both (N, D): as wide as the features, whatever the bit length."""
        return features, sign(features)


def build_random_codes(feature_dim: int, problem: Problem) -> RandomCodes:
    """Build the floor of random codes; its seed is drawn from torch's generator."""
    return RandomCodes(problem.bits)


def build_lsh(feature_dim: int, problem: Problem) -> RandomProjection:
    """Build random-hyperplane hashing; call its `fit` with the train features."""
    return RandomProjection(feature_dim, problem.bits)


def build_uncoded(feature_dim: int, problem: Problem) -> Uncoded:
    """Build the layer that hands the features on as they are."""
    return Uncoded()
