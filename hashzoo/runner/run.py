"""`hashzoo run`: data, frozen features where asked, then every (bits, seed) in turn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hashzoo.data import load_splits
from hashzoo.data.checks import require_usable
from hashzoo.data.roots import cache_root, data_root
from hashzoo.data.splits import named_by_content, split_json
from hashzoo.data.validation import keep_used, validation_splits
from hashzoo.errors import BusyError, WorkError
from hashzoo.models.weights import starting_weights
from hashzoo.plugins import Registry, plugin_file_hash, registry
from hashzoo.runner.build import frozen_backbone
from hashzoo.runner.cell import RunDirectory
from hashzoo.runner.devices import choose_device, choose_precision, make_accelerator
from hashzoo.runner.plan import RAW, Plan, resolve
from hashzoo.runner.progress import Quiet, Reporter, stage
from hashzoo.runner.request import RunRequest
from hashzoo.runner.shelf import Shelf
from hashzoo.runner.stages import run_cell
from hashzoo.runner.workshop import Workshop, data_digests
from hashzoo.training.feature_cache import frozen_features
from hashzoo.training.loop import require_batch

if TYPE_CHECKING:
    from accelerate import Accelerator

    from hashzoo.results.record import Record
    from hashzoo.specs import Splits


def run(
    request: RunRequest,
    reporter: Reporter | None = None,
    reg: Registry | None = None,
    shelf: Shelf | None = None,
    wait: bool = True,
) -> list[Record]:
    """Do what the request asks and return the records, one per (bits, seed), in order.

    Raises UsageError for a request that cannot be right and WorkError for work that failed; whatever was finished
    before stays in the run directory, and the same request goes on from there. `shelf` belongs to a process
    that does many runs: those of the same data and backbone find there what they share. A cell that another process
    works on is waited for at the end; without `wait` it is `BusyError` once the other cells are done.
    """
    reporter = reporter or Quiet()
    reg = reg or registry()
    plan = resolve(request, reg)
    device = choose_device(request.device)
    precision = choose_precision(request.precision, device)
    folder = RunDirectory((request.out / plan.name).absolute())
    if request.overwrite == "never":
        folder.require_new()
    accelerator = make_accelerator(device, training_precision(plan, precision), request.track, folder.path)
    if not accelerator.is_main_process:
        reporter = Quiet()
    shop = prepare(plan, reg, accelerator, precision, reporter, shelf=shelf)
    shop.resume, shop.threads = request.resume, request.threads
    if request.track:
        accelerator.init_trackers(plan.name)
    try:
        records = _run_cells(shop, folder, request.overwrite == "always", wait)
    except BaseException as error:
        if accelerator.is_main_process:
            folder.remove_if_empty()
        if isinstance(error, torch.OutOfMemoryError):
            raise WorkError(
                "The device ran out of memory; use a smaller batch (--set batch_size=...), --freeze-backbone or a "
                f"smaller backbone, and repeat the command ({str(error).splitlines()[0]})."
            ) from error
        raise
    finally:
        if request.track:
            accelerator.end_training()
    reporter.say(f"Records, codes and models are in {_shown(folder, request)}.")
    return records


def prepare(
    plan: Plan,
    reg: Registry,
    accelerator: Accelerator,
    precision: str,
    reporter: Reporter,
    cache: Path | None = None,
    shelf: Shelf | None = None,
) -> Workshop:
    """Load the data and compute what all cells share: frozen features (kept in `cache`) and the digests of weights."""
    shelf = shelf or Shelf()
    config, device = plan.config, str(accelerator.device)
    data, backbones = _data_of(plan), _backbones_of(plan)
    with accelerator.main_process_first():
        splits, described = shelf.get("splits", data, lambda: _described(load_data(plan, reporter), plan))
        if config.recipe is not None:
            require_batch(config.recipe.batch_size, len(splits.train))
        inputs: Mapping[str, np.ndarray] = splits.table.inputs
        if config.freeze_backbone:
            inputs = shelf.get(
                "features",
                [*backbones, device, precision, str(cache or cache_root())],
                lambda: model_inputs(plan, reg, splits, device, precision, reporter, cache),
            )
        weights = shelf.get("weights", backbones, lambda: _weights(plan, reg, splits))
    return Workshop(plan, reg, splits, inputs, accelerator, precision, reporter, weights, described)


def sources(plan: Plan, reg: Registry, shelf: Shelf) -> dict[str, str]:
    """Return what `Workshop.upstream` says of the data and of the weights that backbones start from, as they are now.

    Raises HashzooError where they are not here.
    """
    splits = splits_on(shelf, plan)
    return data_digests(splits, shelf.get("weights", _backbones_of(plan), lambda: _weights(plan, reg, splits)))


def splits_on(shelf: Shelf, plan: Plan) -> Splits:
    """Return a plan's splits, loaded unless the shelf holds them; HashzooError where that cannot be done here."""
    splits, _ = shelf.get("splits", _data_of(plan), lambda: _described(load_data(plan, Quiet()), plan))
    return splits


def _data_of(plan: Plan) -> list[Any]:
    """Return all that decides which splits are loaded."""
    config = plan.config
    return [config.dataset.model_dump(mode="json"), config.protocol, config.validation, str(data_root())]


def _backbones_of(plan: Plan) -> list[Any]:
    """Return all that decides what backbones see and start from."""
    parts = {modality: part.model_dump(mode="json") for modality, part in plan.config.backbones.items()}
    return [*_data_of(plan), parts]


def _described(splits: Splits, plan: Plan) -> tuple[Splits, dict[str, Any]]:
    return splits, split_json(splits, plan.protocol)


def _weights(plan: Plan, reg: Registry, splits: Splits) -> dict[str, str]:
    """Return the sha256 of the weights that backbones start from, by modality."""
    shapes = {modality: splits.table.inputs[modality].shape[1:] for modality in plan.config.backbones}
    found = {m: starting_weights(reg, part.name, part.options, shapes[m]) for m, part in plan.config.backbones.items()}
    return {modality: digest for modality, digest in found.items() if digest}


def _run_cells(shop: Workshop, folder: RunDirectory, again: bool, wait: bool) -> list[Record]:
    """Return the record of every (bits, seed), in order.

    A cell that another process is working on is left to it and read at the end; without `wait`, BusyError is raised.
    `again`: what a cell holds is removed when its turn comes.
    """
    cells = [(bits, seed) for bits in shop.plan.bits for seed in shop.plan.seeds]
    records: dict[tuple[int, int], Record] = {}
    for late in (False, True) if wait else (False,):
        for bits, seed in cells:
            if (bits, seed) in records:
                continue
            record = _held(shop, folder, bits, seed, again and not late, late)
            if record is not None:
                records[bits, seed] = record
                shop.reporter.say(summary_line(record))
    left = [cell for cell in cells if cell not in records]
    if left:
        raise BusyError(
            f"Another process is working on {folder.cell(*left[0]).path}; repeat the command when it ended."
        )
    return [records[cell] for cell in cells]


def _held(shop: Workshop, folder: RunDirectory, bits: int, seed: int, again: bool, wait: bool) -> Record | None:
    """Run one cell while holding its lock; None where another process holds it. The main process locks for all."""
    cell = folder.cell(bits, seed)
    if not shop.main:
        return run_cell(shop, cell, bits, seed) if shop.agree(None) else None
    with cell.locked(wait) as free:
        if not shop.agree(free):
            shop.reporter.say(f"Another process is working on {cell.path}; it is left to that one for now.")
            return None
        about = {
            "split.json": shop.described,
            "config.json": {**shop.plan.config.model_dump(mode="json"), "precision": shop.precision},
        }
        folder.describe(about)
        if again:
            cell.clear()
        record = run_cell(shop, cell, bits, seed)
        if not folder.is_described():  # a process whose run failed removed them when no cell was there yet
            folder.describe(about)
        return record


def load_data(plan: Plan, reporter: Reporter) -> Splits:
    """Load the protocol's splits, or the held-out part of its train split when validating.

    Where the protocol names no sha256, that of the splits is of their content.
    """
    splits = load_splits(
        plan.dataset,
        plan.protocol,
        data_root(),
        progress=stage(reporter, "decode"),
        **plan.config.dataset.options,
    )
    for note in splits.notes:
        reporter.say(f"note: {note}")
    require_usable(splits, plan.protocol)
    if plan.config.validation:
        splits = keep_used(validation_splits(splits, plan.config.validation))
    return splits if plan.protocol.sha256 else named_by_content(splits)


def model_inputs(
    plan: Plan,
    reg: Registry,
    splits: Splits,
    device: str,
    precision: str,
    reporter: Reporter,
    cache: Path | None = None,
) -> Mapping[str, np.ndarray]:
    """Return what the models see, by modality: the table's arrays, or their frozen features from the cache."""
    if not plan.config.freeze_backbone:
        return splits.table.inputs
    features: dict[str, np.ndarray] = {}
    for modality, part in plan.config.backbones.items():
        inputs = splits.table.inputs[modality]
        if part.name == RAW["vector"] and inputs.dtype == np.float32:
            features[modality] = inputs  # the vectors as they are need no cache
            continue
        owner = reg.owner("backbones", part.name)
        features[modality] = frozen_features(
            frozen_backbone(reg, modality, part, inputs.shape[1:]),
            {"name": part.name, "options": part.options},
            (splits.table.fingerprint, modality, inputs),
            device=device,
            precision=precision,
            root=cache or cache_root(),
            progress=stage(reporter, f"features of {modality}"),
            owner={
                "distribution": owner.distribution,
                "version": owner.version,
                "sha256": plugin_file_hash(owner),
            },
        )
    return features


def summary_line(record: Record) -> str:
    """Return one line on a finished cell: method, bits, seed, headline metric and notes such as a collapse."""
    values = ", ".join(f"{name} {value:.4f}" for name, value in record.headlines.items())
    bits = f"{record.bits} bits" if record.bits else "uncoded"
    notes = "".join(f"\n  note: {note}" for note in record.notes)
    return f"{record.method} {record.protocol} {bits} seed {record.seed}: {values}{notes}"


def _shown(folder: RunDirectory, request: RunRequest) -> str:
    return str(request.out / folder.path.name)


def training_precision(plan: Plan, precision: str) -> str:
    """Linear layers on features or vectors are trained in fp32; mixed precision is for image backbones."""
    on_images = any(kind == "image" for kind in plan.dataset.modalities.values())
    return precision if on_images and not plan.config.freeze_backbone else "fp32"
