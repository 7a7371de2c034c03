"""The loss of DPSH: pairwise likelihood of a batch against the outputs of the whole train split (IJCAI 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import LastOutputs, pair_logistic, share_label, sign, widen

if TYPE_CHECKING:
    from hashzoo.training import TrainData


class DPSHLoss(nn.Module):
    """DPSH (IJCAI 2016): `pairwise` and `quantization`.

    With outputs u of the batch (N, K), the last outputs U of all train items (n, K), constant and brought up to date
    with u first, Theta = u U^T / 2 (N, n) and s = 1 where two images share a label:

        pairwise     = 1/(n N) sum (softplus(Theta) - s Theta)
        quantization = eta/(n N) sum |sgn(u) - u|^2

    as in the first author's PyTorch code. Since U is constant this is half the gradient of the paper's sum over
    ordered pairs, so that eta counts twice as much as it does there. Rows of U not visited yet are 0 and add no
    gradient.

    Options:
        eta: weight of the quantization; 10 in the released code for CIFAR-10 (50 in a file of its that says NUS-WIDE).
        self_pairs: whether an image is paired with itself, as in the released code.
    """

    def __init__(self, problem: Problem, *, eta: float = 10.0, self_pairs: bool = True) -> None:
        super().__init__()
        if not eta >= 0:
            raise UsageError(f"eta must be a number of at least 0; got {eta!r}.")
        if not isinstance(self_pairs, bool):
            raise UsageError(f"self_pairs must be true or false; got {self_pairs!r}.")
        self.eta, self.self_pairs = eta, self_pairs
        self.last = LastOutputs(problem)

    def prepare(self, data: TrainData, seed: int) -> None:
        """Note the labels of the train split."""
        self.last.prepare(data.labels)

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the two terms of a batch: relaxed (N, K), labels (N, C), index (N,)."""
        u = widen(output.relaxed)
        outputs = self.last.remember(u, batch)
        similar = share_label(batch.labels, self.last.labels).to(u.dtype)
        pairs = pair_logistic(0.5 * u @ outputs.T, similar)
        if not self.self_pairs:
            pairs = pairs.scatter(1, batch.index[:, None], 0.0)
        scale = 1.0 / pairs.numel()
        return {
            "pairwise": scale * pairs.sum(),
            "quantization": scale * self.eta * ((sign(u) - u) ** 2).sum(),
        }
