"""Features of a frozen backbone: computed once, kept on disk under the sha256 of all that decides them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hashzoo import __version__
from hashzoo.errors import WorkError
from hashzoo.models.weights import weights_digest
from hashzoo.store import Content, Store, key_of

BLOCK_ROWS = 1024
"""Rows computed, written and made durable at a time: what a crash can cost."""
IMAGE_BATCH = 64
VECTOR_BATCH = 1024


@dataclass(frozen=True)
class FeatureRequest:
    """Everything that decides the features of a table; its sha256 names their folder.

    `fingerprint` is that of the table, `weights` the sha256 of the backbone's state, `preprocessing` its
    fields. `owner` names the code: distribution, version and file hash of the backbone's plugin.
    """

    fingerprint: str
    modality: str
    backbone: str
    options: Mapping[str, Any]
    weights: str
    preprocessing: Mapping[str, Any] | None
    precision: str
    owner: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the fields, and hashzoo's version, as JSON values."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self), sort_keys=True, default=str))
        return {**fields, "hashzoo": __version__}

    @property
    def key(self) -> str:
        """The sha256 of the fields in canonical JSON (sorted keys, no spaces)."""
        return key_of(self.as_json())


def native_bf16(device: torch.device | str) -> bool:
    """Return whether a device computes in bfloat16: AVX512_BF16 or AMX on a CPU, torch's word on a GPU."""
    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind == "cpu":
        # torch has no public name for these two; where a version lacks them the answer is no.
        probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
        return any(bool(probe()) for probe in probes if probe is not None)
    return False


def frozen_features(
    backbone: nn.Module,
    choice: Mapping[str, Any],
    source: tuple[str, str, np.ndarray],
    *,
    device: torch.device | str,
    precision: str,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
    owner: Mapping[str, str] | None = None,
) -> np.ndarray:
    """Return the features (n, D) float32 of all items of one modality, from the cache where they are there.

    `choice` has the backbone's "name" and "options"; `source` is (table's fingerprint, modality, inputs);
    `precision` is "fp32", "bf16" or "fp16"; `progress(done, total)` counts items; `owner` says
    whose code the backbone is (distribution, version, file hash).
    """
    fingerprint, modality, inputs = source
    preprocessing = getattr(backbone, "preprocessing", None)
    request = FeatureRequest(
        fingerprint=fingerprint,
        modality=modality,
        backbone=str(choice["name"]),
        options={k: v for k, v in choice["options"].items() if k != "weights"},  # their sha256 says more
        weights=weights_digest(backbone),
        preprocessing=None if preprocessing is None else asdict(preprocessing),
        precision=precision,
        owner=dict(owner or {}),
    )

    def extract(rows: slice) -> np.ndarray:
        return extract_features(backbone, inputs[rows], device, precision)

    dim = int(backbone.feature_dim)  # type: ignore[arg-type] # every backbone has it (specs.Component)
    return cached_features(request, extract, len(inputs), dim, root, progress)


def extract_features(
    backbone: nn.Module, inputs: np.ndarray, device: torch.device | str, precision: str, batch_size: int = 0
) -> np.ndarray:
    """Return the features (n, D) float32 of inputs (n, ...), in evaluation mode, in batches of a fixed size.

    `precision` "bf16" or "fp16" computes under autocast; `batch_size` 0 is 64 for images and 1,024 for
    vectors.
    """
    size = batch_size or (IMAGE_BATCH if inputs.ndim == 4 else VECTOR_BATCH)
    kind = torch.device(device).type
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    training = backbone.training
    backbone.eval().to(device)
    parts: list[np.ndarray] = []
    with torch.inference_mode(), torch.autocast(kind, dtype=half, enabled=half is not None):
        for begin in range(0, len(inputs), size):
            batch = torch.from_numpy(np.array(inputs[begin : begin + size])).to(device)
            parts.append(backbone(batch).float().cpu().numpy())
    backbone.train(training)
    return np.concatenate(parts)


def cached_features(
    request: FeatureRequest,
    extract: Callable[[slice], np.ndarray],
    n: int,
    dim: int,
    root: Path,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return features (n, dim) float32, memory-mapped, computing what `<root>/features/<key>/` lacks.

    `extract(rows)` gives the features of a slice of rows. Blocks that were finished before a crash are kept
    and not computed again. One process computes and others that want the same features wait for it. What is not
    what was written is named in a warning and computed anew (hashzoo.store).
    """

    def blocks(start: int, noted: dict[str, Any]) -> Iterator[np.ndarray]:
        for begin in range(start, n, BLOCK_ROWS):
            if progress is not None:
                progress(begin, n)
            rows = slice(begin, min(begin + BLOCK_ROWS, n))
            block = extract(rows)
            if block.shape != (rows.stop - rows.start, dim):
                raise WorkError(
                    f"The backbone gave features of shape {block.shape} for {rows.stop - rows.start} items "
                    f"and says that feature_dim is {dim}; correct its feature_dim."
                )
            yield block

    about = {"request": request.as_json(), "torch": torch.__version__}
    store = Store(root, "features", "features", "features")
    stored = store.get(request.key, lambda: Content((n, dim), "float32", blocks, about))
    if stored.array.shape != (n, dim):
        raise WorkError(
            f"{store.folder(request.key)} holds features of shape {stored.array.shape}, expected {(n, dim)}; the "
            "backbone's feature_dim or the table changed under one name: remove that folder."
        )
    if progress is not None:
        progress(n, n)
    return stored.array
