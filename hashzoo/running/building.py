"""From a plan to modules: backbones, hash layers and loss of one (bits, seed)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hashzoo.errors import HashzooError, UsageError
from hashzoo.models.hash_model import HashModel
from hashzoo.plugins import Registry
from hashzoo.specs import Batch, HashOutput, Problem
from hashzoo.training.seeds import seed_all

if TYPE_CHECKING:
    import numpy as np

    from hashzoo.training.job import TrainData


def build_backbone(registry: Registry, choice: Mapping[str, Any], inputs: np.ndarray) -> nn.Module:
    """Build one backbone; those of vectors are told the width of their inputs (n, D)."""
    options = dict(choice["options"])
    if "in_features" in registry.options("backbones", choice["name"]):
        options.setdefault("in_features", int(inputs.shape[-1]))
    backbone: nn.Module = registry.build("backbones", choice["name"], options=options)
    return backbone


def build_model(
    registry: Registry, config: Mapping[str, Any], problem: Problem, inputs: Mapping[str, np.ndarray], seed: int
) -> tuple[HashModel, nn.Module]:
    """Build model and loss of one cell; their initial values depend on the seed alone.

    `inputs` are what the model will see: the table's arrays, or frozen features (then the backbone is `identity`).
    """
    seed_all(seed, "model")
    backbones: dict[str, nn.Module] = {}
    layers: dict[str, nn.Module] = {}
    for modality, choice in config["backbones"].items():
        frozen = {"name": "identity", "options": {}}
        backbone = build_backbone(registry, frozen if config["freeze_backbone"] else choice, inputs[modality])
        backbones[modality] = backbone
        layers[modality] = registry.build(
            "hash_layers",
            config["hash_layer"]["name"],
            backbone.feature_dim,
            problem,
            options=config["hash_layer"]["options"],
        )
    seed_all(seed, "loss")
    loss: nn.Module = registry.build("losses", config["loss"]["name"], problem, options=config["loss"]["options"])
    return HashModel(backbones, layers), loss


def check_fit(model: HashModel, loss: nn.Module, data: TrainData, config: Mapping[str, Any]) -> None:
    """Try loss, hash layer and backbone on two items; what does not fit together is a UsageError.

    Neither the random state nor any buffer is changed by the trial.
    """
    if config["trainer"]["name"] != "gradient":
        return
    saved = {name: value.clone() for name, value in [*model.state_dict().items(), *loss.state_dict().items()]}
    random_state = torch.get_rng_state()
    model.eval()
    try:
        with torch.no_grad():
            batch: Batch = data.batch(torch.arange(min(2, len(data))))
            outputs: dict[str, HashOutput] = {name: model(name, x) for name, x in batch.inputs.items()}
            terms = loss(next(iter(outputs.values())) if len(outputs) == 1 else outputs, batch)
        if not isinstance(terms, Mapping) or not all(
            isinstance(v, torch.Tensor) and v.ndim == 0 for v in terms.values()
        ):
            raise TypeError("it did not return {term: scalar tensor}")
    except HashzooError:
        raise
    except Exception as error:
        backbones = ", ".join(choice["name"] for choice in config["backbones"].values())
        raise UsageError(
            f"Loss {config['loss']['name']!r} does not fit hash layer {config['hash_layer']['name']!r} on {backbones} "
            f"with inputs {', '.join(data.modalities)}: {type(error).__name__}: {error}."
        ) from error
    finally:
        torch.set_rng_state(random_state)
        for name, value in [*model.state_dict().items(), *loss.state_dict().items()]:
            value.copy_(saved[name])
        model.train()
