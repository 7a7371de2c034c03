"""The loss of DNNH: a triplet ranking hinge on outputs in [0, 1] (CVPR 2015)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.fitting import squared_distances
from hashzoo.losses import off_diagonal, share_label, widen


class DNNHLoss(nn.Module):
    """DNNH (CVPR 2015): `triplet`, the mean over triplets of max(0, margin + |F - F+|^2 - |F - F-|^2).

    F = (relaxed + 1) / 2, in [0, 1]^K with the hash layer `dnnh`. Triplets (i, p, n) are those of the batch: p is
    another image that shares a label with i, n one that shares none. The mean is over all of them, also those whose
    hinge is 0. A batch without a triplet gives 0.

    Options:
        margin: 1 in the paper; 2 in a re-implementation that follows the authors' archive, for every code length.
        per_anchor: draw this many triplets for each image at random instead of taking all; 0 takes all.
    """

    def __init__(self, problem: Problem, *, margin: float = 1.0, per_anchor: int = 0) -> None:
        super().__init__()
        if not margin > 0:
            raise UsageError(f"margin must be a number above 0; got {margin!r}.")
        if per_anchor < 0:
            raise UsageError(f"per_anchor must be an integer of at least 0; got {per_anchor!r}.")
        self.margin, self.per_anchor = margin, per_anchor

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"triplet"} of a batch: relaxed (N, K), labels (N, C)."""
        F = 0.5 * (widen(output.relaxed) + 1.0)
        distance = squared_distances(F, F)
        similar = share_label(batch.labels, batch.labels) > 0
        other = off_diagonal(len(F), F.device)
        count = self._drawn if self.per_anchor else self._all
        return {"triplet": count(distance, similar & other, ~similar & other)}

    def _all(self, distance: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        """Return the mean hinge over all triplets.

        The hinge is linear in the distances: each enters as often as it stands in a triplet whose hinge is above 0.
        These counts follow from sorted rows: of p with i, the negatives n nearer than margin + d_ip; of n, the
        positives p with margin + d_ip above d_in.
        """
        with torch.no_grad():
            reach = self.margin + distance
            far = torch.where(negative, distance, torch.inf).sort(dim=1).values
            near = torch.where(positive, reach, -torch.inf).sort(dim=1).values
            as_positive = (torch.searchsorted(far, reach) * positive).to(distance)
            as_negative = ((len(near) - torch.searchsorted(near, distance, right=True)) * negative).to(distance)
            triplets = (positive.sum(1) * negative.sum(1)).sum().clamp_min(1)
        total = self.margin * as_positive.sum() + (as_positive * distance).sum() - (as_negative * distance).sum()
        return total / triplets

    def _drawn(self, distance: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        """Return the mean hinge over `per_anchor` triplets of each image that has one, drawn with repetition."""
        valid = positive.any(1) & negative.any(1)
        hinges = []
        for mask in (positive, negative):
            chances = torch.where(valid[:, None], mask, True).float()
            hinges.append(distance.gather(1, torch.multinomial(chances, self.per_anchor, replacement=True)))
        hinge = (self.margin + hinges[0] - hinges[1]).clamp_min(0.0).mean(dim=1)
        return torch.where(valid, hinge, 0.0).sum() / valid.sum().clamp_min(1)
