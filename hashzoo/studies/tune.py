"""Equal tuning: every method gets the same number of trials, the same seeds and the same rule, on validation data.

A trial is a setting of a method, measured on a held-out part of the train split (`data/validation.py`), whose queries
are train items; the protocol's queries take no part. The first trial is the method's own setting, so that what is
chosen is never below it on these data. The others are drawn by Optuna's TPE sampler in rounds of fixed size, each
option of each trial with a seed of its own, so that they depend neither on the number of workers nor on an
interruption.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.files import json_sha256, read_json, write_text
from hashzoo.plugins import Registry
from hashzoo.results.record import Record, read_record
from hashzoo.runner.plan import Plan, resolve
from hashzoo.runner.progress import Quiet, Reporter
from hashzoo.runner.request import RunRequest
from hashzoo.runner.tuned import VERSION
from hashzoo.specs import Range
from hashzoo.studies.grid import plan_study
from hashzoo.studies.space import own_point, space_json, space_of
from hashzoo.studies.task import CellTask, Engine, Outcome

if TYPE_CHECKING:
    import optuna

ROUND = 10
"""Trials that are drawn from the same past; as many can be measured at a time for each method."""

RULE = (
    "the trial with the highest mean of the metric over bits, seeds and directions on the held-out part of the train "
    "split; of several the first"
)


@dataclass(frozen=True)
class Tuning:
    """What is the same for all methods of a study."""

    trials: int
    metric: str
    folder: Path

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise UsageError(f"The number of trials must be at least 1; got {self.trials}.")
        check_rule(self.metric)


@dataclass
class _Method:
    name: str
    request: RunRequest
    plan: Plan
    space: Mapping[str, Range]
    own: Mapping[str, Any]
    study: optuna.Study

    def count(self, trials: int) -> int:
        """Return how many trials it gets: one where there is nothing to try."""
        return trials if self.space else 1


def check_rule(metric: str) -> None:
    """Raise UsageError for a metric whose order of methods changes with the size of the database."""
    plain = metric.rsplit("/", 1)[-1]
    if "@h" in plain:
        raise UsageError(
            f"{metric} looks at a fixed Hamming radius: in the small database of a validation split such a ball holds "
            "few items, and its order of settings is not the one that the protocol's database shows; tune by map."
        )
    if "@" in plain:
        raise UsageError(
            f"{metric} looks at a fixed number of items, which is another share of the small database of a validation "
            "split than of the protocol's; tune by map."
        )


def tune(
    requests: Sequence[RunRequest],
    tuning: Tuning,
    engine: Engine,
    registry: Registry,
    reporter: Reporter | None = None,
) -> Path:
    """Do the trials that a study lacks and return its file, with every trial and what was chosen for each method.

    All requests are of one protocol. Optuna's storage, beside the file, holds the trials as they are drawn and
    measured; the same command goes on from there.
    """
    reporter = reporter or Quiet()
    optuna = _optuna()
    requests = [replace(r, out=(tuning.folder / "runs").absolute()) for r in requests]
    plans = [resolve(request, registry) for request in requests]
    about = _about(requests[0], plans[0], tuning)
    stem = f"{plans[0].protocol.id}_{json_sha256(about)[:8]}"
    tuning.folder.mkdir(parents=True, exist_ok=True)
    journal = optuna.storages.journal.JournalFileBackend(str(tuning.folder / f"{stem}.journal"))
    storage = optuna.storages.JournalStorage(journal)
    path = tuning.folder / f"{stem}.json"
    with ExitStack() as held:
        methods = []
        for request, plan in zip(requests, plans, strict=True):
            name, space = registry.listed("methods", request.method), space_of(plan)
            held.enter_context(_only_here(tuning.folder / f"{stem}.{name.replace(':', '_')}.lock", name))
            study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
            methods.append(_Method(name, request, plan, space, own_point(plan, space, registry), study))
            _require_same_space(methods[-1])
            if not space:
                reporter.say(f"{name} has nothing to tune: its own setting is measured once.")
        total = sum(method.count(tuning.trials) for method in methods)
        reporter.begin("trials", total)
        for begin in range(0, tuning.trials, ROUND):
            if begin and not any(method.space for method in methods):
                break
            _round(methods, range(begin, min(begin + ROUND, tuning.trials)), tuning, engine, registry, reporter)
            with FileLock(path.with_suffix(".lock")):
                _write(path, about, methods)
            finished = sum(_finished(method) for method in methods)
            reporter.advance(finished)
            reporter.say(f"{finished} of {total} trials are done.")
    return path


def _only_here(path: Path, method: str) -> FileLock:
    """Return the lock of a method's trials, taken; two commands at once would draw the same ones twice."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise WorkError(f"{method} is being tuned by another process ({path}); wait for it, or leave it out.") from None
    return lock


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise WorkError('Tuning needs Optuna, which is not installed; pip install "hashzoo[tune]".') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _about(request: RunRequest, plan: Plan, tuning: Tuning) -> dict[str, Any]:
    """Return what is the same for all methods, from which the file has its name."""
    backbone = (
        request.backbone if request.backbone is None or isinstance(request.backbone, str) else dict(request.backbone)
    )
    return {
        "version": VERSION,
        "protocol": plan.protocol.id,
        "validation": request.validation,
        "metric": tuning.metric,
        "rule": RULE,
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


def _require_same_space(method: _Method) -> None:
    """Note the space with the first trial; a later command with another one is refused."""
    known = method.study.user_attrs.get("space")
    space = space_json(method.space)
    if known is None:
        method.study.set_user_attr("space", space)
    elif known != space:
        raise UsageError(
            f"The search space of {method.name!r} has changed since its first trial; tune in another --out, so that "
            "all its trials are of one space."
        )


def _round(
    methods: Sequence[_Method], numbers: range, tuning: Tuning, engine: Engine, registry: Registry, reporter: Reporter
) -> None:
    """Draw the trials of a round, measure all of them, and then tell Optuna, in their order."""
    drawn: list[tuple[_Method, optuna.Trial, list[CellTask], str]] = []
    tasks: list[CellTask] = []
    todo: list[CellTask] = []
    for method in methods:
        for number in numbers:
            if number >= method.count(tuning.trials):
                continue
            trial = _draw(method, number)
            if trial is None:
                continue
            tried = replace(method.request, settings={**method.request.settings, **_options(trial)})
            study = plan_study([tried], registry)
            own = [replace(task, number=len(tasks) + task.number) for task in study.tasks]
            todo += [task for task in own if task.number - len(tasks) not in study.done]
            tasks += own
            drawn.append((method, trial, own, study.refused[0][1] if study.refused else ""))
    outcomes: dict[int, Outcome] = {}
    for outcome in engine.run(todo):
        outcomes[outcome.number] = outcome
        reporter.say(f"trial of {tasks[outcome.number].label}: {outcome.error or 'done'} ({outcome.seconds:.1f} s)")
    for method, trial, own, refused in drawn:
        errors = [refused, *(outcomes[task.number].error for task in own if task.number in outcomes)]
        _tell(method, trial, own, next((error for error in errors if error), ""), tuning.metric)


def _draw(method: _Method, number: int) -> optuna.Trial | None:
    """Return an open trial with its options; None where it is finished.

    The first is the method's own setting: the sampler learns from it where it lies in the space.
    """
    import optuna

    known = method.study.get_trials(deepcopy=False)
    state = known[number].state if number < len(known) else None
    if state is not None and state.is_finished():
        return None
    if state == optuna.trial.TrialState.RUNNING:
        trial = optuna.Trial(method.study, known[number]._trial_id)
    else:
        if number == 0 and state is None:
            method.study.enqueue_trial(dict(method.own))
        trial = method.study.ask()
    for key, limits in method.space.items():
        if number == 0 and key not in method.own:
            continue
        method.study.sampler = _sampler(f"{method.name}/{number}/{key}")
        if limits.choices:
            trial.suggest_categorical(key, limits.choices)
        elif isinstance(limits.low, int) and isinstance(limits.high, int):
            trial.suggest_int(key, limits.low, limits.high, log=limits.log)
        else:
            trial.suggest_float(key, limits.low, limits.high, log=limits.log)
    return trial


def _sampler(name: str) -> Any:
    """Return the sampler of one option of one trial.

    It is told all that its defaults decide by Optuna's version: options are drawn one by one, since the first trial
    may lack some, and trials of a round keep away from each other.
    """
    import optuna

    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=ROUND, multivariate=False, constant_liar=True)


def _options(trial: optuna.trial.FrozenTrial | optuna.Trial) -> dict[str, Any]:
    """Return what a trial sets; the first sets nothing."""
    return dict(trial.params) if trial.number else {}


def _tell(method: _Method, trial: optuna.Trial, tasks: Sequence[CellTask], error: str, metric: str) -> None:
    import optuna

    values: list[dict[str, Any]] = []
    if not error:
        try:
            values = [_value(read_record(task.folder / "record.json"), metric) for task in tasks]
        except HashzooError as fault:
            error = str(fault)
    trial.set_user_attr("values", values)
    trial.set_user_attr("error", error)
    if error:
        method.study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        method.study.tell(trial, fmean(value["value"] for value in values))


def _value(record: Record, metric: str) -> dict[str, Any]:
    """Return the metric of a record, of several directions their mean."""
    found = [value for name, value in record.metrics.items() if metric in (name, name.rpartition("/")[2])]
    if not found:
        raise WorkError(
            f"The metric {metric!r} was not measured; the record holds {', '.join(sorted(record.metrics))}."
        )
    return {"bits": record.bits, "seed": record.seed, "value": fmean(found)}


def _finished(method: _Method) -> int:
    return sum(trial.state.is_finished() for trial in method.study.get_trials(deepcopy=False))


def _write(path: Path, about: Mapping[str, Any], methods: Sequence[_Method]) -> None:
    """Write the study's file; methods of earlier commands stay in it."""
    known = read_json(path)["methods"] if path.is_file() else {}
    found = {}
    for method in methods:
        trials = [
            {
                "number": trial.number,
                "options": _options(trial),
                "values": trial.user_attrs.get("values", []),
                "mean": trial.value if trial.user_attrs.get("values") else None,
                "error": trial.user_attrs.get("error", ""),
            }
            for trial in method.study.get_trials(deepcopy=False)
            if trial.state.is_finished()
        ]
        good = [trial for trial in trials if trial["mean"] is not None]
        best = max(good, key=lambda trial: (trial["mean"], -trial["number"]), default=None)
        found[method.name] = {
            "regime": method.plan.config.regime,
            "own": method.plan.config.settings_source,
            "space": space_json(method.space),
            "trials": trials,
            "chosen": None if best is None else {k: best[k] for k in ("number", "options", "mean")},
        }
    text = json.dumps(
        {**about, "optuna": _optuna().__version__, "methods": {**known, **found}},
        indent=1,
        sort_keys=True,
        ensure_ascii=False,
    )
    write_text(path, text + "\n")
