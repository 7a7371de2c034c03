"""Features of a frozen backbone: computed once, kept on disk under the sha256 of all that decides them."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import nn

import hashzoo
from hashzoo.errors import WorkError
from hashzoo.models.weights import weights_digest

BLOCK_ROWS = 1024
"""Rows computed, written and made durable at a time: what a crash can cost."""
IMAGE_BATCH = 64
VECTOR_BATCH = 1024

FEATURES, META, PART, PROGRESS = "features.npy", "meta.json", "features.part", "progress.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureRequest:
    """Everything that decides the features of a table; its sha256 names their folder.

    `fingerprint` is that of the table, `owner` names the plugin behind the
    backbone with version and files, and hashzoo's version, `weights` the sha256 of the backbone's state,
    `preprocessing` its fields.
    """

    fingerprint: str
    modality: str
    backbone: str
    owner: str
    options: Mapping[str, Any]
    weights: str
    preprocessing: Mapping[str, Any] | None
    precision: str

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self), sort_keys=True, default=str))
        return fields

    @property
    def key(self) -> str:
        """The sha256 of the fields in canonical JSON (sorted keys, no spaces)."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


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
) -> np.memmap[Any, Any]:
    """Return the features (n, D) float32 of all items of one modality, from the cache where they are there.

    `choice` has the backbone's "name" and "options"; `source` is (table's fingerprint, modality, inputs);
    `precision` is "fp32", "bf16" or "fp16"; `progress(done, total)` counts items.
    """
    fingerprint, modality, inputs = source
    preprocessing = getattr(backbone, "preprocessing", None)
    request = FeatureRequest(
        fingerprint=fingerprint,
        modality=modality,
        backbone=str(choice["name"]),
        owner=f"{choice.get('owner', '')}; hashzoo {hashzoo.__version__}",
        options={k: v for k, v in choice["options"].items() if k != "weights"},  # their sha256 says more
        weights=weights_digest(backbone),
        preprocessing=None if preprocessing is None else asdict(preprocessing),
        precision=precision,
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
) -> np.memmap[Any, Any]:
    """Return features (n, dim) float32, memory-mapped, computing what `<root>/features/<key>/` lacks.

    `extract(rows)` gives the features of a slice of rows. Blocks that were finished before a crash are kept
    and not computed again. One process computes and others that want the same features wait for it. A file
    whose size is not what it should be is named in a warning and computed anew. A full disk is a WorkError
    with the bytes needed; the finished blocks stay.
    """
    folder = root / "features" / request.key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder):
            features = _open(folder, (n, dim))
            if features is None:
                _compute(folder, extract, (n, dim), progress)
                features = _finish(folder, request, (n, dim))
    except OSError as error:
        raise _storage_error(error, folder, n * dim * 4) from error
    if progress is not None:
        progress(n, n)
    return features


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("Another process is computing the features in %s; waiting for it.", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _open(folder: Path, shape: tuple[int, int]) -> np.memmap[Any, Any] | None:
    """Return the finished features, or None where there are none; a damaged file is named and removed."""
    path = folder / FEATURES
    if not path.is_file():
        return None
    wanted = len(_header(shape)) + 4 * shape[0] * shape[1]
    if path.stat().st_size == wanted and (folder / META).is_file():
        with path.open("rb") as file:
            if file.read(len(_header(shape))) == _header(shape):
                return np.memmap(path, np.float32, "r", offset=len(_header(shape)), shape=shape)
    _log.warning(
        "The feature cache file %s is damaged: it has %d bytes and should have %d for %d x %d float32; it "
        "is computed anew.",
        path,
        path.stat().st_size,
        wanted,
        *shape,
    )
    path.unlink()
    return None


def _compute(
    folder: Path,
    extract: Callable[[slice], np.ndarray],
    shape: tuple[int, int],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write all rows to the part file, going on after the blocks that an earlier process finished."""
    n, dim = shape
    header = _header(shape)
    done = _rows_done(folder, shape)
    _check_space(folder, (n - done) * dim * 4, n * dim * 4)
    with (folder / PART).open("r+b" if done else "wb") as file:
        if not done:
            file.write(header)
        file.truncate(len(header) + done * dim * 4)
        file.seek(0, os.SEEK_END)
        while done < n:
            if progress is not None:
                progress(done, n)
            rows = slice(done, min(done + BLOCK_ROWS, n))
            block = np.ascontiguousarray(extract(rows), dtype="<f4")
            if block.shape != (rows.stop - rows.start, dim):
                raise WorkError(
                    f"The backbone gave features of shape {block.shape} for {rows.stop - rows.start} items "
                    f"and says that feature_dim is {dim}; correct its feature_dim."
                )
            file.write(block.tobytes())
            file.flush()
            os.fsync(file.fileno())
            done = rows.stop
            _replace(folder / PROGRESS, {"rows": done, "shape": list(shape)})


def _rows_done(folder: Path, shape: tuple[int, int]) -> int:
    """Return how many rows of the part file are known to be whole; 0 begins anew."""
    part = folder / PART
    try:
        state = json.loads((folder / PROGRESS).read_text())
        rows = int(state["rows"]) if state["shape"] == list(shape) else 0
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError):
        rows = 0
    wanted = len(_header(shape)) + rows * shape[1] * 4
    found = part.stat().st_size if part.is_file() else 0
    if rows and found >= wanted:
        return rows
    _log.warning(
        "The unfinished feature file %s is damaged: it has %d bytes and its progress file speaks of %d; it "
        "is begun anew.",
        part,
        found,
        wanted,
    )
    return 0


def _finish(folder: Path, request: FeatureRequest, shape: tuple[int, int]) -> np.memmap[Any, Any]:
    """Describe the finished part file and give it its name; the name appears last."""
    with (folder / PART).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    meta = {"request": request.as_json(), "shape": list(shape), "dtype": "float32", "sha256": digest}
    _replace(folder / META, {**meta, "torch": torch.__version__})
    (folder / PART).replace(folder / FEATURES)
    (folder / PROGRESS).unlink(missing_ok=True)
    features = _open(folder, shape)
    if features is None:
        raise WorkError(f"The features just written to {folder / FEATURES} cannot be read back; check the disk.")
    return features


def _header(shape: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()


def _replace(path: Path, value: Mapping[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _check_space(folder: Path, missing: int, total: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < missing:
        raise WorkError(
            f"The features need {total:,} bytes ({missing:,} still to write) and the disk of {folder} has "
            f"{free:,} free; make room, or set HASHZOO_CACHE to a folder on another disk."
        )


def _storage_error(error: OSError, folder: Path, total: int) -> WorkError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WorkError(
            f"The disk is full: the features in {folder} need {total:,} bytes; make room or set "
            "HASHZOO_CACHE to a folder on another disk, and the same command goes on after the blocks "
            "already written."
        )
    return WorkError(
        f"The feature cache in {folder} cannot be used ({error.strerror or error}); make it writable, or "
        f"set HASHZOO_CACHE to another folder."
    )
