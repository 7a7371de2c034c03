"""Fitters of the reference points: the mean of the train features, and random hyperplanes through it."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from hashzoo.specs import Problem

State = dict[str, dict[str, torch.Tensor]]


class Center:
    """Gives each hash layer the mean (D,) of its train features, summed in float64."""

    def __init__(self, problem: Problem) -> None:
        del problem  # the mean depends on the features alone

    def fit(self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int) -> State:
        """Return {role: {"mean": (D,)}}."""
        return {role: {"mean": x.double().mean(dim=0).float()} for role, x in features.items()}


class RandomProjection:
    """LSH by random hyperplanes (Charikar, STOC 2002): relaxed = (x - mean) W, W ~ N(0, 1)."""

    def __init__(self, problem: Problem) -> None:
        self.bits = problem.bits

    def fit(self, features: Mapping[str, torch.Tensor], labels: torch.Tensor | None, seed: int) -> State:
        """Return {role: {"mean": (D,), "weight": (D, K), "bias": (K,)}}; each role draws its own projection."""
        generator = torch.Generator().manual_seed(seed)
        return {
            role: {
                "mean": x.double().mean(dim=0).float(),
                "weight": torch.randn(x.shape[1], self.bits, generator=generator),
                "bias": torch.zeros(self.bits),
            }
            for role, x in features.items()
        }
