"""CIBHash's trainer: every step sees two random views of each item (IJCAI 2021)."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from hashzoo import Batch, UsageError, unknown_name
from hashzoo.training import GradientTrainer, TrainJob
from hashzoo_cibhash.views import random_view

VIEWS = ("auto", "augment", "noise", "dropout")


class CIBHashTrainer(GradientTrainer):
    """The gradient trainer on batches of two views: row i and row N + i of a step have one index and are one item.

    Images are cut, mirrored, recoloured and blurred (`views.random_view`). Vectors, as frozen features are, have no
    such views: noise stands in for them.

    Options:
        views: "augment" for images, "noise" or "dropout" for vectors; "auto" takes "augment" or "noise"; ours
        noise: deviation of the noise, in deviations of each feature over the batch; ours
        dropout: share of zeroed features in a view by dropout; ours, that of VGG16's dropout
    """

    one_process = "every item of a batch is a negative of the others"

    def __init__(self, *, views: str = "auto", noise: float = 1.0, dropout: float = 0.5) -> None:
        super().__init__()
        if views not in VIEWS:
            raise unknown_name("kind of views", views, VIEWS)
        if not 0 < dropout < 1:
            raise UsageError(f"dropout must be a number between 0 and 1; got {dropout!r}.")
        if not noise > 0:
            raise UsageError(f"noise must be a number above 0; got {noise!r}.")
        self.views = views
        self.noise = noise
        self.dropout = dropout

    def begin(self, job: TrainJob) -> None:
        """Refuse several modalities."""
        if len(job.data.modalities) != 1:
            raise UsageError(
                f"Trainer 'cibhash' makes two views of one modality; got {', '.join(job.data.modalities)}: choose a "
                "dataset of one."
            )

    def step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the loss terms of two views of a batch, put together as one of twice its size."""
        twice = {role: torch.cat([self.view(inputs), self.view(inputs)]) for role, inputs in batch.inputs.items()}
        return super().step(Batch(twice, batch.labels.repeat(2, 1), batch.index.repeat(2)))

    def view(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return a random view of each input: uint8 images (N, H, W, 3) or vectors (N, D)."""
        vectors = inputs.ndim == 2
        views = ("noise" if vectors else "augment") if self.views == "auto" else self.views
        if vectors != (views != "augment"):
            fitting = "noise or dropout" if vectors else "augment"
            raise UsageError(
                f"trainer.views={views} is not for {'vectors' if vectors else 'images'}; use {fitting}, or auto."
            )
        if views == "augment":
            return random_view(inputs)
        x = inputs.float()
        if views == "dropout":
            return F.dropout(x, self.dropout)
        return x + self.noise * x.std(dim=0, correction=0) * torch.randn_like(x)
