"""The loss of UCCH (TPAMI 2023): momentum contrast against a memory of codes, and a cross-modal ranking loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.losses import (
    sign,
    two_roles,
    unit,
    widen,
)

UPDATES = ("paper", "released")


class UCCHLoss(nn.Module):
    """UCCH (TPAMI 2023): `contrast`, beta L_c, and `ranking`, (1 - beta) L_r, of unit outputs h (N, K) of two roles.

    L_c: for each output the cross entropy of its own key among its key and `negatives` keys that are drawn from all n
    train items with replacement, at logits h k / tau, mean over items, summed over roles. The key of item i is
    sgn(v_i) / sqrt(K), without gradient, with v (n, K) the buffer `memory`. After each batch (in training mode) row i
    becomes delta v_i + (1 - delta) (h0_i + h1_i) / 2; in evaluation mode all n keys, each counted negatives / n times,
    stand for the drawn ones, and nothing changes. In the warm-up epochs the keys are the signs of the batch's mean
    outputs, the negatives the other items of the batch, and the memory is overwritten (delta = 0).

    L_r: with M = h0 h1' (N, N) and S_ij = M_ij where M_ii - M_ij <= margin, else M_ij - shift, the mean over rows of
    margin - M_ii + log sum_j exp S_ij, plus the same over columns. The choice between the two has no gradient.

    Options:
        beta: share of the contrast; 0.7 in the released README for MIRFLICKR (code default 0.9); chosen by validation
        tau: temperature; paper
        delta: momentum of the memory; paper
        negatives: keys drawn for each item; paper: 4096
        margin: m of the ranking; paper
        shift: xi, taken from easy pairs; 0.1 in the released README for MIRFLICKR (code default 1; paper: above 0)
        warmup: epochs of warm-up; released code: 1 on features, 5 on raw images
        update: "paper", or "released", which takes mean and row to unit length
    """

    memory: torch.Tensor
    warm: torch.Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        beta: float = 0.7,
        tau: float = 0.9,
        delta: float = 0.4,
        negatives: int = 4096,
        margin: float = 0.2,
        shift: float = 0.1,
        warmup: int = 1,
        update: str = "paper",
    ) -> None:
        super().__init__()
        for name, share in (("beta", beta), ("delta", delta)):
            if not 0.0 <= share <= 1.0:
                raise UsageError(f"{name} must be a number of 0 to 1; got {share!r}.")
        for name, least, value in (("margin", 0, margin), ("shift", 0, shift), ("warmup", 0, warmup)):
            if not value >= least:
                raise UsageError(f"{name} must be a number of at least {least}; got {value!r}.")
        if not tau > 0 or negatives < 1:
            raise UsageError(f"tau must be above 0 and negatives at least 1; got {tau!r} and {negatives!r}.")
        if update not in UPDATES:
            raise UsageError(f"update must be {' or '.join(map(repr, UPDATES))}; got {update!r}.")
        self.roles = two_roles(problem, "Loss 'ucch'")
        self.beta, self.tau, self.delta, self.negatives = beta, tau, delta, negatives
        self.margin, self.shift, self.warmup, self.update = margin, shift, warmup, update
        self.register_buffer("memory", sign(torch.randn(problem.num_train, problem.bits)) / math.sqrt(problem.bits))
        self.register_buffer("warm", torch.tensor(warmup > 0))
        self._warm = warmup > 0  # as `warm`, without asking the device for it in every step
        self.register_load_state_dict_post_hook(_note_warm)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Note whether epoch `epoch` (0-based) belongs to the warm-up."""
        self._warm = epoch < self.warmup
        self.warm.fill_(self._warm)

    def forward(self, output: Mapping[str, HashOutput], batch: Batch) -> dict[str, torch.Tensor]:
        """Return the two terms, and bring the memory up to date."""
        h0, h1 = (unit(widen(output[role].relaxed)) for role in self.roles)
        mean = 0.5 * (h0 + h1).detach()
        if self._warm:
            keys, chosen = sign(mean) / math.sqrt(mean.shape[1]), _own_first(len(mean), mean.device)
        else:
            keys = sign(self.memory).to(mean.dtype) / math.sqrt(mean.shape[1])
            chosen = torch.cat([batch.index[:, None], self._negatives(len(mean), mean.device)], dim=1)
        contrast = self.contrast(h0, keys, chosen) + self.contrast(h1, keys, chosen)
        if self.training:
            self._remember(mean, batch.index)
        return {"contrast": self.beta * contrast, "ranking": (1.0 - self.beta) * self.ranking(h0 @ h1.T)}

    def contrast(self, outputs: torch.Tensor, keys: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy of the rows `chosen` (N, 1 + M) of keys (n, K), the own key in column 0.

        All N x n products are cheaper than to gather N (1 + M) keys of K numbers. M negatives of another number than
        `negatives` are weighted to count as many, but in the warm-up.
        """
        logits = (outputs @ keys.T / self.tau).gather(1, chosen)
        weight = 0.0 if self._warm else math.log(self.negatives / (chosen.shape[1] - 1))
        return (torch.logaddexp(logits[:, 0], logits[:, 1:].logsumexp(dim=1) + weight) - logits[:, 0]).mean()

    def _negatives(self, n: int, device: torch.device) -> torch.Tensor:
        """Return rows of the memory for n items, drawn in training, all of them else."""
        rows = len(self.memory)
        if self.training:
            return torch.randint(rows, (n, self.negatives), device=device)
        return torch.arange(rows, device=device).expand(n, rows)

    def ranking(self, products: torch.Tensor) -> torch.Tensor:
        """Return L_r of the inner products (N, N), without its weight."""
        total = products.new_zeros(())
        for one in (products, products.T):
            own = one.diagonal()
            easy = own[:, None] - one.detach() > self.margin
            total = total + (self.margin - own + torch.logsumexp(one - self.shift * easy, dim=1)).mean()
        return total

    @torch.no_grad()
    def _remember(self, mean: torch.Tensor, index: torch.Tensor) -> None:
        old, delta = self.memory[index], 0.0 if self._warm else self.delta
        fresh = unit(mean) if self.update == "released" else mean
        rows = delta * old + (1.0 - delta) * fresh.to(old.dtype)
        self.memory[index] = unit(rows) if self.update == "released" else rows


def _own_first(n: int, device: torch.device) -> torch.Tensor:
    """Return (n, n): row i holds i, i + 1, ... around the batch, so that an item's own key comes first."""
    rows = torch.arange(n, device=device)
    return (rows[:, None] + rows[None, :]) % n


def _note_warm(module: nn.Module, keys: Any) -> None:
    module._warm = bool(module.warm)
