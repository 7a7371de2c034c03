"""Equal tuning: every method gets the same number of trials, the same seeds and the same rule, on validation data.

A trial is a setting of a method, measured on a held-out part of the train split (`data/validation.py`), whose queries
are train items; the protocol's queries take no part. The first trial is the method's own setting. The others are drawn
by Optuna's TPE sampler in rounds of fixed size, each trial with a seed of its own, so that they depend neither on the
number of workers nor on an interruption.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

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
from hashzoo.studies.task import CellTask, Engine, Outcome

if TYPE_CHECKING:
    import optuna

ROUND = 10
"""Trials that are drawn from the same past; as many can be measured at a time for each method."""

OURS = "our default"

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
    request: RunRequest
    plan: Plan
    space: Mapping[str, Range]
    study: optuna.Study

    @property
    def name(self) -> str:
        return self.plan.method.name

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


def space_of(plan: Plan) -> dict[str, Range]:
    """Return what is tried of a method: what its plugin states, beside learning rate and weight decay.

    For the two, where the plugin says nothing, hashzoo's default: a tenth to ten times the learning rate of its
    setting, and a weight decay from 1e-6 to 1e-2, both evenly in the logarithm.
    """
    found: dict[str, Range] = {}
    recipe = plan.config.recipe
    if recipe is not None:
        if recipe.lr > 0:
            found["lr"] = Range(recipe.lr / 10, recipe.lr * 10, log=True, source=f"{OURS}: a tenth to ten times")
        found["weight_decay"] = Range(1e-6, 1e-2, log=True, source=OURS)
    stated = {key.removeprefix("recipe."): value for key, value in plan.method.space.items()}
    return {**found, **stated}


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
    methods = [
        _Method(
            request,
            plan,
            space_of(plan),
            optuna.create_study(
                storage=storage, study_name=plan.method.name, direction="maximize", load_if_exists=True
            ),
        )
        for request, plan in zip(requests, plans, strict=True)
    ]
    path = tuning.folder / f"{stem}.json"
    for method in methods:
        _require_same_space(method)
    total = sum(method.count(tuning.trials) for method in methods)
    reporter.begin("trials", total)
    for begin in range(0, tuning.trials, ROUND):
        _round(methods, range(begin, min(begin + ROUND, tuning.trials)), tuning, engine, reporter)
        _write(path, about, methods, tuning)
        finished = sum(_finished(method) for method in methods)
        reporter.advance(finished)
        reporter.say(f"{finished} of {total} trials are done.")
    return path


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
    space = _space_json(method.space)
    if known is None:
        method.study.set_user_attr("space", space)
    elif known != space:
        raise UsageError(
            f"The search space of {method.name!r} has changed since its first trial; tune in another --out, so that "
            "all its trials are of one space."
        )


def _round(methods: Sequence[_Method], numbers: range, tuning: Tuning, engine: Engine, reporter: Reporter) -> None:
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
            study = plan_study([replace(method.request, settings={**method.request.settings, **trial.params})])
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
    """Return an open trial with its options; None where it is finished. The first is the method's own setting."""
    import optuna

    seed = int(hashlib.sha256(f"{method.name}/{number}".encode()).hexdigest()[:8], 16)
    method.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=ROUND)
    known = method.study.get_trials(deepcopy=False)
    if number < len(known):
        if known[number].state.is_finished():
            return None
        trial = optuna.Trial(method.study, known[number]._trial_id)
    else:
        trial = method.study.ask()
    for key, limits in method.space.items() if number else ():
        if limits.choices:
            trial.suggest_categorical(key, limits.choices)
        elif isinstance(limits.low, int) and isinstance(limits.high, int):
            trial.suggest_int(key, limits.low, limits.high, log=limits.log)
        else:
            trial.suggest_float(key, limits.low, limits.high, log=limits.log)
    return trial


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


def _space_json(space: Mapping[str, Range]) -> dict[str, Any]:
    return {
        key: {"choices": list(limits.choices), "source": limits.source}
        if limits.choices
        else {"low": limits.low, "high": limits.high, "log": limits.log, "source": limits.source}
        for key, limits in space.items()
    }


def _write(path: Path, about: Mapping[str, Any], methods: Sequence[_Method], tuning: Tuning) -> None:
    """Write the study's file; methods of earlier commands stay in it."""
    known = read_json(path)["methods"] if path.is_file() else {}
    found = {}
    for method in methods:
        trials = [
            {
                "number": trial.number,
                "options": trial.params,
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
            "space": _space_json(method.space),
            "trials": trials,
            "chosen": None if best is None else {k: best[k] for k in ("number", "options", "mean")},
        }
    text = json.dumps({**about, "methods": {**known, **found}}, indent=1, sort_keys=True, ensure_ascii=False)
    write_text(path, text + "\n")
