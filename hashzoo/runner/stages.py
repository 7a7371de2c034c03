"""The stages of one (bits, seed): train, encode, evaluate; each leaves a file and is skipped when it is there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hashzoo.evaluation.codes import Codes, codes_sha256, load_codes, save_codes
from hashzoo.plugins import Registry, plugin_file_hash
from hashzoo.results.record import PluginInfo, Record, defined, now_utc, read_record, write_record
from hashzoo.runner.build import build, build_model, check_fit
from hashzoo.runner.cell import Cell
from hashzoo.runner.environment import describe, versions
from hashzoo.runner.plan import Plan, digest, problem_of
from hashzoo.runner.scoring import run_evaluators
from hashzoo.specs import Problem, Splits
from hashzoo.training.checkpoints import Checkpoints, load_tensors, save_tensors
from hashzoo.training.encoding import encode
from hashzoo.training.job import TrainData, TrainJob

if TYPE_CHECKING:
    import numpy as np
    from accelerate import Accelerator
    from torch import nn

    from hashzoo.models.hash_model import HashModel
    from hashzoo.runner.progress import Reporter


@dataclass
class Workshop:
    """What all cells of a run share: plan, data, what the models see, device and where progress goes."""

    plan: Plan
    registry: Registry
    splits: Splits
    inputs: Mapping[str, np.ndarray]
    accelerator: Accelerator
    precision: str
    reporter: Reporter
    resume: bool = True
    seconds: dict[str, float] = field(default_factory=dict)
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

    def owners(self) -> dict[str, dict[str, str]]:
        """Return distribution, version and file hash of the plugin behind each part of the method."""
        config = self.plan.config
        named = {
            "method": ("methods", config["method"]),
            "loss": ("losses", config["loss"]["name"]),
            "hash_layer": ("hash_layers", config["hash_layer"]["name"]),
            "trainer": ("trainers", config["trainer"]["name"]),
            **{f"backbone.{m}": ("backbones", c["name"]) for m, c in config["backbones"].items()},
        }
        return {part: self._owner(kind, name) for part, (kind, name) in named.items()}

    def _owner(self, kind: str, name: str) -> dict[str, str]:
        owner = self.registry.owner(kind, name)
        return {
            "distribution": owner.distribution,
            "version": owner.version,
            "sha256": plugin_file_hash(owner),
        }

    def fingerprints(self, bits: int, seed: int) -> dict[str, str]:
        """Return for each stage of a cell the sha256 of everything upstream of it."""
        trained = self._upstream_of_training(bits, seed)
        encoded = digest([trained, "encode"])
        evaluation = self.plan.config["evaluation"]
        evaluators = {name: self._owner("evaluators", name) for name in evaluation["evaluators"]}
        return {
            "train": trained,
            "encode": encoded,
            "evaluate": digest([encoded, evaluation, _from_plugins(evaluators)]),
        }

    def _upstream_of_training(self, bits: int, seed: int) -> str:
        training = {key: value for key, value in self.plan.config.items() if key != "evaluation"}
        return digest(
            {
                "config": training,
                "bits": bits,
                "seed": seed,
                "split": self.splits.sha256,
                "table": self.splits.table.fingerprint,
                "plugins": _from_plugins(self.owners()),
                "precision": self.precision,
                "device": self.accelerator.device.type,
                "processes": self.accelerator.num_processes,
                "hashzoo": versions()["hashzoo"],
            }
        )


def run_cell(shop: Workshop, cell: Cell, bits: int, seed: int) -> Record:
    """Bring one cell to its record, doing only the stages whose output is not there yet.

    Of several processes all train; the main one alone writes, encodes and evaluates.
    """
    prints = shop.fingerprints(bits, seed)
    todo = shop.agree([stage for stage, fingerprint in prints.items() if not cell.is_done(stage, fingerprint)])
    shop.seconds = cell.seconds()
    if "encode" in todo:
        model, loss = build_model(shop.registry, shop.plan.config, shop.problem(bits), shop.inputs, seed)
        model.to(shop.device)
        loss.to(shop.device)
        if "train" in todo:
            _train_and_save(shop, cell, (bits, seed), (model, loss), prints["train"])
        else:
            tensors, _ = load_tensors(cell.file("train"))
            model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
        if shop.main:
            _encode_and_save(shop, cell, model, prints["encode"])
    if shop.main and {"encode", "evaluate"} & set(todo):
        _evaluate_and_save(shop, cell, (bits, seed), prints["evaluate"])
    shop.accelerator.wait_for_everyone()
    return read_record(cell.file("evaluate"))


def _train_and_save(
    shop: Workshop, cell: Cell, at: tuple[int, int], modules: tuple[HashModel, nn.Module], fingerprint: str
) -> None:
    """Train (going on from the cell's checkpoint) and write history and model; `at` is (bits, seed)."""
    model, loss = modules
    with _timed(shop, "train"):
        history = train(shop, cell, shop.problem(at[0]), modules, at[1], fingerprint)
    if not shop.main:
        return
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"loss.{k}": v for k, v in loss.state_dict().items()}
    cell.write_history(history)
    save_tensors(cell.file("train"), tensors, {"fingerprint": fingerprint})
    cell.mark_done("train", fingerprint, shop.seconds["train"])
    checkpoint = cell.path / "checkpoint" / "last.safetensors"
    checkpoint.unlink(missing_ok=True)


def _encode_and_save(shop: Workshop, cell: Cell, model: HashModel, fingerprint: str) -> None:
    with _timed(shop, "encode"):
        codes = encode_splits(shop, model)
    save_codes(cell.file("encode"), codes)
    cell.mark_done("encode", fingerprint, shop.seconds["encode"])


def _evaluate_and_save(shop: Workshop, cell: Cell, at: tuple[int, int], fingerprint: str) -> None:
    codes = load_codes(cell.file("encode"))
    plan = shop.plan
    with _timed(shop, "evaluate"):
        results = run_evaluators(shop.registry, plan.config, plan.protocol, codes, coded=plan.method.coded)
    record = make_record(shop, at, codes, results)
    write_record(cell.file("evaluate"), record)
    cell.mark_done("evaluate", fingerprint, shop.seconds["evaluate"])
    shop.log({f"bits-{at[0]:03d}/seed-{at[1]}/{name}": value for name, value in record.metrics.items()})


def train(
    shop: Workshop, cell: Cell, problem: Problem, modules: tuple[HashModel, nn.Module], seed: int, fingerprint: str
) -> list[dict[str, float]]:
    """Train in place and return the history: for each epoch the mean of each loss term."""
    model, loss = modules
    config, splits = shop.plan.config, shop.splits
    data = TrainData(
        shop.inputs,
        splits.table.labels[splits.train],
        splits.train,
        shop.device,
        hide_labels=config["supervision"] == "unsupervised",
    )
    check_fit(model, loss, data, config)
    checkpoints = Checkpoints(cell.path / "checkpoint", fingerprint)
    if not shop.resume:
        if shop.main:
            checkpoints.path.unlink(missing_ok=True)
        shop.accelerator.wait_for_everyone()
    history: list[dict[str, float]] = []
    epochs = shop.plan.recipe.epochs
    shop.reporter.begin(f"train {problem.bits} bits, seed {seed}", epochs)

    def report(epoch: int, terms: Mapping[str, float]) -> None:
        history.append(dict(terms))
        shop.reporter.advance(epoch + 1, " ".join(f"{name} {value:.4f}" for name, value in terms.items()))
        shop.log({f"bits-{problem.bits:03d}/seed-{seed}/loss/{n}": v for n, v in terms.items()})

    trainer = build(shop.registry, "trainers", config["trainer"]["name"], options=config["trainer"]["options"])
    trainer.fit(
        TrainJob(
            model=model,
            loss=loss,
            data=data,
            problem=problem,
            recipe=shop.plan.recipe,
            seed=seed,
            accelerator=shop.accelerator,
            checkpoints=checkpoints,
            report=report,
        )
    )
    return history


def encode_splits(shop: Workshop, model: HashModel) -> dict[str, Codes]:
    """Return the codes of queries and database for every modality that a pair of the protocol needs."""
    table = shop.splits.table
    needed = dict.fromkeys(
        [("query", q) for q, _ in shop.plan.protocol.pairs] + [("database", d) for _, d in shop.plan.protocol.pairs]
    )
    codes: dict[str, Codes] = {}
    for part, modality in needed:
        rows = getattr(shop.splits, part)
        shop.reporter.begin(f"encode {part} {modality}", len(rows))
        relaxed = encode(model, modality, shop.inputs[modality], rows, shop.accelerator, shop.reporter.advance)
        codes[f"{part}.{modality}"] = Codes.from_relaxed(
            relaxed, table.labels[rows], ids=table.ids[rows], keep_relaxed=True
        )
    return codes


def make_record(
    shop: Workshop,
    cell: tuple[int, int],
    codes: Mapping[str, Codes],
    results: tuple[dict[str, float], dict[str, list[Any]], list[str]],
) -> Record:
    """Put together the record of one cell."""
    plan = shop.plan
    metrics, curves, notes = results
    owners = shop.owners()
    return Record(
        method=plan.method.name,
        floor=plan.method.floor,
        protocol=plan.config["protocol_label"],
        dataset=plan.dataset.name,
        backbone={modality: choice["name"] for modality, choice in plan.config["backbones"].items()},
        frozen=bool(plan.config["freeze_backbone"]),
        regime=plan.config["regime"],
        bits=cell[0],
        seed=cell[1],
        metrics=defined(metrics),
        curves=curves,
        config={
            **plan.config,
            "precision": shop.precision,
            "bits": cell[0],
            "seed": cell[1],
            "problem": asdict(shop.problem(cell[0])),
            "input_shapes": {m: list(array.shape[1:]) for m, array in shop.splits.table.inputs.items()},
        },
        plugins={part: PluginInfo(**owner) for part, owner in owners.items()},
        versions=versions(tuple(sorted({o["distribution"] for o in owners.values()} - {"hashzoo"}))),
        environment={**describe(shop.device), "processes": shop.accelerator.num_processes},
        timings={name: round(value, 3) for name, value in shop.seconds.items()},
        codes_sha256=codes_sha256(codes),
        split_sha256=shop.splits.sha256,
        convention=plan.config["evaluation"]["convention"],
        ties=plan.config["evaluation"]["ties"],
        headline=plan.protocol.headline,
        created=now_utc(),
        notes=notes,
    )


@contextmanager
def _timed(shop: Workshop, stage: str) -> Iterator[None]:
    """Note the wall-clock seconds of a block under the stage's name."""
    begin = time.perf_counter()
    yield
    shop.seconds[stage] = time.perf_counter() - begin


def _from_plugins(owners: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, str, str]]:
    """Return who is behind each part, without the core, whose version is in every fingerprint."""
    return {
        part: (owner["distribution"], owner["version"], owner["sha256"])
        for part, owner in owners.items()
        if owner["distribution"] != "hashzoo"
    }
