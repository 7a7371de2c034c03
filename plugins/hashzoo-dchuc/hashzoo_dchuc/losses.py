"""The objective of DCHUC over the whole train split, its codes and its classifier."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from hashzoo import Batch, HashOutput, Problem, UsageError
from hashzoo.fitting import discrete_coordinate_descent
from hashzoo.losses import PairOutputs, share_label, widen

ROWS = 256
"""Rows of the subset whose similarities to all train items are held at a time."""


class DCHUCLoss(PairOutputs):
    """DCHUC: codes V that both modalities share, in {-1, +1} for all n train pairs, and a linear classifier W on them.

    Of a subset Omega of the train pairs the outputs are U (image) and G (text), rows in (-1, 1); S_ij is 1 where i and
    j share a label, else -r, r the number of similar pairs of Omega and all items over that of dissimilar ones.

        J = |U V' - K S|^2 + |G V' - K S|^2 + mu |U G' - K S_Omega|^2 + gamma |(U + G) / 2 - V_Omega|^2
            + alpha (|U W - Y_Omega|^2 + |G W - Y_Omega|^2) + beta |V W - Y|^2 + eta |W|^2

    Terms of a batch of N are the parts of J that depend on its outputs in one modality, the other fixed, divided by
    n N: `codes` (the first), `pairwise` (mu), `quantization` (gamma) and `classification` (alpha).

    Buffers, all by train item: outputs_0 and outputs_1 (n, K), U and G, 0 outside Omega; codes V (n, K), 0 before the
    first update; labels (n, C); and classifier W (K, C), from N(0, 0.01^2); ratio r ().

    Options:
        alpha: weight of the classification of outputs; released code 50
        beta: weight of the classification of codes; released code 1
        gamma: weight of the quantization; released code 200
        mu: weight of the pairs of outputs; released code 50
        eta: ridge of the classifier; released code 50
    """

    codes: torch.Tensor
    labels: torch.Tensor
    classifier: torch.Tensor
    ratio: torch.Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        alpha: float = 50.0,
        beta: float = 1.0,
        gamma: float = 200.0,
        mu: float = 50.0,
        eta: float = 50.0,
    ) -> None:
        for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma), ("mu", mu)):
            if not value >= 0:
                raise UsageError(f"{name} must be a number of at least 0; got {value!r}.")
        if not eta > 0:
            raise UsageError(f"eta must be a number above 0; got {eta!r}.")
        super().__init__(problem, "Loss 'dchuc'")
        self.alpha, self.beta, self.gamma, self.mu, self.eta = alpha, beta, gamma, mu, eta
        self.register_buffer("codes", torch.zeros(problem.num_train, problem.bits))
        self.register_buffer("labels", torch.zeros(problem.num_train, problem.num_classes))
        self.register_buffer("classifier", 0.01 * torch.randn(problem.bits, problem.num_classes))
        self.register_buffer("ratio", torch.ones(()))

    @torch.no_grad()
    def choose(self, subset: torch.Tensor) -> None:
        """Begin an iteration with Omega, the rows `subset` (M,): U = G = 0, and r of the M x n similarities."""
        self.outputs_0.zero_()
        self.outputs_1.zero_()
        similar = sum(share_label(self.labels[rows], self.labels).sum() for rows in subset.split(ROWS))
        every = len(subset) * len(self.labels)
        self.ratio.copy_(similar / (every - similar).clamp_min(1.0))

    def similarity(self, labels: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """Return S (N, M) of labels (N, C) and (M, C)."""
        return share_label(labels, others) * (1.0 + self.ratio) - self.ratio

    def terms(self, role: str, relaxed: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the parts of J that depend on the outputs (N, K) of rows `index` in one role, divided by n N."""
        u = widen(relaxed)
        other = self.outputs(self.other(role))[index].to(u.dtype)
        codes, classifier = self.codes.to(u.dtype), self.classifier.to(u.dtype)
        labels, bits = self.labels[index], u.shape[1]
        scale = 1.0 / (len(codes) * len(u))
        to_all = bits * self.similarity(labels, self.labels).to(u.dtype)
        own = bits * self.similarity(labels, labels).to(u.dtype)
        return {
            "codes": scale * (u @ codes.T - to_all).square().sum(),
            "pairwise": scale * self.mu * (u @ other.T - own).square().sum(),
            "quantization": scale * self.gamma * (0.5 * (u + other) - codes[index]).square().sum(),
            "classification": scale * self.alpha * (u @ classifier - labels.to(u.dtype)).square().sum(),
        }

    @torch.no_grad()
    def update_codes(self, subset: torch.Tensor) -> None:
        """Lower J in V, bit by bit, each bit's minimum given the others; then V has no 0 left."""
        both = self.outputs_0 + self.outputs_1
        linear = 0.5 * self.gamma * both + self.beta * self.labels @ self.classifier.T
        for rows in subset.split(ROWS):
            linear += self.codes.shape[1] * self.similarity(self.labels[rows], self.labels).T @ both[rows]
        quadratic = [self.outputs_0[subset].T, self.outputs_1[subset].T, self.beta**0.5 * self.classifier]
        found = discrete_coordinate_descent(self.codes, linear, torch.cat(quadratic, dim=1), sweeps=1)
        self.codes.copy_(torch.where(found == 0, 1.0, found))

    @torch.no_grad()
    def update_classifier(self) -> None:
        """Set W to the minimum of J in W."""
        parts = ((self.alpha, self.outputs_0), (self.alpha, self.outputs_1), (self.beta, self.codes))
        left = sum(weight * z.double().T @ z.double() for weight, z in parts)
        right = sum(weight * z.double().T @ self.labels.double() for weight, z in parts)
        eye = torch.eye(self.codes.shape[1], dtype=torch.float64, device=self.codes.device)
        self.classifier.copy_(torch.linalg.solve(left + self.eta * eye, right))

    def forward(self, output: Mapping[str, HashOutput], batch: Batch) -> dict[str, torch.Tensor]:
        """Return the mean of both roles' terms, for a joint step; DCHUC's trainer takes one role at a time."""
        self.labels[batch.index] = batch.labels.to(self.labels.dtype)
        for role in self.roles:
            self.remember(role, output[role].relaxed, batch.index)
        first, second = (self.terms(role, output[role].relaxed, batch.index) for role in self.roles)
        return {name: 0.5 * (first[name] + second[name]) for name in first}
