"""The stages of one (bits, seed): train, encode, evaluate; each leaves a file and is skipped when it is there."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hashzoo.errors import WorkError
from hashzoo.evaluation.codes import Codes, codes_sha256, load_codes, save_codes
from hashzoo.files import json_sha256
from hashzoo.models.encode import encode
from hashzoo.plugins import PARTS, Plugin, Registry, is_editable, plugin_file_hash
from hashzoo.results.config import CellConfig
from hashzoo.results.record import PluginInfo, Record, defined, now_utc, read_record, write_record
from hashzoo.runner.build import build_model
from hashzoo.runner.cell import STAGE_FILES, CellFolder
from hashzoo.runner.environment import describe, versions
from hashzoo.runner.plan import Plan, problem_of
from hashzoo.runner.scoring import run_evaluators
from hashzoo.runner.train import database_data, threads_for, train_data, train_model
from hashzoo.training.checkpoints import Checkpoints, load_tensors, save_tensors

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import nn

    from hashzoo.models.hash_model import HashModel
    from hashzoo.runner.progress import Reporter
    from hashzoo.specs import Problem, Splits

STAGES = tuple(STAGE_FILES)


@dataclass
class Workshop:
    """What all cells of a run share: plan, data, what the models see, device and where progress goes.

    `weights` are the sha256 of the weights that backbones start from, by modality; `described` is the content of
    `split.json`.
    """

    plan: Plan
    registry: Registry
    splits: Splits
    inputs: Mapping[str, np.ndarray]
    accelerator: Accelerator
    precision: str
    reporter: Reporter
    weights: Mapping[str, str] = field(default_factory=dict)
    described: Mapping[str, Any] = field(default_factory=dict)
    resume: bool = True
    threads: int = 0
    logged: int = 0

    @property
    def device(self) -> str:
        """The torch device of the run."""
        return str(self.accelerator.device)

    @property
    def main(self) -> bool:
        """Whether this process writes; with several, the others train along and wait."""
        return bool(self.accelerator.is_main_process)

    def agree(self, value: Any) -> Any:
        """Return the main process's value in every process."""
        if self.accelerator.num_processes == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def log(self, values: Mapping[str, float]) -> None:
        """Send values to the experiment trackers asked for; the step counts over all cells, as some trackers need."""
        if self.accelerator.trackers:
            self.accelerator.log(dict(values), step=self.logged)
            self.logged += 1

    def problem(self, bits: int) -> Problem:
        """Return what builders may know of a cell with this many bits."""
        return problem_of(self.plan, bits, self.splits)

    @functools.cached_property
    def owners(self) -> dict[str, dict[str, Any]]:
        """Distribution, version and file hash of the plugin behind each part, and whether it is editable; read once."""
        config = self.plan.config
        named = {"method": ("methods", config.method), "dataset": ("datasets", config.dataset.name)}
        for role, kind in PARTS.items():
            part = getattr(config, role)
            if part is not None:
                named[role] = (kind, part.name)
        named |= {f"backbone.{modality}": ("backbones", part.name) for modality, part in config.backbones.items()}
        named |= {f"evaluator.{name}": ("evaluators", name) for name in config.evaluation.evaluators}
        owners = {part: self.registry.owner(kind, name) for part, (kind, name) in named.items()}
        hashed = {_code(owner): owner for owner in owners.values()}
        known = {
            code: {
                "distribution": owner.distribution,
                "version": owner.version,
                "sha256": plugin_file_hash(owner),
                "editable": is_editable(owner.distribution),
            }
            for code, owner in hashed.items()
        }
        return {part: known[_code(owner)] for part, owner in owners.items()}

    def upstream(self, bits: int, seed: int) -> dict[str, dict[str, str]]:
        """Return for each stage a digest of each thing upstream of it, under names that people understand."""
        owners = self.owners
        config = self.plan.config
        training = {
            "configuration": json_sha256(config.upstream()),
            "cell": f"{bits} bits, seed {seed}",
            **data_digests(self.splits, self.weights),
            "precision": self.precision,
            "device": self.accelerator.device.type,
            "processes": str(self.accelerator.num_processes),
            "hashzoo": versions()["hashzoo"],
            **_plugins({part: owner for part, owner in owners.items() if not part.startswith("evaluator.")}),
        }
        evaluation = config.evaluation
        evaluators = {part: owner for part, owner in owners.items() if part.startswith("evaluator.")}
        return {
            "train": training,
            "encode": {"trained model": json_sha256(training)},
            "evaluate": {
                **training,
                "evaluators": ", ".join(evaluation.evaluators),
                "ties": evaluation.ties,
                "convention": evaluation.convention,
                **_plugins(evaluators),
            },
        }


def data_digests(splits: Splits, weights: Mapping[str, str]) -> dict[str, str]:
    """Return digests of the split, of the table that it is of and of the weights that backbones start from."""
    return {"split": splits.sha256, "data": splits.table.fingerprint, "weights": json_sha256(dict(weights))}


def run_cell(shop: Workshop, cell: CellFolder, bits: int, seed: int) -> Record:
    """Bring one cell to its record, doing only what is not there yet; the caller holds the cell.

    Of several processes all train; the main one alone writes, encodes and evaluates.
    """
    upstream = shop.upstream(bits, seed)
    prints = {stage: json_sha256(upstream[stage]) for stage in STAGES}
    todo = shop.agree(_todo(shop, cell, prints) if shop.main else None)
    seconds = cell.seconds() if shop.main else {}
    if "encode" in todo:
        model, loss = build_model(shop.registry, shop.plan.config, shop.problem(bits), _shapes(shop.inputs), seed)
        model.to(shop.device)
        if loss is not None:
            loss.to(shop.device)
        if "train" in todo:
            with _timed(seconds, "train"):
                history, learned = _train(shop, cell, model, loss, bits, seed, prints["train"])
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


def _todo(shop: Workshop, cell: CellFolder, prints: Mapping[str, str]) -> list[str]:
    """Return the stages whose output is not there, is of another upstream, or is damaged (which is said)."""
    cell.sweep()
    todo = [stage for stage in STAGES if not cell.is_done(stage, prints[stage])]
    for stage in ("encode", "train"):
        if stage not in todo and (stage == "encode" or "encode" in todo) and cell.is_damaged(stage):
            shop.reporter.say(
                f"{cell.file(stage)} is not the file that was written (damaged, or copied from elsewhere); it is made "
                "again."
            )
            todo.append(stage)
    if "train" in todo and "encode" not in todo:
        todo.append("encode")  # the model is gone: it is made again, and its codes with it
    return todo


def _train(
    shop: Workshop, cell: CellFolder, model: HashModel, loss: nn.Module | None, bits: int, seed: int, fingerprint: str
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Train in place; return the history (for each epoch the mean of each term) and learned database codes."""
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
    return history, learned


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
        record = _added(old, record, (*have, *missing))
    if again:
        _say_what_changed(shop, cell, upstream)
    write_record(cell.file("evaluate"), record)
    cell.mark_done("evaluate", fingerprint, seconds["evaluate"], upstream)
    shop.log({f"bits-{bits:03d}/seed-{seed}/{name}": value for name, value in record.metrics.items()})


def _added(old: Record, new: Record, metrics: tuple[str, ...]) -> Record:
    """Return the old record with the metrics, curves and notes of the new one added."""
    evaluation = old.config.evaluation.model_copy(update={"metrics": metrics})
    return old.model_copy(
        update={
            "metrics": {**old.metrics, **new.metrics},
            "curves": {**old.curves, **new.curves},
            "notes": list(dict.fromkeys([*old.notes, *new.notes])),
            "config": old.config.model_copy(update={"evaluation": evaluation}),
        }
    )


def _say_what_changed(shop: Workshop, cell: CellFolder, upstream: Mapping[str, str]) -> None:
    before = cell.noted("evaluate").get("upstream", {})
    changed = [name for name in upstream if before.get(name) != upstream[name]]
    kept = cell.set_aside()
    if kept is not None:
        shop.reporter.say(
            f"{cell.path} is made again, because this changed: {', '.join(changed) or 'its files'}; the former record "
            f"is kept as {kept.name}."
        )


def make_record(
    shop: Workshop,
    bits: int,
    seed: int,
    codes: Mapping[str, Codes],
    results: tuple[dict[str, float], dict[str, list[Any]], list[str]],
    seconds: Mapping[str, float],
) -> Record:
    """Put together the record of one cell."""
    plan, config = shop.plan, shop.plan.config
    metrics, curves, notes = results
    owners = shop.owners
    distributions = {owner["distribution"] for owner in owners.values()} - {"hashzoo"}
    return Record(
        method=plan.method.name,
        floor=plan.method.floor,
        protocol=config.protocol_label,
        dataset=plan.dataset.name,
        backbone={modality: part.name for modality, part in config.backbones.items()},
        frozen=config.freeze_backbone,
        regime=config.regime,
        bits=bits,
        seed=seed,
        metrics=defined(metrics),
        curves=curves,
        config=CellConfig(
            **dict(config),
            precision=shop.precision,  # type: ignore[arg-type] # checked when the run began
            bits=bits,
            seed=seed,
            problem=shop.problem(bits),
            input_shapes=_shapes(shop.splits.table.inputs),
        ),
        plugins={part: PluginInfo(**owner) for part, owner in owners.items()},
        versions=versions(tuple(sorted(distributions))),
        environment={**describe(shop.device), "processes": shop.accelerator.num_processes},
        timings={name: round(value, 3) for name, value in seconds.items()},
        codes_sha256=codes_sha256(codes),
        split_sha256=shop.splits.sha256,
        table_sha256=shop.splits.table.fingerprint,
        weights=dict(shop.weights),
        convention=config.evaluation.convention,
        ties=config.evaluation.ties,
        headline=plan.protocol.headline,
        created=now_utc(),
        notes=notes,
    )


def _shapes(inputs: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {modality: tuple(int(n) for n in array.shape[1:]) for modality, array in inputs.items()}


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


def _code(owner: Plugin) -> tuple[str, str]:
    """Return what tells one set of plugin files from another: the core's parts are all one."""
    return owner.distribution, "" if owner.builtin else owner.entry_point


def _plugins(owners: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return who is behind each part, without the core, whose version is in every fingerprint."""
    return {
        f"plugin of the {part}": f"{owner['distribution']} {owner['version']} {owner['sha256']}"
        for part, owner in owners.items()
        if owner["distribution"] != "hashzoo"
    }
