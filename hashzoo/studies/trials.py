"""The trials of one method: how they are drawn, and what they found. Optuna keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hashzoo.errors import UsageError, WorkError
from hashzoo.results.record import Record
from hashzoo.runner.plan import Plan
from hashzoo.runner.request import RunRequest
from hashzoo.specs import Range
from hashzoo.studies.setup import Setup, in_words
from hashzoo.studies.space import space_json

if TYPE_CHECKING:
    import optuna

ROUND = 10
"""Trials that are drawn from the same past; as many can be measured at a time for each method."""


def optuna_here() -> Any:
    """Return the module, quiet; WorkError where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise WorkError('Tuning needs Optuna, which is not installed; pip install "hashzoo[tune]".') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@dataclass
class MethodTrials:
    """A method that is tuned: `setup` is what its trials are made with now, `own` where its own setting lies."""

    name: str
    request: RunRequest
    plan: Plan
    space: Mapping[str, Range]
    own: Mapping[str, Any]
    setup: Setup
    study: optuna.Study
    higher: bool = True

    def count(self, trials: int) -> int:
        """Return how many trials it gets: one where there is nothing to try."""
        return trials if self.space else 1

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that were measured or failed by their setting."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]

    def best(self) -> tuple[int, float] | None:
        """Return number and mean of the best trial, of several the first; None where none was measured."""
        means = {trial.number: trial.value for trial in self.finished() if trial.user_attrs.get("values")}
        return self.better(*((number, mean) for number, mean in means.items() if mean is not None))

    def better(self, *found: tuple[int, float]) -> tuple[int, float] | None:
        """Return the better of (number, mean), by the way the metric points, and the first of equal ones."""
        sign = 1 if self.higher else -1
        return max(found, key=lambda item: (sign * item[1], -item[0]), default=None)

    def require_same(self, trials: int) -> None:
        """Note space and set-up for the first trial; a later command that would go on with others is refused."""
        known, finished = self.study.user_attrs, len(self.finished())
        if not finished:
            self.study.set_user_attr("setup", dict(self.setup))
        if "space" not in known:
            self.study.set_user_attr("space", space_json(self.space))
        elif known["space"] != space_json(self.space):
            raise UsageError(
                f"The search space of {self.name!r} has changed since its first trial; tune in another --out, so that "
                "all its trials are of one space."
            )
        if 0 < finished < self.count(trials) and (before := known.get("setup")) != self.setup:
            raise UsageError(
                f"The trials of {self.name!r} so far are of {in_words(before, self.setup)} and would go on with "
                f"{in_words(self.setup, before)}; tune in another --out, so that all its trials are of one code."
            )

    def draw(self, number: int) -> optuna.Trial | None:
        """Return an open trial with its options; None where it is finished.

        The first is the method's own setting: the sampler learns from it where it lies in the space.
        """
        import optuna

        known = self.study.get_trials(deepcopy=False)
        state = known[number].state if number < len(known) else None
        if state is not None and state.is_finished():
            return None
        if state == optuna.trial.TrialState.RUNNING:
            trial = optuna.Trial(self.study, known[number]._trial_id)
        else:
            if number == 0 and state is None:
                self.study.enqueue_trial(dict(self.own))
            trial = self.study.ask()
        for key, limits in self.space.items():
            if number == 0 and key not in self.own:
                continue
            self.study.sampler = _sampler(f"{self.name}/{number}/{key}")
            if limits.choices:
                trial.suggest_categorical(key, limits.choices)
            elif isinstance(limits.low, int) and isinstance(limits.high, int):
                trial.suggest_int(key, limits.low, limits.high, log=limits.log)
            else:
                trial.suggest_float(key, limits.low, limits.high, log=limits.log)
        return trial

    def tell(self, trial: optuna.Trial, values: Sequence[Mapping[str, Any]], fault: str) -> None:
        """Finish a trial: measured, or failed by its own setting."""
        import optuna

        trial.set_user_attr("values", list(values))
        trial.set_user_attr("error", fault)
        if fault:
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self.study.tell(trial, mean_of(values))


def options_of(trial: optuna.trial.FrozenTrial | optuna.Trial) -> dict[str, Any]:
    """Return what a trial sets; the first sets nothing."""
    return dict(trial.params) if trial.number else {}


def value_of(record: Record, metric: str) -> dict[str, Any]:
    """Return the metric of a record, of several directions their mean."""
    found = [value for name, value in record.metrics.items() if metric in (name, name.rpartition("/")[2])]
    if not found:
        raise WorkError(
            f"The metric {metric!r} was not measured; the record holds {', '.join(sorted(record.metrics))}."
        )
    return {"bits": record.bits, "seed": record.seed, "value": fmean(found)}


def mean_of(values: Sequence[Mapping[str, Any]]) -> float:
    """Return the mean over bits and seeds."""
    return fmean(value["value"] for value in values)


def _sampler(name: str) -> Any:
    """Return the sampler of one option of one trial.

    It is told all that its defaults decide by Optuna's version: options are drawn one by one, since the first trial
    may lack some, and trials of a round keep away from each other.
    """
    import optuna

    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=ROUND, multivariate=False, constant_liar=True)
