"""Encode rows of a table with a trained model, called as model(modality, inputs); labels are no argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import nn

IMAGE_BATCH = 128
VECTOR_BATCH = 4096


def encode(
    model: nn.Module,
    modality: str,
    inputs: np.ndarray,
    rows: np.ndarray,
    accelerator: Accelerator,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return the relaxed outputs (n, K) float32 of rows `rows` (n,) of `inputs`, in evaluation mode.

    Batches have a fixed size, so that the same rows give the same numbers.
    """
    size = IMAGE_BATCH if inputs.ndim == 4 else VECTOR_BATCH
    training = model.training
    model.eval()
    parts: list[np.ndarray] = []
    with torch.inference_mode(), accelerator.autocast():
        for begin in range(0, len(rows), size):
            chosen = np.ascontiguousarray(inputs[rows[begin : begin + size]])
            output = model(modality, torch.from_numpy(chosen).to(accelerator.device))
            parts.append(output.relaxed.float().cpu().numpy())
            if progress is not None:
                progress(min(begin + size, len(rows)))
    model.train(training)
    return np.concatenate(parts)
