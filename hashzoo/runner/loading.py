"""A finished cell back from its folder: its record and its model. Only JSON and safetensors are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hashzoo.models.hash_model import HashModel
from hashzoo.plugins import Registry, registry
from hashzoo.runner.build import build_backbone, frozen_backbone
from hashzoo.runner.cell import STAGE_FILES
from hashzoo.runner.scoring import find_record
from hashzoo.specs import HashOutput, Problem
from hashzoo.training.checkpoints import load_tensors


class EndToEnd(nn.Module):
    """A model trained on frozen features, with the backbone that made them put back in front."""

    def __init__(self, backbones: dict[str, nn.Module], head: HashModel) -> None:
        super().__init__()
        self.backbones = nn.ModuleDict(backbones)
        self.head = head

    def forward(self, modality: str, inputs: torch.Tensor) -> HashOutput:
        """Return features, relaxed outputs and codes for the dataset's own inputs."""
        output: HashOutput = self.head(modality, self.backbones[modality](inputs).float())
        return output


def load_cell_model(cell: Path) -> nn.Module:
    """Return the trained model of a cell, in evaluation mode, taking the dataset's own inputs."""
    record = find_record(cell)
    tensors, _ = load_tensors(cell / STAGE_FILES["train"])
    state = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    reg = registry()
    config = record.config
    problem = Problem(**{**config["problem"], "modalities": tuple(config["problem"]["modalities"])})
    make = frozen_backbone if config["freeze_backbone"] else _trained_backbone
    backbones = {m: make(reg, m, c, config["input_shapes"][m][-1]) for m, c in config["backbones"].items()}
    inner: dict[str, Any] = dict(backbones)
    if config["freeze_backbone"]:
        inner = {
            m: reg.build("backbones", "identity", options={"in_features": b.feature_dim}) for m, b in backbones.items()
        }
    layer = config["hash_layer"]
    layers = {
        m: reg.build("hash_layers", layer["name"], inner[m].feature_dim, problem, options=layer["options"])
        for m in inner
    }
    head = HashModel(inner, layers)
    head.load_state_dict(state)
    model: nn.Module = EndToEnd(dict(backbones), head) if config["freeze_backbone"] else head
    return model.eval()


def _trained_backbone(reg: Registry, modality: str, choice: Mapping[str, Any], width: int) -> nn.Module:
    return build_backbone(reg, choice, width)
