"""A whole table by one command: methods x protocols x bits x seeds as tasks, what is done, how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from hashzoo import __version__
from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.plugins import Registry, plugin_file_hash, registry
from hashzoo.results.record import Record, read_record
from hashzoo.runner.cell import RunDirectory
from hashzoo.runner.plan import Plan, resolve
from hashzoo.runner.progress import Quiet, Reporter
from hashzoo.runner.request import RunRequest
from hashzoo.specs import Method
from hashzoo.studies.task import CellTask, Engine, Outcome


@dataclass(frozen=True)
class Study:
    """The tasks of a grid in its order, which of them are done, and requests that cannot be right with their reason."""

    tasks: tuple[CellTask, ...]
    refused: tuple[tuple[str, str], ...] = ()
    done: frozenset[int] = frozenset()

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
    hashes: dict[str, set[str]] = {}
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
        for bits in plan.bits:
            for seed in plan.seeds:
                one = replace(
                    request,
                    bits=(bits,) if bits else None,
                    seeds=(seed,),
                    out=request.out.absolute(),
                    overwrite="missing" if request.overwrite == "never" else request.overwrite,
                )
                task = CellTask(len(tasks), one, folder.cell(bits, seed).path)
                tasks.append(task)
                if request.overwrite != "always" and _is_current(task, plan, reg, hashes):
                    done.add(task.number)
    return Study(tuple(tasks), tuple(refused), frozenset(done))


def _is_current(task: CellTask, plan: Plan, reg: Registry, hashes: dict[str, set[str]]) -> bool:
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
    for info in record.plugins.values():
        if info.distribution == "hashzoo":
            if info.version != __version__:
                return False
            continue
        if info.distribution not in hashes:
            brought = [plugin for plugin in reg.plugins if plugin.distribution == info.distribution]
            hashes[info.distribution] = {plugin_file_hash(plugin) for plugin in brought}
        if info.sha256 not in hashes[info.distribution]:
            return False
    return True


def estimate(tasks: Sequence[CellTask], records: Sequence[Record]) -> float | None:
    """Return the seconds that tasks will take in one process, from the timings of earlier records; None without any.

    A task takes what the same method took on the same protocol, or any method did, on average.
    """
    if not records:
        return None
    times = {id(record): sum(record.timings.values()) for record in records}
    overall = mean(times.values())
    total = 0.0
    for task in tasks:
        alike = [
            times[id(r)]
            for r in records
            if r.method == task.request.method and task.request.protocol in (None, r.protocol)
        ]
        total += mean(alike) if alike else overall
    return total


def run_study(
    study: Study, engine: Engine, reporter: Reporter | None = None, *, keep_going: bool = False
) -> tuple[list[Record], list[tuple[str, str]]]:
    """Do what a study lacks and return its records in its order, and (task, reason) of what failed.

    Without `keep_going` the first failure is raised, after which what was finished stays.
    """
    reporter = reporter or Quiet()
    failed = list(study.refused)
    if failed and not keep_going:
        raise UsageError(f"{failed[0][0]}: {failed[0][1]}")
    todo = study.todo()
    reporter.begin(f"study of {len(study.tasks)} cells", len(todo))
    finished = len(study.tasks) - len(todo)
    if finished and todo:
        reporter.say(f"{finished} of {len(study.tasks)} cells are done already.")
    begin = time.monotonic()
    for done, outcome in enumerate(engine.run(todo), start=1):
        task = study.tasks[outcome.number]
        left = (time.monotonic() - begin) / done * (len(todo) - done)
        reporter.advance(done, task.label)
        reporter.say(f"cell {finished + done} of {len(study.tasks)}: {_line(task, outcome)}{_left(left)}")
        if outcome.error:
            failed.append((task.label, outcome.error))
            if not keep_going:
                raise WorkError(
                    f"{task.label}: {outcome.error} What was finished is kept; --keep-going does the other cells."
                )
    bad = {label for label, _ in failed}
    kept = [task for task in study.tasks if task.label not in bad and (task.folder / "record.json").is_file()]
    return [read_record(task.folder / "record.json") for task in kept], failed


def _line(task: CellTask, outcome: Outcome) -> str:
    if outcome.error:
        return f"{task.label}: failed ({outcome.error})"
    record = read_record(task.folder / "record.json")
    values = ", ".join(f"{name} {value:.4f}" for name, value in record.headlines.items())
    return f"{task.label}: {values} ({outcome.seconds:.1f} s)"


def _left(seconds: float) -> str:
    return f", about {duration(seconds)} left" if seconds >= 1 else ""


def duration(seconds: float) -> str:
    """Return seconds in words.

    >>> [duration(n) for n in (3.2, 59.6, 600, 9000)]
    ['3 s', '1 min', '10 min', '2.5 h']
    """
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def earlier_records(out: Path) -> list[Record]:
    """Return the readable records below a folder of runs, from which times are estimated."""
    found = []
    for path in sorted(out.glob("*/bits-*/seed-*/record.json")):
        try:
            found.append(read_record(path))
        except WorkError:
            continue  # an unreadable record says nothing of how long its cell took
    return found
