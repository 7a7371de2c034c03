"""`hashzoo run`: data, frozen features where asked, then every (bits, seed) in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch

from hashzoo.data import load_splits
from hashzoo.data.checks import require_usable
from hashzoo.data.roots import cache_root, data_root
from hashzoo.data.splits import split_json
from hashzoo.data.validation import keep_used, validation_splits
from hashzoo.errors import UsageError, WorkError
from hashzoo.plugins import Registry, registry
from hashzoo.runner.build import frozen_backbone
from hashzoo.runner.cell import RunDirectory, write_json
from hashzoo.runner.devices import choose_device, choose_precision, make_accelerator
from hashzoo.runner.plan import Plan, resolve
from hashzoo.runner.progress import Quiet, Reporter, stage
from hashzoo.runner.request import RunRequest
from hashzoo.runner.stages import Workshop, run_cell
from hashzoo.training.feature_cache import frozen_features

if TYPE_CHECKING:
    import numpy as np
    from accelerate import Accelerator

    from hashzoo.results.record import Record
    from hashzoo.specs import Splits


def run(request: RunRequest, reporter: Reporter | None = None, reg: Registry | None = None) -> list[Record]:
    """Do what the request asks and return the records, one per (bits, seed), in order.

    Raises UsageError for a request that cannot be right and WorkError for work that failed; whatever was finished
    before stays in the run directory, and the same request goes on from there.
    """
    reporter = reporter or Quiet()
    reg = reg or registry()
    plan = resolve(request, reg)
    device = choose_device(request.device)
    precision = choose_precision(request.precision, device)
    folder = RunDirectory(request.out / plan.name)
    accelerator = make_accelerator(device, _training_precision(plan, precision), request.track, folder.path)
    if not accelerator.is_main_process:
        reporter = Quiet()
    with _held(folder, request.overwrite, accelerator):
        with accelerator.main_process_first():
            splits = load_data(plan, reporter)
            require_batch(plan, splits)
            inputs = model_inputs(plan, reg, splits, (device, precision), reporter)
        if accelerator.is_main_process:
            write_json(folder.path / "split.json", split_json(splits, plan.protocol))
            write_json(folder.path / "config.json", {**plan.config, "precision": precision})
        if request.track:
            accelerator.init_trackers(plan.name)
        shop = Workshop(plan, reg, splits, inputs, accelerator, precision, reporter, request.resume)
        try:
            return list(_cells(shop, folder, request.overwrite == "always"))
        except torch.OutOfMemoryError as error:
            raise WorkError(
                "The device ran out of memory; use a smaller batch (--set batch_size=...), --freeze-backbone or a "
                f"smaller backbone, and repeat the command ({str(error).splitlines()[0]})."
            ) from error
        finally:
            if request.track:
                accelerator.end_training()


@contextmanager
def _held(folder: RunDirectory, overwrite: str, accelerator: Accelerator) -> Iterator[None]:
    """Create the run directory and hold it; of several processes the main one does so for all."""
    if accelerator.is_main_process:
        folder.prepare(overwrite)
    with folder.locked() if accelerator.is_main_process else nullcontext():
        accelerator.wait_for_everyone()
        yield


def _cells(shop: Workshop, folder: RunDirectory, again: bool) -> Iterator[Record]:
    """Yield the record of every (bits, seed); `again`: what a cell holds is removed when its turn comes."""
    for bits in shop.plan.bits:
        for seed in shop.plan.seeds:
            cell = folder.cell(bits, seed)
            if again and shop.main:
                cell.clear()
            record = run_cell(shop, cell, bits, seed)
            shop.reporter.say(summary_line(record))
            yield record


def require_batch(plan: Plan, splits: Splits) -> None:
    """Raise UsageError for a batch larger than the train split, before anything expensive is done."""
    if plan.method.supervision != "none" and plan.recipe.batch_size > len(splits.train):
        raise UsageError(
            f"The batch size {plan.recipe.batch_size} is larger than the train split ({len(splits.train)} items); "
            f"use --set batch_size={len(splits.train)} or less."
        )


def load_data(plan: Plan, reporter: Reporter) -> Splits:
    """Load the protocol's splits, or the held-out part of its train split when validating."""
    splits = load_splits(
        plan.dataset,
        plan.protocol,
        data_root(),
        progress=stage(reporter, "decode"),
        **plan.config["dataset"]["options"],
    )
    for note in splits.notes:
        reporter.say(f"note: {note}")
    require_usable(splits, plan.protocol)
    if plan.config["validation"]:
        splits = keep_used(validation_splits(splits, plan.config["validation"]))
    return splits


def model_inputs(
    plan: Plan, reg: Registry, splits: Splits, machine: tuple[str, str], reporter: Reporter
) -> Mapping[str, np.ndarray]:
    """Return what the models see, by modality: the table's arrays, or their frozen features from the cache."""
    if not plan.config["freeze_backbone"]:
        return splits.table.inputs
    device, precision = machine
    features: dict[str, np.ndarray] = {}
    for modality, choice in plan.config["backbones"].items():
        inputs = splits.table.inputs[modality]
        backbone = frozen_backbone(reg, modality, choice, inputs.shape[-1])
        features[modality] = frozen_features(
            backbone,
            choice,
            (splits.table.fingerprint, modality, inputs),
            device=device,
            precision=precision,
            root=cache_root(),
            progress=stage(reporter, f"features of {modality}"),
        )
    return features


def summary_line(record: Record) -> str:
    """Return one line on a finished cell: method, bits, seed, headline metric and notes such as a collapse."""
    shown = {k: v for k, v in record.metrics.items() if k.split("/")[-1] == record.headline}
    values = ", ".join(f"{name} {value:.4f}" for name, value in shown.items())
    bits = f"{record.bits} bits" if record.bits else "uncoded"
    notes = "".join(f"\n  note: {note}" for note in record.notes)
    return f"{record.method} {record.protocol} {bits} seed {record.seed}: {values}{notes}"


def _training_precision(plan: Plan, precision: str) -> str:
    """Linear layers on features or vectors are trained in fp32; mixed precision is for image backbones."""
    on_images = any(kind == "image" for kind in plan.dataset.modalities.values())
    return precision if on_images and not plan.config["freeze_backbone"] else "fp32"
