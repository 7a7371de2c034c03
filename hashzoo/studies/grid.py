"""A whole table by one command: methods x protocols x bits x seeds as tasks, what is done, what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hashzoo import __version__
from hashzoo.data.roots import data_root
from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.files import json_sha256
from hashzoo.plugins import Registry, plugin_file_hash, registry
from hashzoo.plugins.sources import CORE
from hashzoo.results.config import RunConfig
from hashzoo.results.record import Record, read_record
from hashzoo.runner.cell import CellFolder, RunDirectory
from hashzoo.runner.plan import Plan, resolve
from hashzoo.runner.progress import Quiet, Reporter
from hashzoo.runner.request import RunRequest
from hashzoo.runner.shelf import Shelf
from hashzoo.specs import Dataset, Method
from hashzoo.studies.task import CellTask, Engine, Outcome, let_speak, outcomes


@dataclass(frozen=True)
class Study:
    """The tasks of a grid in its order, which of them are done, and requests that cannot be right with their reason.

    `configs` are the configurations of the tasks' runs, and `missing` says which data are not here, of tasks to do.
    """

    tasks: tuple[CellTask, ...]
    refused: tuple[tuple[str, str], ...] = ()
    done: frozenset[int] = frozenset()
    configs: tuple[RunConfig, ...] = ()
    missing: tuple[str, ...] = ()

    def todo(self) -> list[CellTask]:
        """Return the tasks that have no record yet, or one of another plugin, version or evaluation."""
        return [task for task in self.tasks if task.number not in self.done]


def every_method(protocol: str | None, dataset: str | None, reg: Registry) -> list[str]:
    """Return the methods that take as many modalities as the data have, by name."""
    if protocol is None and dataset is None:
        modalities = 1
    else:
        found = reg.protocol(protocol)[0] if protocol else reg.get("datasets", dataset or "")
        modalities = len(found.modalities)
    methods: list[Method] = [reg.get("methods", name) for name in reg.names("methods")]
    return [method.name for method in methods if len(method.modalities) == modalities]


def plan_study(requests: Sequence[RunRequest], reg: Registry | None = None) -> Study:
    """Return the tasks of requests; one that cannot be right is set apart with its reason, so that the others go on."""
    reg = reg or registry()
    tasks: list[CellTask] = []
    refused: list[tuple[str, str]] = []
    done: set[int] = set()
    configs: list[RunConfig] = []
    missing: dict[str, None] = {}
    hashes: dict[str, set[str]] = {}
    shelf = Shelf()
    for request in requests:
        folder = None
        try:
            plan = resolve(request, reg)
            folder = RunDirectory((request.out / plan.name).absolute())
            if request.overwrite == "never":
                folder.require_new()  # asked here once: the cells of a study are runs of their own
        except HashzooError as error:
            refused.append((f"{request.method} on {request.protocol or request.dataset or 'its data'}", str(error)))
            continue
        absent = missing_data(plan.protocol.id, plan.dataset, plan.config.dataset.options)
        for bits in plan.bits:
            for seed in plan.seeds:
                one = replace(
                    request,
                    bits=(bits,) if bits else None,
                    seeds=(seed,),
                    out=request.out.absolute(),
                    overwrite="missing" if request.overwrite == "never" else request.overwrite,
                )
                where = folder.cell(bits, seed).path
                task = CellTask(len(tasks), one, where, method=plan.method.name, protocol=plan.config.protocol_label)
                tasks.append(task)
                configs.append(plan.config)
                if request.overwrite != "always" and _is_current(task, plan, reg, hashes, shelf):
                    done.add(task.number)
                elif absent:
                    missing[absent] = None
    return Study(tuple(tasks), tuple(refused), frozenset(done), tuple(configs), tuple(missing))


def missing_data(protocol: str, dataset: Dataset, options: Mapping[str, Any]) -> str:
    """Return which files of a data set are not below the data root, "" where none is missing or it needs none there."""
    if any(options.get(name) for name in ("path", "download", "lists_only")):
        return ""
    absent = [name for name in dataset.files if not (data_root() / name).exists()]
    if not absent:
        return ""
    return (
        f"{protocol}: its data are not there ({', '.join(absent)} below {data_root()}); hashzoo data prepare "
        f"{dataset.name} says how to get them."
    )


def _is_current(task: CellTask, plan: Plan, reg: Registry, hashes: dict[str, set[str]], shelf: Shelf) -> bool:
    """Whether a task's record is there and surely of what is installed now; in doubt the cell is looked at again."""
    path = task.folder / "record.json"
    if not path.is_file():
        return False
    try:
        record = read_record(path)
    except WorkError:
        return False
    asked, had = plan.config.evaluation, record.config.evaluation
    if asked.model_copy(update={"metrics": None}) != had.model_copy(update={"metrics": None}):
        return False
    if not set(asked.metrics or ("default",)) <= set(had.metrics or ("default",)):
        return False
    if task.request.precision not in ("auto", record.config.precision):
        return False
    cell = CellFolder(task.folder)
    if not cell.file("encode").is_file() or cell.is_damaged("encode"):
        return False
    for info in record.plugins.values():
        if info.distribution == CORE:
            if info.version != __version__:
                return False
            continue
        if info.distribution not in hashes:
            brought = [plugin for plugin in reg.plugins if plugin.distribution == info.distribution]
            hashes[info.distribution] = {plugin_file_hash(plugin) for plugin in brought}
        if info.sha256 not in hashes[info.distribution]:
            return False
    return _is_of_the_same_data(task, plan, reg, shelf)


def _is_of_the_same_data(task: CellTask, plan: Plan, reg: Registry, shelf: Shelf) -> bool:
    """Whether a cell was trained on the data, the split and the weights that are here now, on the device asked for.

    What cannot be read here is looked at by whoever does the cell.
    """
    from hashzoo.runner.run import sources  # imports torch, which a study of nothing done does not need

    try:
        noted = CellFolder(task.folder).noted("train").get("upstream", {})
        now = {"configuration": json_sha256(plan.config.upstream()), **sources(plan, reg, shelf)}
    except HashzooError:
        return False
    if task.request.device != "auto":
        now["device"] = task.request.device.partition(":")[0]
    return all(noted.get(name) == value for name, value in now.items())


def run_study(
    study: Study, engine: Engine, reporter: Reporter | None = None, *, keep_going: bool = False
) -> tuple[list[Record], list[tuple[str, str]]]:
    """Do what a study lacks and return its records in its order, and (task, reason) of what failed.

    Without `keep_going` the first failure is raised, after which what was finished stays.
    """
    reporter = reporter or Quiet()
    let_speak(engine, reporter.say)
    failed = list(study.refused)
    if failed and not keep_going:
        raise UsageError(f"{failed[0][0]}: {failed[0][1]}")
    todo = study.todo()
    reporter.begin(f"study of {len(study.tasks)} cells", len(todo))
    finished = len(study.tasks) - len(todo)
    if finished and todo:
        reporter.say(f"{finished} of {len(study.tasks)} cells are done already.")
    done = 0
    bad: set[int] = set()
    waiting = [replace(task, wait=False) for task in todo]
    while waiting:
        busy: list[CellTask] = []
        for outcome in outcomes(engine, waiting):
            task = study.tasks[outcome.number]
            if outcome.busy:  # left to whoever is doing it, and waited for at the end
                busy.append(task)
                reporter.say(f"{task.label}: another process is working on it; it is left to that one for now.")
                continue
            done += 1
            reporter.advance(done, task.label)
            line, error = _ended(task, outcome)
            reporter.say(f"cell {finished + done} of {len(study.tasks)}: {task.label}: {line}")
            if error:
                bad.add(task.number)
                failed.append((task.label, error))
                if not keep_going:
                    raise WorkError(
                        f"{task.label}: {error} What was finished is kept; --keep-going does the other cells."
                    )
        waiting = [replace(task, wait=True) for task in busy]
    kept = [task for task in study.tasks if task.number not in bad and (task.folder / "record.json").is_file()]
    return [read_record(task.folder / "record.json") for task in kept], failed


def _ended(task: CellTask, outcome: Outcome) -> tuple[str, str]:
    """Return what is said of a task that has ended, and why it failed ("": it did not)."""
    error = outcome.error
    if not error:
        try:
            record = read_record(task.folder / "record.json")
        except WorkError as fault:  # say another command is making it again
            error = str(fault)
        else:
            values = ", ".join(f"{name} {value:.4f}" for name, value in record.headlines.items())
            return f"{values} ({outcome.seconds:.1f} s)", ""
    return f"failed ({error})", error
