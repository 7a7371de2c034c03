"""What a method is and does for one seed, as tensors: compared between processes."""

from __future__ import annotations

import numpy as np
import torch

from hashzoo.testing.toy import Subject

SEED = 7


def fingerprint(subject: Subject, seed: int) -> dict[str, torch.Tensor]:
    """Return the state of model and loss before the first step, and the outputs on the train split after one epoch.

    What a closed form has found is there as well, as `fitted.<name>`.
    """
    model, loss = subject.prepared(seed)
    found = {f"model.{name}": value for name, value in model.state_dict().items()}
    found |= {f"loss.{name}": value for name, value in loss.state_dict().items()}
    trained = subject.train(1, seed=seed).model
    if subject.method.training == "fit":
        found |= {f"fitted.{name}": value for name, value in trained.state_dict().items()}
    rows = subject.splits.train
    outputs = [subject.relaxed(trained, modality, rows) for modality in subject.splits.table.inputs]
    found["outputs after one epoch"] = torch.from_numpy(np.concatenate(outputs, axis=1))
    return {name: value.detach().cpu().double() for name, value in found.items()}
