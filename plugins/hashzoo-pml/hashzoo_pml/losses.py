"""Losses of PyTorch Metric Learning on relaxed codes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_metric_learning import losses as library
from torch import nn

from hashzoo import Batch, HashOutput, Problem, UsageError, unknown_name
from hashzoo.losses import off_diagonal, share_label, widen

BY_PAIRS = (
    "CircleLoss", "ContrastiveLoss", "GeneralizedLiftedStructureLoss", "IntraPairVarianceLoss", "LiftedStructureLoss",
    "MarginLoss", "MultiSimilarityLoss", "NTXentLoss", "SignalToNoiseRatioContrastiveLoss", "SupConLoss",
    "TripletMarginLoss", "TupletMarginLoss",
)  # fmt: skip
"""Losses that are told which pairs are similar and need no class, so that items may have several labels."""

NOT_HERE = {
    "BaseLossWrapper": "is a base class",
    "BaseMetricLossFunction": "is a base class",
    "GenericPairLoss": "is a base class",
    "CrossBatchMemory": "wraps another loss",
    "DynamicSoftMarginLoss": "keeps what it computed for earlier batches with its graph, and fails in the second step",
    "InstanceLoss": "takes the index of an item for its class",
    "ManifoldLoss": "needs embeddings of a fixed batch",
    "MultipleLosses": "wraps other losses",
    "P2SGradLoss": "takes a classifier's outputs for its input",
    "SelfSupervisedLoss": "wraps another loss",
    "SmoothAPLoss": "needs batches with equally many items of each class",
    "ThresholdConsistentMarginLoss": "wraps another loss",
    "VICRegLoss": "needs two views of each item",
}
"""Names of the library that are not losses of a labelled batch, and why."""


NEEDS_SIMILAR = ("NCALoss",)
"""Losses that are a mean over no item, and not finite, in a batch without two items of one class; there they are 0."""

SIZES = ("num_classes", "embedding_size")
"""What a loss with a proxy or weight per class is told by the data and the bits, and no option."""


class PMLLoss(nn.Module):
    """`metric` = a loss of PyTorch Metric Learning, with its own distance and reduction, on the relaxed codes.

    With one label per item the library gets the classes; an item without label is a class of its own, or left out
    where the loss has a proxy or weight per class. With several labels it gets all pairs i != j, similar where they
    share a label, which the losses in `BY_PAIRS` take; others are refused.

    Options:
        quantization_weight: weight of a term `quantization`, the mean of (|u| - 1)^2; ours, 0 leaves it out

    All other options are numbers and switches of the loss itself, under the library's names.
    """

    def __init__(self, name: str, problem: Problem, *, quantization_weight: float = 0.0, **options: Any) -> None:
        super().__init__()
        build = loss_class(name)
        accepted = options_of(build)
        for option in options:
            if option not in accepted or option in SIZES:
                own = [known for known in accepted if known not in SIZES]
                raise unknown_name(f"option of pml/{name}", option, ("quantization_weight", *own))
        for option, default in accepted.items():
            if default is inspect.Parameter.empty and option not in (*options, *SIZES):
                raise UsageError(f"Loss 'pml/{name}' needs a value for {option!r}: --set loss.{option}=...")
        if not quantization_weight >= 0:
            raise UsageError(f"quantization_weight must be a number of at least 0; got {quantization_weight!r}.")
        self.by_class = "embedding_size" in accepted
        self.by_pairs = problem.multilabel
        self.needs_similar = name in NEEDS_SIMILAR
        if self.by_pairs and name not in BY_PAIRS:
            raise UsageError(
                f"Loss 'pml/{name}' takes one label per item, and these data have several; use one of "
                f"{', '.join(f'pml/{known}' for known in BY_PAIRS)}."
            )
        sizes = {"num_classes": problem.num_classes, "embedding_size": problem.bits} if self.by_class else {}
        self.loss: nn.Module = build(**sizes, **options)
        self.quantization_weight = quantization_weight

    def forward(self, output: HashOutput, batch: Batch) -> dict[str, torch.Tensor]:
        """Return {"metric"}, and {"quantization"} where it has a weight: relaxed (N, K), labels (N, C)."""
        u = widen(output.relaxed)
        terms = {"metric": self._pairs(u, batch.labels) if self.by_pairs else self._classes(u, batch.labels)}
        if self.quantization_weight:
            terms["quantization"] = self.quantization_weight * ((u.abs() - 1.0) ** 2).mean()
        return terms

    def _pairs(self, u: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        similar, others = share_label(labels, labels) > 0, off_diagonal(len(labels), labels.device)
        alike, unlike = ((chosen & others).nonzero(as_tuple=True) for chosen in (similar, ~similar))
        value: torch.Tensor = self.loss(u, indices_tuple=(*alike, *unlike))
        return value

    def _classes(self, u: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        known, classes = labels.sum(dim=1) > 0, labels.argmax(dim=1)
        if self.by_class:
            if not bool(known.any()):
                return u.sum() * 0.0
            u, classes = u[known], classes[known]
        else:
            own = labels.shape[1] + torch.arange(len(labels), device=labels.device)
            classes = torch.where(known, classes, own)
        if self.needs_similar and len(classes.unique()) == len(classes):
            return u.sum() * 0.0
        value: torch.Tensor = self.loss(u, classes)
        return value


def loss_class(name: str) -> Any:
    """Return the library's loss of a name, or raise UsageError where it has none that fits."""
    known = [other for other in vars(library) if other.endswith("Loss") and other not in NOT_HERE]
    if name in NOT_HERE:
        raise UsageError(f"pml/{name} {NOT_HERE[name]} and cannot be used here; use one of {', '.join(known)}.")
    if name not in known:
        raise unknown_name("loss of PyTorch Metric Learning", name, known)
    return getattr(library, name)


def options_of(build: Any) -> Mapping[str, Any]:
    """Return {option: default} of the numbers, switches and texts that a loss of the library takes, and those it needs.

    Its constructors pass what they do not know to their base classes, whose options count too.
    """
    found: dict[str, Any] = {}
    for base in build.__mro__:
        for name, parameter in inspect.signature(base.__init__).parameters.items() if "__init__" in vars(base) else ():
            named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self"
            needed = parameter.default is parameter.empty and (base is build or name in SIZES)
            if named and (needed or isinstance(parameter.default, bool | int | float | str)):
                found.setdefault(name, parameter.default)
    return found
