"""Backbones of vectors: DCMH's text network and the identity."""

from __future__ import annotations

import torch
from torch import nn

from hashzoo.errors import UsageError


class VectorBackbone(nn.Module):
    """Vectors (N, in_features) to features (N, D)."""

    preprocessing = None

    def __init__(self, in_features: int, feature_dim: int) -> None:
        super().__init__()
        for name, value in (("in_features", in_features), ("hidden", feature_dim)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"Backbone option {name} must be an integer of at least 1; got {value!r}.")
        self.in_features = in_features
        self.feature_dim = feature_dim

    def checked(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs as float32 (N, in_features), or raise a UsageError if they are something else."""
        if inputs.ndim != 2 or inputs.shape[1] != self.in_features:
            raise UsageError(
                f"This backbone was built for vectors of shape (N, {self.in_features}); got {tuple(inputs.shape)}."
            )
        return inputs.float()


class Identity(VectorBackbone):
    """The vectors as they are.

    Options:
        in_features: width of the vectors; the data set's own unless given.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, in_features)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs (N, D) as float32."""
        return self.checked(inputs)


class MLP(VectorBackbone):
    """The text network of DCMH (CVPR 2017) without its output layer: in_features -> hidden, ReLU.

    Weights and biases are drawn from N(0, 0.01^2), as in the released code; there is no dropout.

    Options:
        in_features: width of the vectors; the data set's own unless given.
        hidden: units of the layer; 8192 in the paper's code.
    """

    def __init__(self, in_features: int, hidden: int = 8192) -> None:
        super().__init__(in_features, hidden)
        self.linear = nn.Linear(in_features, hidden)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.normal_(self.linear.bias, std=0.01)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the features (N, hidden)."""
        return torch.relu(self.linear(self.checked(inputs)))
