"""The losses of GreedyHash, supervised and unsupervised (NeurIPS 2018)."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import PAIRS, cosine_structure, label_cross_entropy, trainable_codes, widen


def quantization_error(relaxed: torch.Tensor, p: float) -> torch.Tensor:
    """Return the mean over the N K entries of | |H| - 1 |^p, equal to |H - sgn(H)|_p^p / (N K)."""
    return ((relaxed.abs() - 1.0).abs() ** p).mean()


class GreedyHashLoss(nn.Module):
    """GreedyHash (NeurIPS 2018): `classification` and `quantization`.

    classification = softmax cross-entropy of W B, with the codes B (N, K) and a classifier W (C, K) without bias that
    is trained with the model and not used in retrieval. quantization = quantization_weight times the mean of
    | |H| - 1 |^p over the relaxed outputs H. With several labels an image's classification is its mean over them.

    Options:
        quantization_weight: alpha of the mean, the paper's alpha times N K; paper, 0.1 for CIFAR-10, 1 for ImageNet
        p: power of the penalty; paper, 3
    """

    def __init__(self, problem: Problem, *, quantization_weight: float = 0.1, p: float = 3.0) -> None:
        super().__init__()
        _check(quantization_weight, p)
        self.classifier = nn.Linear(problem.bits, problem.num_classes, bias=False)
        self.quantization_weight = quantization_weight
        self.p = p

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"classification", "quantization"} of a batch: relaxed and codes (N, K), labels (N, C)."""
        relaxed, codes = widen(output.relaxed), trainable_codes(output, "GreedyHash", "greedyhash")
        logits = self.classifier(codes.to(self.classifier.weight.dtype))
        return {
            "classification": label_cross_entropy(widen(logits), batch.labels),
            "quantization": self.quantization_weight * quantization_error(relaxed, self.p),
        }


class GreedyHashUnsupervisedLoss(nn.Module):
    """Unsupervised GreedyHash (NeurIPS 2018): `structure` and `quantization`; labels are not read.

    structure = mean over pairs of (cos(b_i, b_j) - cos(x_i, x_j))^2 of codes b and features x, which are constants;
    with `center_features` x is less its mean over the batch.

    Options:
        quantization_weight: alpha of the mean; released code, 0.1
        p: power of the penalty; paper, 3
        pairs: "all" pairs i != j of the batch, ours; "halves", image i of the first half with i of the second, released
        center_features: subtract the batch's mean from the features; ours, for features whose cosines are all near 1
    """

    def __init__(
        self,
        problem: Problem,
        *,
        quantization_weight: float = 0.1,
        p: float = 3.0,
        pairs: str = "all",
        center_features: bool = False,
    ) -> None:
        super().__init__()
        _check(quantization_weight, p)
        if not isinstance(center_features, bool):
            raise UsageError(f"center_features must be true or false; got {center_features!r}.")
        if pairs not in PAIRS:
            raise unknown_name("choice of pairs", pairs, PAIRS)
        self.pairs = pairs
        self.center_features = center_features
        self.quantization_weight = quantization_weight
        self.p = p

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"structure", "quantization"} of a batch: features (N, D), relaxed and codes (N, K)."""
        codes = trainable_codes(output, "GreedyHash", "greedyhash")
        structure = cosine_structure(codes, output.features, self.pairs, self.center_features)
        return {
            "structure": structure,
            "quantization": self.quantization_weight * quantization_error(widen(output.relaxed), self.p),
        }


def _check(quantization_weight: float, p: float) -> None:
    if not quantization_weight >= 0:
        raise UsageError(f"quantization_weight must be a number of at least 0; got {quantization_weight!r}.")
    if not p >= 1:
        raise UsageError(f"p must be a number of at least 1; got {p!r}.")
