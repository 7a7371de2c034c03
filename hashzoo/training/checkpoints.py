"""Checkpoints of a training in progress: tensors and a little JSON in one safetensors file, never pickled."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hashzoo.errors import WorkError
from hashzoo.files import replacing
from hashzoo.models.weights import add_tensors


@dataclass(frozen=True)
class Checkpoint:
    """State after `epoch` finished epochs."""

    epoch: int
    tensors: Mapping[str, torch.Tensor]
    history: tuple[Mapping[str, float], ...]


class Checkpoints:
    """Keeps the last good state of one training in `folder/last.safetensors`.

    `seconds`: a state younger than this after the previous one is not written (0: every epoch is).
    """

    def __init__(self, folder: Path, fingerprint: str = "", seconds: float = 5.0) -> None:
        self.path = folder / "last.safetensors"
        self.fingerprint = fingerprint
        self._seconds = seconds
        self._written = self._begun = time.monotonic()
        self.earlier = 0.0
        """Seconds that former processes spent on the state that `latest` found."""
        self.kept = False
        """Whether a state of this training is there, as far as `save` and `latest` have seen."""

    def due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() - self._written >= self._seconds

    def save(self, epoch: int, tensors: Mapping[str, torch.Tensor], history: tuple[Mapping[str, float], ...]) -> None:
        """Write the state after `epoch` finished epochs, replacing the previous one only when it is complete."""
        metadata = {
            "epoch": str(epoch),
            "fingerprint": self.fingerprint,
            "history": json.dumps(list(history)),
            "seconds": f"{self.earlier + time.monotonic() - self._begun:.3f}",
        }
        save_tensors(self.path, tensors, {**metadata, "sha256": _digest(tensors, metadata)})
        self._written = time.monotonic()
        self.kept = True

    def latest(self) -> Checkpoint | None:
        """Return the last state, or None where there is none or it belongs to another configuration.

        Raises WorkError for a state that is not what was written: nothing is trained on from damaged values.
        """
        if not self.path.exists():
            return None
        tensors, metadata = load_tensors(self.path)
        if metadata.get("fingerprint", "") != self.fingerprint:
            return None
        written = metadata.pop("sha256", "")
        if written != _digest(tensors, metadata):
            raise WorkError(
                f"{self.path} is damaged: it does not hold the state that was written; move it away or use "
                "--no-resume, and repeat the command, which trains this cell from the beginning."
            )
        history = tuple(json.loads(metadata["history"]))
        self.kept = True
        self.earlier = float(metadata.get("seconds", 0.0))
        return Checkpoint(int(metadata["epoch"]), tensors, history)


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors to a safetensors file through a temporary name, with the mode that the umask gives.

    A full disk is a WorkError that names the file.
    """
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.touch()
            mode = temporary.stat().st_mode  # the umask's; safetensors would leave a file for its owner alone
            save_file(plain, temporary, metadata=dict(metadata))
            temporary.chmod(mode)
    except (OSError, SafetensorError) as error:
        size = sum(value.nbytes for value in plain.values())
        raise WorkError(
            f"Could not write {path} ({size / 1e6:.1f} MB): {error}; free space or choose another --out and "
            "repeat the command, which goes on from what is already there."
        ) from error


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read a safetensors file and its metadata; a damaged file is a WorkError that says what to do."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 -- safe_open is no mapping
    except OSError as error:
        raise WorkError(f"{path} cannot be read ({error}); make it readable and repeat the command.") from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise WorkError(
            f"{path} cannot be read ({error}): it was cut short or is no safetensors file; move it away and "
            "repeat the command, which makes it again."
        ) from error


def _digest(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> str:
    """Return the sha256 over metadata and names, types, shapes and values of tensors."""
    total = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    add_tensors(total, tensors)
    return total.hexdigest()


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return an optimizer's per-parameter state as named tensors `optimizer.<i>.<name>`."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put back what `optimizer_tensors` returned; learning rates stay those of the recipe."""
    full = optimizer.state_dict()
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    full["state"] = state
    optimizer.load_state_dict(full)
