"""Weights: where they come from, how a file of them is read, and their sha256."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hashzoo.errors import UsageError, WorkError
from hashzoo.files import file_sha256
from hashzoo.plugins import Registry
from hashzoo.specs import Component

SOURCES = ("pretrained", "random")
_WRAPPERS = ("state_dict", "model")
_PREFIXES = ("module.", "model.", "backbones.image.network.", "network.")
"""Of a data-parallel wrapper, and of our own model files ("model.backbones.image.network.features.0.weight")."""


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, or of a torch file read with weights_only=True.

    A checkpoint that holds its tensors under "state_dict" or "model" is opened. Anything else is a
    UsageError.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError(f"There is no weights file {str(path)!r}; give pretrained, random, or the path of a file.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        held = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UsageError(
            f"The weights file {file} holds more than tensors, or is no torch file, and is not opened, "
            f"because that could run code; save the plain state_dict, best as safetensors."
        ) from None
    except Exception as error:  # noqa: BLE001 -- torch and safetensors raise many kinds on a damaged file
        reason = " ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise UsageError(
            f"The weights file {file} cannot be read as safetensors or as a torch file ({reason}); save the state_dict "
            "again, best as safetensors."
        ) from None
    for name in _WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
    if not isinstance(held, Mapping) or not all(isinstance(value, torch.Tensor) for value in held.values()):
        raise UsageError(f"The weights file {file} holds no state_dict (names to tensors); save one in it.")
    return {str(name): value for name, value in held.items()}


def load_weights(network: nn.Module, path: str | Path, head: str = "") -> None:
    """Load a file into a network; names and shapes must match, but for the classifier `head` cut off.

    The prefixes that a data-parallel wrapper and hashzoo's own model files put before names are taken off.
    """
    tensors = read_weights(path)
    own = network.state_dict()
    if any(name.startswith("model.hash_layers.") for name in tensors) and not any(
        name.startswith("model.backbones.") for name in tensors
    ):
        raise UsageError(
            f"The weights file {path} is of a run whose backbone was frozen and holds no network; give that of a run "
            "that trained it, or leave out --weights for the same network."
        )
    for prefix in _PREFIXES:
        if any(n.startswith(prefix) for n in tensors) and not any(n.startswith(prefix) for n in own):
            tensors = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
    given = {name: value for name, value in tensors.items() if name in own or not _within(name, head)}
    missing = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in given if name not in own]
    differing = [
        f"{name} is {tuple(given[name].shape)}, not {tuple(own[name].shape)}"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    faults = [("lacks", missing), ("has besides", unexpected), ("has other shapes:", differing)]
    if any(names for _, names in faults):
        said = "; it ".join(f"{what} {_some(names)}" for what, names in faults if names)
        raise UsageError(
            f"The weights file {path} is not for this network: it {said}. Give a file saved from the same one."
        )
    network.load_state_dict(given, strict=False)


def weights_digest(module: nn.Module) -> str:
    """Return the sha256 over names, types, shapes and values of a module's state."""
    total = hashlib.sha256()
    add_tensors(total, module.state_dict())
    return total.hexdigest()


def add_tensors(total: hashlib._Hash, tensors: Mapping[str, torch.Tensor]) -> None:
    """Add names, types, shapes and values of tensors to a digest, in the order of their names."""
    for name, value in sorted(tensors.items()):
        tensor = value.detach().cpu().contiguous()
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())


def starting_weights(reg: Registry, name: str, options: Mapping[str, Any], shape: tuple[int, ...]) -> str:
    """Return the sha256 of the weights that a backbone starts from: of the file given, or of the state it comes with.

    "" for a backbone that starts untrained; its values follow from the seed.
    """
    weights = options.get("weights")
    component: Component = reg.get("backbones", name)
    if isinstance(weights, str) and weights not in SOURCES:
        return file_sha256(Path(weights).expanduser()) if Path(weights).expanduser().is_file() else ""
    if weights == "random" or not component.pretrained:
        return ""
    supplied = {"in_features": prod(shape)} if "in_features" in reg.options("backbones", name) else {}
    return weights_digest(reg.build("backbones", name, options={**supplied, **options}))


def fetch_failed(name: str, error: Exception) -> WorkError:
    """Return the error for pretrained weights that a library could not fetch."""
    reason = (str(error).strip().splitlines() or [""])[0]
    return WorkError(
        f"The pretrained weights of {name!r} could not be fetched ({type(error).__name__}: {reason}); "
        "connect to the network, or give a file of them with --weights PATH, or start untrained with "
        "--weights random."
    )


def no_pretrained(name: str) -> UsageError:
    """Return the error for weights="pretrained" where none are published in a form that can be read."""
    return UsageError(f"There are no pretrained weights for {name!r}; use --weights random or --weights PATH.")


def _within(name: str, head: str) -> bool:
    return bool(head) and (name == head or name.startswith(f"{head}."))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
