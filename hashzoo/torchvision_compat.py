"""The one place that imports torchvision.

A torchvision wheel built for another torch (a CUDA wheel beside a CPU-only torch is the usual case) cannot load its
compiled operators, and its import then fails because it describes two operators, `nms` and `qnms`, that nobody
declared. Declaring their schemas is enough for everything that needs no compiled operator: model definitions,
weights, datasets and transforms.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_OPERATORS = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """Return torchvision, declaring the operators it lacks before its first import.

    Call this before anything that imports torchvision itself (timm does).
    """
    if "torchvision" not in sys.modules:
        _declare_missing_operators()
    return importlib.import_module("torchvision")


def _declare_missing_operators() -> None:
    import torch

    for library in _compiled_operators():
        try:
            # As torchvision's own import does; loading twice changes nothing.
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call] # torch gives it no types
        except OSError:
            continue  # built for another torch
    for name in _OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", _SCHEMA)


def _compiled_operators() -> list[Path]:
    spec = importlib.util.find_spec("torchvision")
    folders = (spec.submodule_search_locations or []) if spec else []
    return [library for folder in folders for library in Path(folder).glob("_C*") if library.suffix in (".so", ".pyd")]
