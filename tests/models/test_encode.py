"""Encoding rows with a trained model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hashzoo.models import encode as encoding
from hashzoo.models.encode import encode
from hashzoo.runner.devices import make_accelerator
from hashzoo.specs import HashOutput


class Model(nn.Module):
    """Twice the inputs and their sum; in training mode zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, modality: str, inputs: torch.Tensor) -> HashOutput:
        assert modality == "text"
        assert not torch.is_grad_enabled()
        self.sizes.append(len(inputs))
        flat = inputs.flatten(1).double()
        relaxed = torch.cat([2 * flat, flat.sum(1, keepdim=True)], 1) * (0 if self.training else 1)
        return HashOutput(flat, relaxed, relaxed.sign())


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
def test_rows_are_encoded_in_their_order_in_batches_of_one_size(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "VECTOR_BATCH" if len(shape) == 1 else "IMAGE_BATCH", 4)
    inputs = np.random.default_rng(0).integers(0, 9, (20, *shape)).astype(np.uint8)
    rows = np.array([19, 3, 3, 7, 0, 11, 5, 2, 18])
    model, done = Model().train(), []
    relaxed = encode(model, "text", inputs, rows, make_accelerator("cpu", "fp32"), done.append)
    flat = inputs[rows].reshape(9, -1).astype(np.float32)
    assert np.array_equal(relaxed, np.concatenate([2 * flat, flat.sum(1, keepdims=True)], 1))
    assert relaxed.dtype == np.float32
    assert model.sizes == [4, 4, 1]
    assert done == [4, 8, 9]
    assert model.training
