"""CIBHash's trainer: every step sees two random views of each item (IJCAI 2021)."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from hashzoo import Batch, UsageError, unknown_name
from hashzoo.training import GradientTrainer, TrainJob
from hashzoo_cibhash.views import random_view

VIEWS = ("auto", "augment", "dropout")


class CIBHashTrainer(GradientTrainer):
    """The gradient trainer on batches of two views: row i and row N + i of a step have one index and are one item.

    Images are cut, mirrored, recoloured and blurred (`views.random_view`). Vectors, as frozen features are, have no
    such views: dropout stands in for them, which the released network has on its features as well.

    Options:
        views: "augment" for images, "dropout" for vectors and images alike, "auto" what suits the inputs; ours
        dropout: share of zeroed numbers in a view by dropout; ours, that of VGG16's dropout
    """

    def __init__(self, *, views: str = "auto", dropout: float = 0.5) -> None:
        super().__init__()
        if views not in VIEWS:
            raise unknown_name("kind of views", views, VIEWS)
        if not 0 < dropout < 1:
            raise UsageError(f"dropout must be a number between 0 and 1; got {dropout!r}.")
        self.views = views
        self.dropout = dropout

    def begin(self, job: TrainJob) -> None:
        """Refuse several modalities and several processes."""
        if len(job.data.modalities) != 1:
            raise UsageError(
                f"Trainer 'cibhash' makes two views of one modality; got {', '.join(job.data.modalities)}: choose a "
                "dataset of one."
            )
        if job.accelerator.num_processes > 1:
            raise UsageError(
                "Trainer 'cibhash' runs in one process, because every item of a batch is a negative of the others; "
                f"got {job.accelerator.num_processes} processes."
            )

    def step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the loss terms of two views of a batch, put together as one of twice its size."""
        twice = {role: torch.cat([self.view(inputs), self.view(inputs)]) for role, inputs in batch.inputs.items()}
        return super().step(Batch(twice, batch.labels.repeat(2, 1), batch.index.repeat(2)))

    def view(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return a random view of each input: uint8 images (N, H, W, 3) or vectors (N, D)."""
        vectors = inputs.ndim == 2
        if vectors and self.views == "augment":
            raise UsageError("Vectors cannot be cut and mirrored; use --set trainer.views=dropout, or train on images.")
        if vectors or self.views == "dropout":
            kept = F.dropout(inputs.float(), self.dropout)
            return kept if vectors else (kept * (1.0 - self.dropout)).to(inputs.dtype)
        return random_view(inputs)
