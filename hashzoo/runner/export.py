"""Codes out of hashzoo: packed files for an index, and new inputs through a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import Codes, save_codes
from hashzoo.files import replacing, write_text
from hashzoo.runner.cell import Cell

if TYPE_CHECKING:
    from hashzoo.results.record import Record
    from hashzoo.runner.build import EndToEnd

AT_ONCE = 1024
"""Images that are held decoded at a time; a multiple of the batch in which they are encoded."""

Inputs = str | Path | np.ndarray | Sequence[Any] | Any
"""A folder, an image file, an .npy file, an image of Pillow, an array or tensor of vectors or images, or a list of
image files, images of Pillow and arrays (H, W, 3) uint8."""


def export_codes(cell: Path, folder: Path) -> list[Path]:
    """Write <part>.<modality>.npy (n, ceil(K/8)) uint8 and .ids.txt for every part of a cell; return the paths.

    The bit order is FAISS's: bit j of a code is bit j % 8 of byte j // 8; padding bits are 0, so an index of
    8 * ceil(K/8) bits gives the same distances.
    """
    if folder.is_file():
        raise UsageError(f"{folder} is a file; give a folder, in which a file is written for each set of codes.")
    written = []
    for name, codes in Cell(cell).codes.items():
        if Path(name).name != name or name.startswith("."):
            raise WorkError(f"{cell}: the codes hold a set called {name!r}, which is no file name; nothing is written.")
        packed, ids = folder / f"{name}.npy", folder / f"{name}.ids.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(packed) as temporary, temporary.open("wb") as stream:
                np.save(stream, codes.packed)
        except OSError as error:
            raise WorkError(f"Could not write to {folder}: {error.strerror}; choose another folder.") from error
        write_text(ids, "".join(f"{item}\n" for item in codes.ids))
        written += [packed, ids]
    return written


def encode_inputs(cell: Path, inputs: Inputs, *, modality: str | None = None, device: str = "auto") -> Codes:
    """Return the codes of new inputs by a cell's model, with file names or row numbers as ids; see `codes_of`."""
    found = Cell(cell)
    return codes_of(found.model(), found.record, inputs, modality=modality, device=device)


def codes_of(
    model: EndToEnd, record: Record, inputs: Inputs, *, modality: str | None = None, device: str = "auto"
) -> Codes:
    """Return the codes of new inputs by a record's model, with file names or row numbers as ids.

    Images are prepared as the run's dataset prepares its files; where that had images of one small size, they are taken
    at their own size if the network resizes them itself. The precision is the run's, so that the run's own inputs get
    the run's codes.
    """
    from hashzoo.data.catalogue import image_preparation
    from hashzoo.models.encode import encode
    from hashzoo.runner.devices import choose_device, make_accelerator

    chosen = _modality(record, modality)
    shape = record.config.input_shapes[chosen]
    sizes = _resizes(model, record, chosen)
    dataset = record.config.dataset
    fit, fixed = image_preparation(dataset.name, dataset.options, shape) if len(shape) == 3 else ("squash", True)
    size = None if sizes and not fixed else shape[:2]
    arrays, ids = _read_inputs(inputs, shape, (size, fit))
    place = choose_device(device)
    accelerator = make_accelerator(place, _precision(record, place))
    model.to(accelerator.device)
    relaxed: list[np.ndarray] = []
    for array in arrays:
        if array.shape[1:] != shape and not (sizes and array.ndim == 4):
            raise UsageError(f"The inputs hold items of shape {array.shape[1:]}; the model takes {shape}.")
        relaxed.append(encode(model, chosen, array, np.arange(len(array)), accelerator))
    values = np.concatenate(relaxed)
    return Codes.from_relaxed(values, np.zeros((len(values), 1), dtype=np.uint8), ids=ids, keep_relaxed=False)


def write_encoded(cell: Path, inputs: Path, output: Path, *, modality: str | None, device: str) -> int:
    """Encode inputs and write the codes to an .npz file; return their number."""
    if output.suffix != ".npz":
        raise UsageError(
            f"{output} does not end in .npz, which is what is written; name it {output.with_suffix('.npz')}."
        )
    codes = encode_inputs(cell, inputs, modality=modality, device=device)
    save_codes(output, {_modality(Cell(cell).record, modality): codes})
    return len(codes)


def _modality(record: Record, asked: str | None) -> str:
    known = list(record.backbone)
    if asked is None and len(known) > 1:
        raise UsageError(f"The model has the modalities {', '.join(known)}; name one with --modality.")
    if asked is not None and asked not in known:
        raise UsageError(f"The model has no modality {asked!r}; it has {', '.join(known)}.")
    return asked or known[0]


def _resizes(model: Any, record: Record, modality: str) -> bool:
    """Return whether the model's backbone brings images to a size of its own."""
    role = record.config.roles[modality]
    front = model.backbones[modality] if modality in model.backbones else model.head.backbones[role]
    preprocessing = getattr(front, "preprocessing", None)
    return preprocessing is not None and preprocessing.resized > 0


def _precision(record: Record, device: str) -> str:
    """Return the precision in which the run computed its features or codes, fp32 where the device has no fp16."""
    config = record.config
    images = any(len(shape) == 3 for shape in config.input_shapes.values())
    if not (images or config.freeze_backbone) or (config.precision == "fp16" and device == "cpu"):
        return "fp32"
    return config.precision


def _read_inputs(
    inputs: Inputs, shape: tuple[int, ...], form: tuple[tuple[int, ...] | None, str]
) -> tuple[Iterable[np.ndarray], list[str]]:
    """Return arrays of inputs, each of one size, and the ids of all items in their order.

    Images of files are decoded when their array is asked for.
    """
    import torch

    from hashzoo.data.images import ENDINGS, is_image

    if isinstance(inputs, torch.Tensor):
        inputs = inputs.numpy(force=True)
    if isinstance(inputs, np.ndarray) and inputs.ndim == len(shape) == 3:
        inputs = inputs[None]
    if isinstance(inputs, Image.Image):
        inputs = [inputs]
    if isinstance(inputs, np.ndarray):
        return [_checked(inputs, "The array")], [str(row) for row in range(len(inputs))]
    if isinstance(inputs, (str, Path)):
        path = Path(inputs)
        if path.is_dir():
            if len(shape) != 3:
                raise UsageError(
                    f"The model takes vectors of width {shape[-1]}; give an .npy file of (n, {shape[-1]})."
                )
            files = sorted(f for f in path.rglob("*") if is_image(f.name))
            if not files:
                raise UsageError(f"{path} holds no images ({', '.join(sorted(ENDINGS))}); give a folder that does.")
            return _decoded({str(f.relative_to(path)): f for f in files}, form)
        if is_image(path.name) and path.is_file() and len(shape) == 3:
            return _decoded({path.name: path}, form)
        if path.suffix != ".npy" or not path.is_file():
            raise UsageError(
                f"{path} is neither an image, a folder of images nor an .npy file of vectors (n, D); give one of these."
            )
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise WorkError(f"{path} cannot be read: {error}; write it again with numpy.save.") from error
        return [_checked(array, str(path))], [str(row) for row in range(len(array))]
    if len(shape) != 3:
        return _read_inputs(np.asarray(inputs), shape, form)
    return _decoded(_named(inputs), form)


def _named(items: Iterable[Any]) -> dict[str, Any]:
    """Return images by id: the path of a file, else the place in the list, numbered where a file has that name."""
    if not isinstance(items, Iterable):
        raise UsageError(
            f"What is encoded is a path, an array, an image or a list of these; got a {type(items).__name__}."
        )
    named: dict[str, Any] = {}
    for place, item in enumerate(items):
        path = item if isinstance(item, (str, Path)) else getattr(item, "filename", "")
        names = chain((str(path), str(place)), (f"{place}-{number}" for number in count()))
        name = next(name for name in names if name and name not in named)
        named[name] = (
            Image.fromarray(_checked(item[None], f"Item {place}")[0]) if isinstance(item, np.ndarray) else item
        )
    if not named:
        raise UsageError("There is nothing to encode; give at least one image.")
    return named


def _checked(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim not in (2, 4) or not len(array):
        raise UsageError(f"{name} has shape {array.shape}; vectors are (n, D), images (n, H, W, 3) uint8.")
    if array.ndim == 4 and array.dtype != np.uint8:
        raise UsageError(f"{name} holds images of type {array.dtype}; they are to be uint8, 0 to 255.")
    if array.dtype.kind not in "fiu":
        raise UsageError(f"{name} holds values of type {array.dtype}; vectors are numbers.")
    return array if array.ndim == 4 else array.astype(np.float32)


def _decoded(
    images: Mapping[str, Any], form: tuple[tuple[int, ...] | None, str]
) -> tuple[Iterable[np.ndarray], list[str]]:
    from hashzoo.data.images import decode_any

    def arrays() -> Iterator[np.ndarray]:
        names = list(images)
        for begin in range(0, len(names), AT_ONCE):
            some = {name: images[name] for name in names[begin : begin + AT_ONCE]}
            yield from _in_runs(decode_any(some, *form))

    return arrays(), list(images)


def _in_runs(images: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Yield consecutive images of one size as one array."""
    run: list[np.ndarray] = []
    for image in images:
        if run and image.shape != run[0].shape:
            yield np.stack(run)
            run = []
        run.append(image)
    if run:
        yield np.stack(run)
