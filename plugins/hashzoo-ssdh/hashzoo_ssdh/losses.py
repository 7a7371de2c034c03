"""The loss of SSDH: codes of surely near pairs agree, those of surely far pairs differ (IJCAI 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import take_shapes, unit, widen
from hashzoo_ssdh.structure import find_thresholds, structure_of

if TYPE_CHECKING:
    from hashzoo.training import TrainData


class SSDHLoss(nn.Module):
    """SSDH (IJCAI 2018): `structure` = mean over the N^2 ordered pairs of |S_ij| (<z_i, z_j>/K - S_ij)^2.

    z is the relaxed output (tanh). S comes from the features of the train split before training, in evaluation mode:
    with their cosine distances d, most frequent value m and deviations s_l, s_r to its left and right, S_ij is +1
    where d_ij < m - alpha s_l, -1 where d_ij > m + beta s_r, and 0 elsewhere; S_ii = 1. Features that move in
    training do not change it. Labels are not read. The state holds the unit features (n, D) in float16 and the two
    thresholds, never an n x n matrix.

    Options:
        alpha: deviations below m of a near pair; released code, 2
        beta: deviations above m of a far pair; released code, 2
        center_features: subtract the train features' mean first; ours, for features whose cosines are all near 1
    """

    features: torch.Tensor
    thresholds: torch.Tensor

    def __init__(
        self, problem: Problem, *, alpha: float = 2.0, beta: float = 2.0, center_features: bool = False
    ) -> None:
        super().__init__()
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not value >= 0:
                raise UsageError(f"{name} must be a number of at least 0; got {value!r}.")
        if not isinstance(center_features, bool):
            raise UsageError(f"center_features must be true or false; got {center_features!r}.")
        if len(problem.modalities) != 1:
            raise UsageError(f"Loss 'ssdh' takes one modality; got {', '.join(problem.modalities)}.")
        self.role = problem.modalities[0]
        self.alpha = alpha
        self.beta = beta
        self.center_features = center_features
        self.register_buffer("features", torch.zeros(0, 0, dtype=torch.float16))
        self.register_buffer("thresholds", torch.zeros(2))
        take_shapes(self, "features")

    @torch.no_grad()
    def prepare(self, data: TrainData, seed: int) -> None:
        """Keep the train features and find their thresholds; nothing is drawn."""
        features = widen(data.features(self.role))
        if self.center_features:
            features = features - features.mean(dim=0)
        self.features = unit(features).half()
        found = find_thresholds(self.features.float(), self.alpha, self.beta)
        self.thresholds = torch.tensor(found, device=self.features.device)

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"structure"} of a batch: relaxed (N, K), index (N,)."""
        if not len(self.features):
            raise UsageError("Loss 'ssdh' has not seen the train features; its trainer must call prepare(data, seed).")
        z = widen(output.relaxed)
        known = self.features[batch.index].to(z.dtype)
        wanted = structure_of(known, *self.thresholds)
        error = (z @ z.T) / z.shape[1] - wanted
        return {"structure": (wanted.abs() * error**2).mean()}
