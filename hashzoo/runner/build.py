"""From a plan to modules: backbones, hash layers and loss of one (bits, seed)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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


def build_backbone(registry: Registry, choice: Mapping[str, Any], width: int) -> nn.Module:
    """Build one backbone; those of vectors (N, D) are told their width D."""
    options = dict(choice["options"])
    if "in_features" in registry.options("backbones", choice["name"]):
        options.setdefault("in_features", int(width))
    backbone: nn.Module = build(registry, "backbones", choice["name"], options=options)
    return backbone


def frozen_backbone(registry: Registry, modality: str, choice: Mapping[str, Any], width: int) -> nn.Module:
    """Build a backbone that is not trained; one without weights is the same in every run, and wherever it is loaded."""
    seed_all(0, "frozen backbone", modality)
    return build_backbone(registry, choice, width)


def build(registry: Registry, kind: str, name: str, *args: Any, options: Mapping[str, Any]) -> Any:
    """Build a component; values of its options that it cannot be built with are a UsageError that names them."""
    try:
        return registry.build(kind, name, *args, options=options)
    except (TypeError, ValueError, RuntimeError) as error:
        if not options:  # nothing that a user gave: a defect of the component, shown as it is
            raise
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        raise UsageError(f"{name!r} cannot be built with {given}: {type(error).__name__}: {error}.") from error


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
        backbone = build_backbone(registry, frozen if config["freeze_backbone"] else choice, inputs[modality].shape[-1])
        backbones[modality] = backbone
        layers[modality] = build(
            registry,
            "hash_layers",
            config["hash_layer"]["name"],
            backbone.feature_dim,
            problem,
            options=config["hash_layer"]["options"],
        )
    seed_all(seed, "loss")
    loss: nn.Module = build(registry, "losses", config["loss"]["name"], problem, options=config["loss"]["options"])
    return HashModel(backbones, layers), loss


def check_fit(model: HashModel, loss: nn.Module, data: TrainData, config: Mapping[str, Any]) -> None:
    """Try loss, hash layer and backbone on two items; what does not fit together is a UsageError.

    Neither the random state nor any parameter or buffer is changed by the trial.
    """
    if config["trainer"]["name"] != "gradient":
        return
    parts = (
        f"Loss {config['loss']['name']!r} does not fit hash layer {config['hash_layer']['name']!r} on "
        f"{', '.join(choice['name'] for choice in config['backbones'].values())} with inputs "
        f"{', '.join(data.modalities)}"
    )
    saved = {name: value.clone() for name, value in [*model.state_dict().items(), *loss.state_dict().items()]}
    random_state = torch.get_rng_state()
    model.eval()
    try:
        batch: Batch = data.batch(torch.arange(min(2, len(data))))
        outputs: dict[str, HashOutput] = {name: model(name, x) for name, x in batch.inputs.items()}
        output = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        _check_terms(loss(output, batch))
        if bool(batch.labels.isnan().any()):
            _check_reads_no_labels(loss, output, batch)
    except (HashzooError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise UsageError(f"{parts}: {type(error).__name__}: {error}.") from error
    finally:
        torch.set_rng_state(random_state)
        for name, value in [*model.state_dict().items(), *loss.state_dict().items()]:
            value.copy_(saved[name])
        model.train()


def _check_terms(terms: Any) -> None:
    """Raise for what a trainer cannot descend."""
    if not isinstance(terms, Mapping) or not all(isinstance(v, torch.Tensor) and v.ndim == 0 for v in terms.values()):
        raise TypeError("it did not return {term: scalar tensor}")
    if not any(value.requires_grad for value in terms.values()):
        raise TypeError("none of its terms depends on a parameter, so nothing can be trained")


def _check_reads_no_labels(loss: nn.Module, output: Any, batch: Batch) -> None:
    """Raise where a loss gives other terms for other labels, though the method's labels are hidden."""
    state, found = torch.get_rng_state(), []
    for labels in (batch.labels, torch.zeros_like(batch.labels), torch.ones_like(batch.labels)):
        torch.set_rng_state(state)
        terms = loss(output, replace(batch, labels=labels))
        found.append({name: float(value.detach()) for name, value in terms.items()})
    if not found[0] == found[1] == found[2]:
        raise TypeError("it reads labels, and the method is unsupervised, so that they are hidden from it")
