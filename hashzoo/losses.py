"""Pieces that losses and hash layers share, each stable in float32: sign, similarity of labels, weights, cosine.

Letters: N and M items, K bits, C classes. Everything works on float32 or float64; half precision is widened first.
Class centres stand in `hashzoo.centers` and are offered here too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from hashzoo.centers import CENTERS as CENTERS
from hashzoo.centers import center_distances as center_distances
from hashzoo.centers import class_centers as class_centers
from hashzoo.centers import hadamard as hadamard
from hashzoo.centers import majority_targets as majority_targets
from hashzoo.errors import UsageError, unknown_name
from hashzoo.specs import Batch, HashOutput, Problem

NO_DIRECTION = 1e-4
"""A vector shorter than this counts as zero in `unit`: its direction would be rounding error."""

WEIGHTS = ("two_sided", "one_sided", "none")
"""What `class_weights` accepts."""

PAIRS = ("halves", "all")
"""What `cosine_structure` accepts."""


def two_roles(problem: Problem, what: str) -> tuple[str, str]:
    """Return the two roles of a problem; UsageError where it has another number, `what` (Loss 'dcmh') being for two."""
    if len(problem.modalities) != 2:
        raise UsageError(
            f"{what} needs two modalities; got {len(problem.modalities)}: choose a dataset of two, for example "
            "digits-halves."
        )
    first, second = problem.modalities
    return first, second


def trainable_codes(output: HashOutput, method: str, layer: str) -> torch.Tensor:
    """Return the codes (N, K), widened, of a loss that trains through them alone.

    Raises UsageError where the hash layer gives them no gradient, so that nothing would be learnt; `method` and the
    hash `layer` that does are for people.
    """
    if output.relaxed.requires_grad and not output.codes.requires_grad:
        raise UsageError(
            f"{method}'s loss reaches the hash layer through the codes, and this hash layer gives its codes no "
            f"gradient; use --hash-layer {layer}."
        )
    return widen(output.codes)


def sign(x: torch.Tensor) -> torch.Tensor:
    """Return +1 where x >= 0 and -1 elsewhere, in x's dtype and without gradient; never 0.

    >>> sign(torch.tensor([-2.0, -0.0, 0.0, 0.5])).tolist()
    [-1.0, 1.0, 1.0, 1.0]
    """
    x = x.detach()
    return torch.ge(x, 0, out=torch.empty_like(x)).mul_(2).sub_(1)  # no branch for each number, as `where` has


def widen(x: torch.Tensor) -> torch.Tensor:
    """Return x as float32; float64 stays float64.

    >>> widen(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return x if x.dtype == torch.float64 else x.float()


def share_label(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return s (N, M): 1 where row i of a (N, C) and row j of b (M, C) have a label in common, else 0.

    An item without any label is similar to nothing, not even to itself.

    >>> y = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> share_label(y, y).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    common = (widen(a) @ widen(b).T).detach()
    return torch.gt(common, 0.5, out=torch.empty_like(common))  # numbers at once, without a mask between


def jaccard(labels: torch.Tensor) -> torch.Tensor:
    """Return |y_i and y_j| / |y_i or y_j| (N, N) of multi-hot labels (N, C); 0 where both are empty.

    >>> jaccard(torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]))[0, 1].item()
    0.3333333432674408
    """
    labels = widen(labels)
    both = labels @ labels.T
    size = labels.sum(dim=1)
    either = size[:, None] + size[None, :] - both
    return both / either.clamp_min(1.0)


def off_diagonal(n: int, device: torch.device) -> torch.Tensor:
    """Return the (N, N) mask of the pairs i != j."""
    return ~torch.eye(n, dtype=torch.bool, device=device)


def class_weights(similar: torch.Tensor, counted: torch.Tensor | None, weights: str = "two_sided") -> torch.Tensor:
    """Return w (N, M) that balances similar against dissimilar pairs of this batch.

    With S the pairs in `counted` (N, M; a mask, or 0 and 1; None: all), S1 the similar and S0 the dissimilar ones:
    `two_sided`: |S|/|S1| for similar and |S|/|S0| for dissimilar pairs (HashNet, ICCV 2017, and DCH, CVPR 2018);
    `one_sided`: |S|/|S1| and 1 (the released DCH code); `none`: 1.
    """
    if weights not in WEIGHTS:
        raise unknown_name("pair weighting", weights, WEIGHTS)
    ones = torch.ones_like(similar)
    if weights == "none":
        return ones
    number = ones if counted is None else counted.to(similar.dtype)  # once: a mask times numbers is slow
    alike, total = (similar * number).sum(), number.sum()
    w1 = total / alike.clamp_min(1.0)
    w0 = total / (total - alike).clamp_min(1.0) if weights == "two_sided" else 1.0
    chosen = torch.gt(similar.detach(), 0, out=ones)
    return chosen * w1 + (1.0 - chosen) * w0  # one of the two is 0, so that nothing is rounded


def mean_over(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Return the mean of values (N, M) over the pairs in `counted`; 0 where there is none."""
    return torch.where(counted, values, 0.0).sum() / counted.sum().clamp_min(1)


def pair_logistic(logits: torch.Tensor, similar: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Return softplus(logit) - s logit per pair, times its weight where `weights` (constants) are given.

    That is the negative log-likelihood of s under a sigmoid, without overflow.
    """
    return F.binary_cross_entropy_with_logits(logits, similar, weights, reduction="none")


def log_cosh(x: torch.Tensor) -> torch.Tensor:
    """Return log cosh x = |x| + log(1 + exp(-2|x|)) - log 2, finite for every finite x; its derivative is tanh x."""
    size = x.abs()
    return size + F.softplus(-2.0 * size) - math.log(2.0)


def unit(x: torch.Tensor) -> torch.Tensor:
    """Return the rows of x (N, K) divided by their length; a row of (almost) zero length gives 0 and no gradient."""
    length: torch.Tensor = x.norm(dim=1, keepdim=True)
    return x / length.masked_fill(length <= NO_DIRECTION, math.inf)


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the cosine (N, M) of the rows of a (N, K) and b (M, K); 0 for a zero row."""
    first = unit(a)
    return first @ (first if b is a else unit(b)).T


def cosine_structure(
    codes: torch.Tensor, features: torch.Tensor, pairs: str = "all", center: bool = False
) -> torch.Tensor:
    """Return the mean over pairs of (cos(b_i, b_j) - cos(x_i, x_j))^2, codes b (N, K) and features x (N, D).

    `pairs`: "all" pairs i != j of the batch, or "halves", row i of the first half with row i of the second (of an odd
    batch the last row is in no pair). `center` subtracts the batch's mean from the features, which are constants.
    """
    features = widen(features.detach())
    if center:
        features = features - features.mean(dim=0)
    features = features.to(codes.dtype)
    if pairs == "all":
        error = cosine(codes, codes) - cosine(features, features)
        return mean_over(error**2, off_diagonal(len(codes), codes.device))
    half = len(codes) // 2
    kept, wanted = ((unit(x[:half]) * unit(x[half : 2 * half])).sum(dim=1) for x in (codes, features))
    return ((kept - wanted) ** 2).sum() / max(1, half)


def take_shapes(module: nn.Module, *names: str) -> None:
    """Let buffers whose shape is known only in `prepare` take that of a state before it is loaded."""
    module.register_load_state_dict_pre_hook(partial(_take_shapes, names))  # type: ignore[no-untyped-call] # torch's


def _take_shapes(names: tuple[str, ...], module: nn.Module, state: Mapping[str, Any], prefix: str, *_: Any) -> None:
    for name in names:
        if (found := state.get(prefix + name)) is not None:
            setattr(module, name, getattr(module, name).new_empty(found.shape))


class PairOutputs(nn.Module):
    """The last outputs (n, K) of every train item in two roles: base of losses over all pairs of train items.

    Buffers `outputs_0` and `outputs_1`, of the first and the second role; `start` is "zeros" or "normal", N(0, 1).
    """

    outputs_0: torch.Tensor
    outputs_1: torch.Tensor

    def __init__(self, problem: Problem, what: str, start: str = "zeros") -> None:
        super().__init__()
        self.roles = two_roles(problem, what)
        shape = (problem.num_train, problem.bits)
        for name in ("outputs_0", "outputs_1"):
            self.register_buffer(name, torch.randn(shape) if start == "normal" else torch.zeros(shape))

    def outputs(self, role: str) -> torch.Tensor:
        """Return the buffer (n, K) of a role's last outputs."""
        return self.outputs_0 if role == self.roles[0] else self.outputs_1

    def other(self, role: str) -> str:
        """Return the name of the other role."""
        return self.roles[1] if role == self.roles[0] else self.roles[0]

    @torch.no_grad()
    def remember(self, role: str, relaxed: torch.Tensor, index: torch.Tensor) -> None:
        """Write outputs (N, K) of the train rows `index` (N,) into the role's buffer."""
        buffer = self.outputs(role)
        buffer[index] = relaxed.detach().to(buffer.dtype)


class LastOutputs(nn.Module):
    """The last outputs (n, K) of every train item and all labels (n, C): what a batch is compared with beyond itself.

    Outputs of items that were not visited yet are zeros. Both are buffers, so that a resumed run equals an unbroken
    one. `prepare` fills in all labels; without it those of each batch are noted as it comes.
    """

    outputs: torch.Tensor
    labels: torch.Tensor

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.register_buffer("outputs", torch.zeros(problem.num_train, problem.bits))
        self.register_buffer("labels", torch.zeros(problem.num_train, problem.num_classes))

    def prepare(self, labels: torch.Tensor) -> None:
        """Note the labels (n, C) of the whole train split."""
        self.labels.copy_(labels)

    @torch.no_grad()
    def remember(self, relaxed: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Write the outputs (N, K) of a batch into their rows and return all (n, K), in the dtype of `relaxed`."""
        self.outputs.index_copy_(0, batch.index, relaxed.detach().to(self.outputs.dtype))
        self.labels.index_copy_(0, batch.index, batch.labels.to(self.labels.dtype))
        return self.outputs.to(relaxed.dtype)


def mean_labelled(values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean of values (N,) over the items that have a label in labels (N, C); 0 where none has.

    >>> mean_labelled(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([[1.0], [1.0], [0.0]])).item()
    2.0
    """
    known = labels.sum(dim=1) > 0
    return values.masked_fill(~known, 0.0).sum() / known.sum().clamp_min(1)


def label_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean over labelled items of - sum_c (y_c / |y|) log softmax(logits)_c, logits and labels (N, C).

    With one label per item it is the softmax cross-entropy; with several, its mean over the labels present. An item
    without any label contributes nothing; a batch of such items gives 0.
    """
    labels = labels.to(logits.dtype)
    number = labels.sum(dim=1, keepdim=True)
    share = labels / number.clamp_min(1.0)  # nothing of an item without labels
    return F.cross_entropy(logits, share, reduction="sum") / (number > 0).sum().clamp_min(1)
