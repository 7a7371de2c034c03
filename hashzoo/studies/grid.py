"""A whole table by one command: methods x protocols x bits x seeds as tasks, what is done, how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.plugins import Registry, registry
from hashzoo.results.record import Record, read_record
from hashzoo.runner.cell import RunDirectory
from hashzoo.runner.plan import resolve
from hashzoo.runner.progress import Quiet, Reporter
from hashzoo.runner.request import RunRequest
from hashzoo.specs import Method
from hashzoo.studies.task import Engine, Outcome, Task


@dataclass(frozen=True)
class Study:
    """The tasks of a grid in its order, and requests that cannot be right, each with its reason."""

    tasks: tuple[Task, ...]
    refused: tuple[tuple[str, str], ...] = ()

    def todo(self) -> list[Task]:
        """Return the tasks that have no record yet."""
        return [task for task in self.tasks if not (task.folder / "record.json").is_file()]


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
    tasks: list[Task] = []
    refused: list[tuple[str, str]] = []
    for request in requests:
        try:
            plan = resolve(request, reg)
        except HashzooError as error:
            refused.append((f"{request.method} on {request.protocol or request.dataset or 'its data'}", str(error)))
            continue
        folder = RunDirectory((request.out / plan.name).absolute())
        for bits in plan.bits:
            for seed in plan.seeds:
                one = replace(request, bits=(bits,) if bits else None, seeds=(seed,), out=request.out.absolute())
                tasks.append(Task(len(tasks), one, folder.cell(bits, seed).path))
    return Study(tuple(tasks), tuple(refused))


def estimate(tasks: Sequence[Task], records: Sequence[Record]) -> float | None:
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
    for done, outcome in enumerate(engine.run(todo), start=1):
        task = study.tasks[outcome.number]
        reporter.advance(done, task.label)
        if outcome.error:
            failed.append((task.label, outcome.error))
            if not keep_going:
                raise WorkError(f"{task.label}: {outcome.error}")
        reporter.say(_line(task, outcome))
    return [read_record(path) for task in study.tasks if (path := task.folder / "record.json").is_file()], failed


def _line(task: Task, outcome: Outcome) -> str:
    if outcome.error:
        return f"{task.label}: failed ({outcome.error})"
    record = read_record(task.folder / "record.json")
    shown = {k: v for k, v in record.metrics.items() if k.split("/")[-1] == record.headline}
    values = ", ".join(f"{name} {value:.4f}" for name, value in shown.items())
    return f"{task.label}: {values} ({outcome.seconds:.1f} s)"


def product(
    methods: Sequence[str], protocols: Sequence[str | None], base: Callable[[str, str | None], RunRequest]
) -> list[RunRequest]:
    """Return a request for each method on each protocol, protocol by protocol."""
    return [base(method, protocol) for protocol in protocols for method in methods]


def earlier_records(out: Path) -> list[Record]:
    """Return the readable records below a folder of runs, from which times are estimated."""
    found = []
    for path in sorted(out.glob("*/bits-*/seed-*/record.json")):
        try:
            found.append(read_record(path))
        except WorkError:
            continue  # an unreadable record says nothing of how long its cell took
    return found
