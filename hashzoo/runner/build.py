"""From a configuration to modules: backbones, hash layers and loss of one (bits, seed), untrained or loaded back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hashzoo.errors import HashzooError, RefusedOptionError, UsageError, WorkError
from hashzoo.models.hash_model import HashModel
from hashzoo.models.weights import starting_weights
from hashzoo.plugins import Registry, registry
from hashzoo.results.config import Part, RunConfig
from hashzoo.specs import Batch, HashOutput, Problem
from hashzoo.training.checkpoints import load_tensors
from hashzoo.training.seeds import kept_random_state, seed_all

if TYPE_CHECKING:
    from hashzoo.evaluation.codes import Codes
    from hashzoo.results.record import Record
    from hashzoo.runner.export import Inputs
    from hashzoo.training.job import TrainData

Shapes = Mapping[str, tuple[int, ...]]
"""Shape of one item by modality."""


def build(reg: Registry, kind: str, part: Part, *args: Any, supplied: Mapping[str, Any] | None = None) -> Any:
    """Build a component; values of its options that it cannot be built with are a UsageError that names them."""
    try:
        return reg.build(kind, part.name, *args, options={**(supplied or {}), **part.options})
    except (TypeError, ValueError, RuntimeError) as error:
        if not part.options:  # nothing that a user gave: a defect of the component, shown as it is
            raise
        given = ", ".join(f"{option}={value!r}" for option, value in part.options.items())
        raise RefusedOptionError(
            f"{part.name!r} cannot be built with {given}: {type(error).__name__}: {error}."
        ) from error
    except UsageError as error:
        if not part.options:
            raise
        raise RefusedOptionError(str(error)) from error


def build_backbone(reg: Registry, part: Part, shape: tuple[int, ...]) -> nn.Module:
    """Build one backbone; those that take a fixed number of values are told that of an item of this shape."""
    supplied = {"in_features": prod(shape)} if "in_features" in reg.options("backbones", part.name) else {}
    backbone: nn.Module = build(reg, "backbones", part, supplied=supplied)
    return backbone


def frozen_backbone(reg: Registry, modality: str, part: Part, shape: tuple[int, ...]) -> nn.Module:
    """Build a backbone that is not trained; one without weights is the same in every run, and wherever it is loaded."""
    seed_all(0, "frozen backbone", modality)
    return build_backbone(reg, part, shape)


def build_model(
    reg: Registry, config: RunConfig, problem: Problem, shapes: Shapes, seed: int
) -> tuple[HashModel, nn.Module | None]:
    """Build model and loss (None without training by gradients) of one cell; their values depend on the seed alone.

    `shapes` are those of the items that the model will see, by modality: the table's, or of frozen features (then the
    backbone is `identity`). The model's parts are named by the method's roles.
    """
    seed_all(seed, "model")
    backbones: dict[str, nn.Module] = {}
    layers: dict[str, nn.Module] = {}
    for modality, part in config.backbones.items():
        role = config.roles[modality]
        backbones[role] = build_backbone(reg, IDENTITY if config.freeze_backbone else part, shapes[modality])
        width = backbones[role].feature_dim
        layers[role] = build(reg, "hash_layers", config.hash_layer, width, problem)
    seed_all(seed, "loss")
    loss = None if config.loss is None else build(reg, "losses", config.loss, problem)
    return HashModel(backbones, layers), loss


IDENTITY = Part(name="hashzoo:identity")


class EndToEnd(nn.Module):
    """A trained model as users call it: by the dataset's names, with frozen backbones put back in front."""

    def __init__(self, head: HashModel, record: Record, backbones: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.head = head
        self.record = record
        self.roles = dict(record.config.roles)
        self.backbones = nn.ModuleDict(dict(backbones))

    def forward(self, modality: str, inputs: torch.Tensor) -> HashOutput:
        """Return features, relaxed outputs and codes for the dataset's own inputs of a modality."""
        if modality not in self.roles:
            raise UsageError(f"The model has no modality {modality!r}; it has {', '.join(self.roles)}.")
        if modality in self.backbones:
            inputs = self.backbones[modality](inputs).float()
        output: HashOutput = self.head(self.roles[modality], inputs)
        return output

    def encode(self, inputs: Inputs, *, modality: str | None = None, device: str = "auto") -> Codes:
        """Return the codes of images (a folder, paths, images of Pillow, arrays) or vectors (n, D), as `encode` does.

        `modality` is needed where the model has several. Ids are paths, or places in the list or array.
        """
        from hashzoo.runner.export import codes_of

        return codes_of(self, self.record, inputs, modality=modality, device=device)


def load_model(record: Record, path: Path) -> EndToEnd:
    """Return the trained model of a record from its model file, in evaluation mode; no random state is changed."""
    with kept_random_state():
        return _loaded(record, path)


def _loaded(record: Record, path: Path) -> EndToEnd:
    config, reg = record.config, registry()
    tensors, _ = load_tensors(path)
    state = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    shapes: Shapes = config.input_shapes
    fronts: dict[str, nn.Module] = {}
    if config.freeze_backbone:
        _require_same_weights(record, path)
        fronts = {m: frozen_backbone(reg, m, part, shapes[m]) for m, part in config.backbones.items()}
        shapes = {m: (int(front.feature_dim),) for m, front in fronts.items()}  # type: ignore[arg-type] # every backbone has it
    head, _ = build_model(reg, config, config.problem, shapes, config.seed)
    try:
        head.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(
            f"{path} does not hold the model that its record describes ({reason}); run the cell again with "
            "--overwrite always."
        ) from error
    return EndToEnd(head, record, fronts).eval()


def _require_same_weights(record: Record, path: Path) -> None:
    """Raise WorkError where a frozen backbone would start from other weights than those that were measured."""
    config, reg = record.config, registry()
    for modality, digest in record.weights.items():
        part = config.backbones[modality]
        found = starting_weights(reg, part.name, part.options, config.input_shapes[modality])
        if found != digest:
            raise WorkError(
                f"{path}: the weights of the backbone {part.name!r} are not those that the record was made with "
                f"(sha256 {found[:8] or 'of no file'} and not {digest[:8]}); put the former file back, or run the cell "
                "again."
            )


def check_fit(model: HashModel, loss: nn.Module, data: TrainData, config: RunConfig) -> None:
    """Try loss, hash layer and backbone on two items; what does not fit together is a UsageError.

    Neither the random state nor any parameter or buffer is changed by the trial. Losses that are prepared on the train
    split, and those with a trainer of their own, are tried by the training itself.
    """
    own_trainer = config.trainer is not None and config.trainer.name != "gradient"
    if own_trainer or hasattr(loss, "prepare") or config.loss is None:
        return
    parts = (
        f"Loss {config.loss.name!r} does not fit hash layer {config.hash_layer.name!r} on "
        f"{', '.join(part.name for part in config.backbones.values())} with inputs {', '.join(config.backbones)}"
    )
    saved = {name: value.clone() for name, value in [*model.state_dict().items(), *loss.state_dict().items()]}
    random_state = torch.get_rng_state()
    model.eval()
    try:
        batch: Batch = data.batch(torch.arange(min(2, len(data))))
        outputs: dict[str, HashOutput] = {name: model(name, x) for name, x in batch.inputs.items()}
        output = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        _check_terms(loss(output, batch))
        if data.hidden:
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
