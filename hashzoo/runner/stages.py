"""The stages of one (bits, seed): train, encode, evaluate; each leaves a file and is skipped when it is there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from hashzoo.errors import DivergedError, WorkError
from hashzoo.evaluation.codes import Codes, codes_sha256, load_codes, save_codes
from hashzoo.files import json_sha256
from hashzoo.models.encode import encode
from hashzoo.results.record import Record, read_record, write_record
from hashzoo.runner.build import build_model
from hashzoo.runner.cell import STAGE_FILES, CellFolder
from hashzoo.runner.recording import make_record, with_metrics
from hashzoo.runner.scoring import run_evaluators
from hashzoo.runner.train import database_data, threads_for, train_data, train_model
from hashzoo.runner.workshop import Workshop, shapes
from hashzoo.training.checkpoints import Checkpoints, load_tensors, save_tensors

if TYPE_CHECKING:
    from torch import nn

    from hashzoo.models.hash_model import HashModel


def run_cell(shop: Workshop, cell: CellFolder, bits: int, seed: int) -> Record:
    """Bring one cell to its record, doing only what is not there yet; the caller holds the cell.

    Of several processes all train; the main one alone writes, encodes and evaluates.
    """
    upstream = shop.upstream(bits, seed)
    prints = {stage: json_sha256(upstream[stage]) for stage in STAGE_FILES}
    todo = shop.agree(_todo(shop, cell, bits, seed, prints) if shop.main else None)
    seconds = cell.seconds() if shop.main else {}
    if "encode" in todo:
        model, loss = build_model(shop.registry, shop.plan.config, shop.problem(bits), shapes(shop.inputs), seed)
        model.to(shop.device)
        if loss is not None:
            loss.to(shop.device)
        if "train" in todo:
            with _timed(seconds, "train"):
                history, learned, earlier = _train(shop, cell, model, loss, bits, seed, prints["train"])
            seconds["train"] += earlier
            if shop.main:
                _save_model(cell, model, loss, learned, history, prints["train"])
                cell.mark_done("train", prints["train"], seconds["train"], upstream["train"])
                (cell.path / "checkpoint" / "last.safetensors").unlink(missing_ok=True)
        else:
            learned = _load_into(cell, model)
        if shop.main:
            with _timed(seconds, "encode"), _threads(threads_for(model, shop.threads)):
                codes = encode_splits(shop, model, learned)
                save_codes(cell.file("encode"), codes)
            cell.mark_done("encode", prints["encode"], seconds["encode"], upstream["encode"])
            if "evaluate" not in todo and codes_sha256(codes) != read_record(cell.file("evaluate")).codes_sha256:
                todo.append("evaluate")  # another machine or thread count may give other codes from the same upstream
    if shop.main:
        _evaluate(shop, cell, bits, seed, prints["evaluate"], upstream["evaluate"], seconds, "evaluate" in todo)
    shop.accelerator.wait_for_everyone()
    return read_record(cell.file("evaluate"))


def _todo(shop: Workshop, cell: CellFolder, bits: int, seed: int, prints: Mapping[str, str]) -> list[str]:
    """Return the stages whose output is not there, is of another upstream, or is damaged (which is said)."""
    cell.sweep()
    todo = [stage for stage in STAGE_FILES if not cell.is_done(stage, prints[stage])]
    for stage in ("encode", "train"):
        if stage not in todo and (stage == "encode" or "encode" in todo) and cell.is_damaged(stage):
            shop.reporter.say(
                f"{cell.file(stage)} is not the file that was written (damaged, or copied from elsewhere); it is made "
                "again."
            )
            todo.append(stage)
    if "evaluate" not in todo and cell.is_damaged("evaluate"):
        found = read_record(cell.file("evaluate"))  # where it was edited or cut short, this says so
        if (found.bits, found.seed) == (bits, seed):  # that of another cell is refused when it comes to its turn
            shop.reporter.say(f"{cell.file('evaluate')} is of a command that did not end; it is evaluated again.")
            todo.append("evaluate")
    if "train" in todo and "encode" not in todo:
        todo.append("encode")  # the model is gone: it is made again, and its codes with it
    return todo


def _train(
    shop: Workshop, cell: CellFolder, model: HashModel, loss: nn.Module | None, bits: int, seed: int, fingerprint: str
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor], float]:
    """Train in place; return the history (for each epoch the mean of each term), learned database codes, and the
    seconds that a command before this one spent on what was kept of it.
    """
    config = shop.plan.config
    checkpoints = Checkpoints(cell.path / "checkpoint", fingerprint)
    if not shop.resume:
        if shop.main:
            checkpoints.path.unlink(missing_ok=True)
        shop.accelerator.wait_for_everyone()
    history: list[dict[str, float]] = []
    shop.reporter.begin(f"train {bits} bits, seed {seed}", config.recipe.epochs if config.recipe else 1)

    def report(epoch: int, terms: Mapping[str, float]) -> None:
        history.append(dict(terms))
        shop.reporter.advance(epoch + 1, " ".join(f"{name} {value:.4f}" for name, value in terms.items()))
        shop.log({f"bits-{bits:03d}/seed-{seed}/loss/{n}": v for n, v in terms.items()})

    with _threads(threads_for(model, shop.threads)):
        learned = train_model(
            shop.registry,
            config,
            shop.problem(bits),
            model,
            loss,
            train_data(config, shop.splits, shop.inputs, shop.device),
            seed=seed,
            accelerator=shop.accelerator,
            checkpoints=checkpoints,
            report=report,
            database=database_data(config, shop.splits, shop.inputs, shop.device),
        )
    return history, learned, checkpoints.earlier


def _save_model(
    cell: CellFolder,
    model: HashModel,
    loss: nn.Module | None,
    learned: Mapping[str, torch.Tensor],
    history: list[dict[str, float]],
    fingerprint: str,
) -> None:
    """Write history and the trained state; learned codes of the database are part of it."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"loss.{name}": value for name, value in (loss.state_dict() if loss is not None else {}).items()}
    tensors |= {f"database.{role}": value for role, value in learned.items()}
    cell.write_history(history)
    save_tensors(cell.file("train"), tensors, {"fingerprint": fingerprint})


def _load_into(cell: CellFolder, model: HashModel) -> dict[str, torch.Tensor]:
    """Load the trained state of a finished stage; return the learned database codes."""
    tensors, _ = load_tensors(cell.file("train"))
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    return {k.removeprefix("database."): v for k, v in tensors.items() if k.startswith("database.")}


def encode_splits(shop: Workshop, model: HashModel, learned: Mapping[str, torch.Tensor]) -> dict[str, Codes]:
    """Return the codes of queries and database for every modality that a pair of the protocol needs.

    Codes of the database that an asymmetric method learned stand in place of encoding it.
    """
    table, roles = shop.splits.table, shop.plan.config.roles
    pairs = shop.plan.protocol.pairs
    needed = dict.fromkeys([("query", q) for q, _ in pairs] + [("database", d) for _, d in pairs])
    codes: dict[str, Codes] = {}
    for part, modality in needed:
        rows, role = getattr(shop.splits, part), roles[modality]
        if part == "database" and role in learned:
            relaxed = learned[role].float().numpy()
        else:
            shop.reporter.begin(f"encode {part} {modality}", len(rows))
            relaxed = encode(model, role, shop.inputs[modality], rows, shop.accelerator, shop.reporter.advance)
        if bad := int(np.sum(~np.isfinite(relaxed).all(axis=1))):
            raise DivergedError(f"{bad} of {len(relaxed)} items have NaN or infinite outputs; they have no code", ".")
        codes[f"{part}.{modality}"] = Codes.from_relaxed(
            relaxed, table.labels[rows], ids=table.ids[rows], keep_relaxed=True
        )
    return codes


def _evaluate(
    shop: Workshop,
    cell: CellFolder,
    bits: int,
    seed: int,
    fingerprint: str,
    upstream: Mapping[str, str],
    seconds: dict[str, float],
    again: bool,
) -> None:
    """Write the cell's record; where it is there already, add the metrics that it lacks.

    A record of another upstream is kept beside the new one, and what changed is said.
    """
    asked = shop.plan.config.evaluation.metrics or ("default",)
    old = None if again else read_record(cell.file("evaluate"))
    if old is not None and (old.bits, old.seed) != (bits, seed):
        raise WorkError(
            f"{cell.file('evaluate')} is the record of {old.bits} bits, seed {old.seed}, copied from elsewhere; put it "
            "back where it belongs, and repeat the command, or use --overwrite always."
        )
    have = () if old is None else old.config.evaluation.metrics or ("default",)
    missing = tuple(metric for metric in asked if metric not in have)
    if not missing:
        return
    codes = load_codes(cell.file("encode"))
    wanted = None if missing == ("default",) else missing
    evaluation = shop.plan.config.evaluation.model_copy(update={"metrics": wanted})
    config = shop.plan.config.model_copy(update={"evaluation": evaluation})
    with _timed(seconds, "evaluate"):
        results = run_evaluators(shop.registry, config, shop.plan.protocol, codes, coded=shop.plan.method.coded)
    record = make_record(shop, bits, seed, codes, results, seconds)
    if old is not None:
        record = with_metrics(old, record, (*have, *missing))
    if again:
        _say_what_changed(shop, cell, upstream)
    write_record(cell.file("evaluate"), record)
    cell.mark_done("evaluate", fingerprint, seconds["evaluate"], upstream)
    shop.log({f"bits-{bits:03d}/seed-{seed}/{name}": value for name, value in record.metrics.items()})


def _say_what_changed(shop: Workshop, cell: CellFolder, upstream: Mapping[str, str]) -> None:
    before = cell.noted("evaluate").get("upstream", {})
    changed = [name for name in upstream if before.get(name) != upstream[name]]
    kept = cell.set_aside()
    if kept is not None:
        shop.reporter.say(
            f"{cell.path} is made again, because this changed: {', '.join(changed) or 'its files'}; the former record "
            f"is kept as {kept.name}."
        )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note the wall-clock seconds of a block under the stage's name."""
    begin = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begin


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let torch compute with this many threads inside a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
