"""Device and precision: chosen by Hugging Face Accelerate, one accelerator for each run."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from hashzoo.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from pathlib import Path

    from accelerate import Accelerator

PATIENCE = timedelta(days=7)
"""How long processes of one run wait for the main one, which alone decodes, encodes, evaluates and waits for cells.

torch's own limit, ten minutes or thirty, ends the run in the middle of that.
"""


def choose_device(device: str) -> str:
    """Return the torch device for "auto", "cpu", "cuda", "mps" or "cuda:1"; an absent one is a UsageError."""
    import torch

    if device == "auto":
        # asked of torch, because Accelerate's PartialState would begin a group of processes with another backend
        if torch.cuda.is_available():
            return f"cuda:{os.environ['LOCAL_RANK']}" if "LOCAL_RANK" in os.environ else "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UsageError(f"Device {device!r} is none that torch knows; use auto, cpu, cuda, cuda:1 or mps.") from None
    if chosen.type == "cpu":
        return "cpu"
    seen = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if chosen.type not in seen:
        raise UsageError(f"hashzoo does not compute on device {device!r}; use auto, cpu, cuda, cuda:1 or mps.")
    if (chosen.index or 0) >= seen[chosen.type]:
        raise UsageError(
            f"Device {device!r} was asked for and torch sees {seen[chosen.type]} device(s) of type {chosen.type}; "
            "use --device cpu or auto."
        )
    return str(chosen)


def choose_precision(precision: str, device: str) -> str:
    """Return "fp32", "bf16" or "fp16"; "auto" is bf16 where the device computes in it natively, else fp32."""
    if precision == "fp16" and device == "cpu":
        raise UsageError("Precision 'fp16' is for GPUs; on the processor use --precision fp32, bf16 or auto.")
    if precision != "auto":
        return precision
    from hashzoo.training.feature_cache import native_bf16

    return "bf16" if native_bf16(device) else "fp32"


def make_accelerator(
    device: str, precision: str, track: tuple[str, ...] = (), folder: Path | None = None
) -> Accelerator:
    """Return an Accelerator for the device and mixed precision, with the experiment trackers asked for.

    Accelerate keeps one state per process; it is set anew for each run, because runs may differ in precision.
    """
    import torch
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import InitProcessGroupKwargs

    if not torch.distributed.is_initialized():
        AcceleratorState._reset_state(reset_partial_state=True)
    _check_trackers(track)
    mixed = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}[precision]
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)
    try:
        return Accelerator(
            cpu=device == "cpu",
            mixed_precision=mixed,
            log_with=list(track) or None,
            project_dir=folder,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
    except (ValueError, ImportError) as error:
        raise UsageError(f"Accelerate refuses this set-up: {error}; change --precision, --device or --track.") from None


def _check_trackers(names: tuple[str, ...]) -> None:
    """Raise UsageError for a tracker that Accelerate does not know or that is not installed."""
    if not names:
        return
    from accelerate.tracking import get_available_trackers
    from accelerate.utils import LoggerType

    known = sorted(str(member.value) for member in LoggerType)
    installed = {str(getattr(member, "value", member)) for member in get_available_trackers()}
    for name in names:
        if name not in known:
            raise unknown_name("experiment tracker", name, known)
        if name not in installed and not (name == "all" and installed):
            raise UsageError(
                f"The experiment tracker {name!r} is not installed; pip install {name}, or leave out --track."
            )
