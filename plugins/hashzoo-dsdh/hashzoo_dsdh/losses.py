"""The loss of DSDH: pairwise likelihood, and codes that also classify, found bit by bit (NeurIPS 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.fitting import as_float64, discrete_coordinate_descent, generator, ridge
from hashzoo.losses import LastOutputs, pair_logistic, share_label, sign, widen

if TYPE_CHECKING:
    from hashzoo.training import TrainData

SOLVE = ("epoch", "batch")


class DSDHLoss(nn.Module):
    """DSDH (NeurIPS 2017): `pairwise` and `quantization`, with codes B (n, K) and classifier W (K, C) between epochs.

    With outputs u (n, K), Theta = u u^T / 2, labels Y (n, C), s = 1 where two images share a label, the objective is

        sum_ij (softplus(Theta_ij) - s_ij Theta_ij) + eta |B - u|^2 + mu |Y - B W|^2 + nu |W|^2,  B in {-1, +1}

    The network: with the batch's u (N, K) against the last outputs of all train items, constant, `pairwise` is the
    first sum and `quantization` eta/2 |B - u|^2 over the batch, both divided by n N. Constant outputs halve the
    gradient of the pairs, hence eta/2. After each epoch, with u of the whole train split: W = (B^T B + nu/mu I)^-1
    B^T Y, then B by discrete coordinate descent, each bit of all images at once; neither raises the objective. Images
    without a label are left out of both and have b = sgn(u). A batch's pairs hold each image with itself, which counts
    as dissimilar where it has no label; that is one pair of n.

    Options:
        eta: weight of the quantization; 55 in the released code.
        mu: weight of the classification; 1 in the released code.
        nu: weight of the classifier's norm; 0.1 in the released code.
        solve: "epoch" solves W and B for the train split; "batch" is the released code's, for each batch anew.
        sweeps: passes over the bits until none changes; at most 10 in the released code.
    """

    codes: torch.Tensor
    classifier: torch.Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        eta: float = 55.0,
        mu: float = 1.0,
        nu: float = 0.1,
        solve: str = "epoch",
        sweeps: int = 10,
    ) -> None:
        super().__init__()
        if not eta >= 0:
            raise UsageError(f"eta must be a number of at least 0; got {eta!r}.")
        if not (mu > 0 and nu > 0):
            raise UsageError(f"mu and nu must be numbers above 0; got {mu!r} and {nu!r}.")
        if solve not in SOLVE:
            raise unknown_name("time to solve for the codes", solve, SOLVE)
        if sweeps < 1:
            raise UsageError(f"sweeps must be an integer of at least 1; got {sweeps!r}.")
        self.eta, self.mu, self.nu, self.solve, self.sweeps = eta, mu, nu, solve, sweeps
        self.last = LastOutputs(problem)
        self.register_buffer("codes", torch.zeros(problem.num_train, problem.bits))
        self.register_buffer("classifier", torch.zeros(problem.bits, problem.num_classes))

    def prepare(self, data: TrainData, seed: int) -> None:
        """Note the labels of the train split and draw its first codes."""
        self.last.prepare(data.labels)
        self.codes.copy_(torch.randint(0, 2, self.codes.shape, generator=generator(seed)) * 2.0 - 1.0)

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the two terms of a batch: relaxed (N, K), labels (N, C), index (N,)."""
        u = widen(output.relaxed)
        outputs = self.last.remember(u, batch)
        similar = share_label(batch.labels, self.last.labels).to(u.dtype)
        pairs = pair_logistic(0.5 * u @ outputs.T, similar)
        codes = self.codes[batch.index] if self.solve == "epoch" else self._codes_of_batch(u, batch.labels)
        scale = 1.0 / pairs.numel()
        return {
            "pairwise": scale * pairs.sum(),
            "quantization": scale * 0.5 * self.eta * ((codes.to(u.dtype) - u) ** 2).sum(),
        }

    def wants_outputs(self, epoch: int) -> bool:
        """Return whether W and B are solved for after the epochs."""
        return self.solve == "epoch"

    def end_epoch(self, epoch: int, outputs: HashOutput) -> None:
        """Solve for W with B fixed, then for B with W fixed, from the outputs of the whole train split."""
        if self.solve == "epoch":
            self.codes.copy_(self._solved(self.codes, self.codes, outputs.relaxed, self.last.labels))

    @torch.no_grad()
    def _codes_of_batch(self, u: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return codes (N, K) as the released code finds them: W from sgn(u), then B from zeros."""
        return self._solved(sign(u), torch.zeros_like(u), u, labels).to(u.device)

    def _solved(self, known: torch.Tensor, start: torch.Tensor, u: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return codes (n, K) after W was found from the codes `known` and B from `start`; float64 on the processor."""
        u, labels = as_float64(u), as_float64(labels)
        rows = labels.sum(dim=1) > 0
        codes = sign(u)
        if bool(rows.any()):
            Y = labels[rows]
            W = ridge(as_float64(known)[rows], Y, self.nu / self.mu)
            Q = Y @ W.T + (self.eta / self.mu) * u[rows]
            codes[rows] = sign(discrete_coordinate_descent(as_float64(start)[rows], Q, W, self.sweeps))
            self.classifier.copy_(W)
        return codes
