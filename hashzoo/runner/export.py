"""Codes out of hashzoo: packed files for an index, and new inputs through a trained model."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import Codes, codes_sha256, load_codes, save_codes
from hashzoo.files import write_text
from hashzoo.results.record import Record
from hashzoo.runner.cell import STAGE_FILES
from hashzoo.runner.loading import load_cell_model
from hashzoo.runner.scoring import find_record

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def export_codes(cell: Path, folder: Path) -> list[Path]:
    """Write <part>.<modality>.npy (n, ceil(K/8)) uint8 and .ids.txt for every part of a cell; return the paths.

    The bit order is FAISS's: bit j of a code is bit j % 8 of byte j // 8; padding bits are 0, so an index of
    8 * ceil(K/8) bits gives the same distances.
    """
    record, stored = find_record(cell), load_codes(cell / STAGE_FILES["encode"])
    if codes_sha256(stored) != record.codes_sha256:
        raise WorkError(
            f"{cell}: codes.npz is not the file that the record was made from; run it again with --overwrite always."
        )
    written = []
    for name, codes in stored.items():
        packed, ids = folder / f"{name}.npy", folder / f"{name}.ids.txt"
        temporary = folder / f"{name}.{os.getpid()}.part.npy"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            np.save(temporary, codes.packed)
            temporary.replace(packed)
        except OSError as error:
            raise WorkError(f"Could not write to {folder}: {error.strerror}; choose another folder.") from error
        write_text(ids, "".join(f"{item}\n" for item in codes.ids))
        written += [packed, ids]
    return written


def encode_inputs(cell: Path, inputs: Path, output: Path, *, modality: str | None, device: str) -> int:
    """Encode a folder of images or an .npy of vectors with a cell's model; write the codes and return their number.

    The precision is the run's, so that the run's own inputs get the run's codes.
    """
    from hashzoo.runner.devices import choose_device, make_accelerator
    from hashzoo.training.encoding import encode

    record = find_record(cell)
    known = list(record.backbone)
    if modality is None and len(known) > 1:
        raise UsageError(f"The model has the modalities {', '.join(known)}; name one with --modality.")
    chosen = modality or known[0]
    if chosen not in known:
        raise UsageError(f"The model has no modality {chosen!r}; it has {', '.join(known)}.")
    shape = tuple(record.config["input_shapes"][chosen])
    array, ids = _read_inputs(inputs, shape)
    if array.shape[1:] != shape:
        raise UsageError(f"{inputs} holds items of shape {array.shape[1:]}; the model takes {shape}.")
    model = load_cell_model(cell)
    place = choose_device(device)
    accelerator = make_accelerator(place, _precision(record, place))
    model.to(accelerator.device)
    relaxed = encode(model, chosen, array, np.arange(len(array)), accelerator)
    labels = np.zeros((len(array), 1), dtype=np.uint8)
    save_codes(output, {chosen: Codes.from_relaxed(relaxed, labels, ids=ids)})
    return len(array)


def _precision(record: Record, device: str) -> str:
    """Return the precision in which the run computed its features or codes, fp32 where the device has no fp16."""
    precision = str(record.config["precision"])
    images = any(len(shape) == 3 for shape in record.config["input_shapes"].values())
    if not (images or record.config["freeze_backbone"]) or (precision == "fp16" and device == "cpu"):
        return "fp32"
    return precision


def _read_inputs(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    if path.is_dir():
        if len(shape) != 3:
            raise UsageError(f"The model takes vectors of width {shape[-1]}; give an .npy file of (n, {shape[-1]}).")
        return _read_images(path, (shape[1], shape[0]))
    if path.suffix != ".npy" or not path.exists():
        raise UsageError(f"{path} is neither a folder of images nor an .npy file of vectors (n, D); give one of these.")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise WorkError(f"{path} cannot be read: {error}; write it again with numpy.save.") from error
    if array.ndim not in (2, 4) or not len(array):
        raise UsageError(f"{path} has shape {array.shape}; vectors are (n, D), images (n, H, W, 3) uint8.")
    if array.ndim == 4 and array.dtype != np.uint8:
        raise UsageError(f"{path} holds images of type {array.dtype}; they are to be uint8, 0 to 255.")
    if array.dtype.kind not in "fiu":
        raise UsageError(f"{path} holds values of type {array.dtype}; vectors are numbers.")
    return array if array.ndim == 4 else array.astype(np.float32), [str(i) for i in range(len(array))]


def _read_images(folder: Path, size: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    from PIL import Image, UnidentifiedImageError

    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in IMAGE_ENDINGS)
    if not files:
        raise UsageError(f"{folder} holds no images ({', '.join(sorted(IMAGE_ENDINGS))}); give a folder that does.")
    images, broken = [], []
    for file in files:
        try:
            with Image.open(file) as image:
                images.append(np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR)))
        except (OSError, UnidentifiedImageError):
            broken.append(str(file))
    if broken:
        raise WorkError(f"{len(broken)} image(s) cannot be read: {', '.join(broken[:20])}; remove or replace them.")
    return np.stack(images), [str(f.relative_to(folder)) for f in files]
