"""Equal tuning: every method gets the same number of trials, the same seeds and the same rule, on validation data.

A trial is a setting of a method, measured on a held-out part of the train split (`data/validation.py`), whose queries
are train items; the protocol's queries take no part. The first trial is the method's own setting, so that what is
chosen is never below it on these data. The others are drawn by Optuna's TPE sampler in rounds of fixed size, each
option of each trial with a seed of its own, so that they depend neither on the number of workers nor on an
interruption.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.files import json_sha256, read_json, write_text
from hashzoo.plugins import Registry
from hashzoo.results.record import read_record
from hashzoo.runner.plan import Plan, resolve
from hashzoo.runner.progress import Quiet, Reporter
from hashzoo.runner.request import RunRequest
from hashzoo.runner.shelf import Shelf
from hashzoo.runner.tuned import VERSION
from hashzoo.studies.grid import plan_study
from hashzoo.studies.rule import check_whole, higher_is_better, rule_text
from hashzoo.studies.setup import tried_setup
from hashzoo.studies.space import own_point, space_json, space_of
from hashzoo.studies.task import CellTask, Engine, Outcome, outcomes
from hashzoo.studies.trials import ROUND, MethodTrials, mean_of, options_of, optuna_here, value_of

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Tuning:
    """What is the same for all methods of a study."""

    trials: int
    metric: str
    folder: Path

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise UsageError(f"The number of trials must be at least 1; got {self.trials}.")
        check_whole(self.metric)


@dataclass(frozen=True)
class Tuned:
    """What a command did: the study's file, and of each method that lacks trials why the first of them is open."""

    path: Path
    unfinished: Mapping[str, str]


@dataclass
class _Drawn:
    """A trial that is being measured; `tasks` are its cells, `left` the numbers of those that are not done."""

    method: MethodTrials
    trial: optuna.Trial
    tasks: list[CellTask]
    left: set[int]
    fault: str
    error: str = ""
    values: list[dict[str, Any]] = field(default_factory=list)

    def finish(self, outcomes: Mapping[int, Outcome], metric: str) -> None:
        """Note values, or why there are none: the setting's fault, else an error that leaves the trial open."""
        own = [outcomes[task.number] for task in self.tasks if task.number in outcomes]
        self.fault = self.fault or next((outcome.fault for outcome in own if outcome.fault), "")
        self.error = next((outcome.error for outcome in own if outcome.error), "")
        if self.fault or self.error:
            return
        try:
            self.values = [value_of(read_record(task.folder / "record.json"), metric) for task in self.tasks]
        except HashzooError as error:
            self.error = str(error)


def tune(
    requests: Sequence[RunRequest],
    tuning: Tuning,
    engine: Engine,
    registry: Registry,
    reporter: Reporter | None = None,
) -> Tuned:
    """Do the trials that a study lacks and write its file, with every trial and what was chosen for each method.

    All requests are of one protocol. Their settings are shared by all trials: what is given is not tried. What is wrong
    with data, split, metric or a method's own setting is raised before the first trial. A trial fails by its setting
    only (values that are not finite, a refused option); one that failed by anything else stays open, its method draws
    no more, and the same command tries it again. Optuna's storage, beside the file, holds the trials as they are drawn
    and measured.
    """
    reporter = reporter or Quiet()
    optuna = optuna_here()
    requests = [replace(r, out=(tuning.folder / "runs").absolute()) for r in requests]
    plans = [resolve(request, registry) for request in requests]
    higher = higher_is_better(tuning.metric, plans[0], registry)
    shelf = Shelf()
    setups = [tried_setup(request, plan, registry, shelf) for request, plan in zip(requests, plans, strict=True)]
    shelf.clear()
    shared = {key: value for request in requests for key, value in request.settings.items()}
    about = _about(replace(requests[0], settings=shared), plans[0], tuning, higher)
    stem = f"{plans[0].protocol.id}_{json_sha256(about)[:8]}"
    tuning.folder.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(_journal(tuning.folder / f"{stem}.journal"))
    path = tuning.folder / f"{stem}.json"
    direction = "maximize" if higher else "minimize"
    with ExitStack() as held:
        methods = []
        for request, plan, setup in zip(requests, plans, setups, strict=True):
            name = registry.listed("methods", request.method)
            space = {key: limits for key, limits in space_of(plan).items() if key not in request.settings}
            held.enter_context(_only_here(tuning.folder / f"{stem}.{name.replace(':', '_')}.lock", name))
            study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)
            own = own_point(plan, space, registry)
            methods.append(MethodTrials(name, request, plan, space, own, setup, study, higher))
            methods[-1].require_same(tuning.trials)
            if not space:
                reporter.say(f"{name} has nothing to tune: its own setting is measured once.")
        total = sum(method.count(tuning.trials) for method in methods)
        reporter.begin("trials", total)
        unfinished: dict[str, str] = {}
        for begin in range(0, tuning.trials, ROUND):
            going = [m for m in methods if begin < m.count(tuning.trials) and m.name not in unfinished]
            if not going:
                break
            numbers = range(begin, min(begin + ROUND, tuning.trials))
            unfinished |= _round(going, numbers, tuning, engine, registry, reporter)
            with FileLock(path.with_suffix(".lock"), fallback_to_soft=False):
                _write(path, about, methods)
            finished = sum(len(method.finished()) for method in methods)
            reporter.advance(finished)
            reporter.say(f"{finished} of {total} trials are done.")
    return Tuned(path, unfinished)


def _only_here(path: Path, method: str) -> FileLock:
    """Return the lock of a method's trials, taken; two commands at once would draw the same ones twice."""
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise WorkError(f"{method} is being tuned by another process ({path}); wait for it, or leave it out.") from None
    except OSError as error:
        raise WorkError(f"Could not hold {path}: {error.strerror or error}; choose another --out.") from error
    return lock


def _journal(path: Path) -> Any:
    """Return Optuna's journal at a path, without the half line that a full disk may have left at its end.

    Optuna reads such a journal, writes its next entry behind the half line, and then reads it no more.
    """
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    found, lock = JournalFileBackend(str(path)), JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        with path.open("r+b") as stream:
            lines = stream.read()
            stream.truncate(lines.rfind(b"\n") + 1)
    finally:
        lock.release()
    return found


def _about(request: RunRequest, plan: Plan, tuning: Tuning, higher: bool) -> dict[str, Any]:
    """Return what is the same for all methods, from which the file has its name."""
    backbone = (
        request.backbone if request.backbone is None or isinstance(request.backbone, str) else dict(request.backbone)
    )
    return {
        "version": VERSION,
        "protocol": plan.protocol.id,
        "validation": request.validation,
        "metric": tuning.metric,
        "rule": rule_text(higher),
        "bits": list(request.bits or ()),
        "seeds": list(request.seeds),
        "trials": tuning.trials,
        "round": ROUND,
        "options": {
            "backbone": backbone,
            "freeze_backbone": request.freeze_backbone,
            "weights": request.weights,
            "settings": dict(request.settings),
            "precision": request.precision,
        },
    }


def _round(
    methods: Sequence[MethodTrials],
    numbers: range,
    tuning: Tuning,
    engine: Engine,
    registry: Registry,
    reporter: Reporter,
) -> dict[str, str]:
    """Draw the trials of a round, measure all of them, and then tell Optuna, in their order.

    Returns of each method with a trial that is still open why the first of them is.
    """
    drawn, todo = _draw(methods, numbers, tuning.trials, registry)
    of_task = {task.number: each for each in drawn for task in each.tasks}
    best = {method.name: method.best() for method in methods}
    ended: dict[int, Outcome] = {}

    def end(each: _Drawn) -> None:
        each.finish(ended, tuning.metric)
        if each.values:
            known = best[each.method.name]
            found = (each.trial.number, mean_of(each.values))
            best[each.method.name] = each.method.better(found, *([known] if known else []))
        seconds = sum(ended[task.number].seconds for task in each.tasks if task.number in ended)
        reporter.say(f"{_said(each, tuning.metric, best[each.method.name])} ({seconds:.1f} s)")

    for each in drawn:
        if not each.left:
            end(each)
    for outcome in outcomes(engine, todo):
        ended[outcome.number] = outcome
        each = of_task[outcome.number]
        each.left.discard(outcome.number)
        if not each.left:
            end(each)
    unfinished: dict[str, str] = {}
    for each in drawn:
        if each.error and not each.fault:
            unfinished.setdefault(each.method.name, f"trial {each.trial.number}: {each.error}")
        else:
            each.method.tell(each.trial, each.values, each.fault)
    return unfinished


def _draw(
    methods: Sequence[MethodTrials], numbers: range, trials: int, registry: Registry
) -> tuple[list[_Drawn], list[CellTask]]:
    """Return the open trials of a round, and the cells of them that are to be done."""
    drawn: list[_Drawn] = []
    todo: list[CellTask] = []
    count = 0
    for method in methods:
        for number in numbers[: method.count(trials) - numbers.start]:
            trial = method.draw(number)
            if trial is None:
                continue
            tried = replace(method.request, settings={**method.request.settings, **options_of(trial)})
            study = plan_study([tried], registry)
            tasks = [replace(task, number=count + task.number) for task in study.tasks]
            left = [task for task in tasks if task.number - count not in study.done]
            fault = study.refused[0][1] if study.refused else ""
            drawn.append(_Drawn(method, trial, tasks, {task.number for task in left}, fault))
            todo += left
            count += len(tasks)
    return drawn, todo


def _said(drawn: _Drawn, metric: str, best: tuple[int, float] | None) -> str:
    """Return what a trial gave: "trial 3 of dch: map 0.8123; best so far 0.8500, trial 1"."""
    what = f"trial {drawn.trial.number} of {drawn.method.name}"
    if drawn.fault:
        return f"{what}: failed ({drawn.fault})"
    if drawn.error:
        return f"{what}: left open ({drawn.error})"
    so_far = f"; best so far {best[1]:.4f}, trial {best[0]}" if best else ""
    return f"{what}: {metric} {mean_of(drawn.values):.4f}{so_far}"


def _write(path: Path, about: Mapping[str, Any], methods: Sequence[MethodTrials]) -> None:
    """Write the study's file; methods of earlier commands stay in it."""
    known = read_json(path)["methods"] if path.is_file() else {}
    found = {}
    for method in methods:
        trials = [
            {
                "number": trial.number,
                "options": options_of(trial),
                "values": trial.user_attrs.get("values", []),
                "mean": trial.value if trial.user_attrs.get("values") else None,
                "error": trial.user_attrs.get("error", ""),
            }
            for trial in method.finished()
        ]
        best = method.best()
        chosen = next((trial for trial in trials if best and trial["number"] == best[0]), None)
        found[method.name] = {
            "regime": method.plan.config.regime,
            "own": method.plan.config.settings_source,
            "space": space_json(method.space),
            "trials": trials,
            "chosen": None if chosen is None else {k: chosen[k] for k in ("number", "options", "mean")},
            **method.study.user_attrs.get("setup", {}),
        }
    text = json.dumps(
        {**about, "optuna": optuna_here().__version__, "methods": {**known, **found}},
        indent=1,
        sort_keys=True,
        ensure_ascii=False,
    )
    write_text(path, text + "\n")
