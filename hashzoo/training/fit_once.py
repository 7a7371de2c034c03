"""The trainer of methods without gradient training: hash layers that define `fit` see the train features once."""

from __future__ import annotations

from collections.abc import Callable

import torch

from hashzoo.training.job import TrainJob
from hashzoo.training.seeds import seed_all

ENCODE_BATCH = 512
"""Items per forward pass of the backbone; it changes speed and memory, not the features."""


class FitOnce:
    """Calls `hash_layer.fit(features)` once per modality whose hash layer defines it; nothing else happens."""

    def fit(self, job: TrainJob) -> None:
        """Fit in place; draws depend on the job's seed alone, so a repeated call gives the same layers."""
        job.model.to(job.accelerator.device).eval()
        for modality in job.data.modalities:
            fit: Callable[[torch.Tensor], None] | None = getattr(job.model.hash_layers[modality], "fit", None)
            if fit is not None:
                seed_all(job.seed, "fit", modality)
                fit(train_features(job, modality))


@torch.no_grad()
def train_features(job: TrainJob, modality: str) -> torch.Tensor:
    """Return the backbone's features (n, D) of the whole train split, in its order."""
    backbone = job.model.backbones[modality]
    rows = torch.split(torch.arange(len(job.data)), ENCODE_BATCH)
    return torch.cat([backbone(job.data.inputs(modality, index)) for index in rows])


def build_fit_once() -> FitOnce:
    """Build the trainer; it has no options."""
    return FitOnce()
