"""The check of engines: every task has one outcome, whatever becomes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hashzoo.errors import HashzooError
from hashzoo.plugins import registry
from hashzoo.runner.request import RunRequest
from hashzoo.studies.grid import plan_study
from hashzoo.studies.task import CellTask, Engine, Outcome
from hashzoo.testing.kit import Case, CheckFailed, NotApplicable, check, require, said


@check("engines")
def every_task_has_an_outcome(case: Case) -> None:
    """No task is a study too; a task leaves its record; one that fails is named in its outcome and stops no other."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        tasks = plan_study(
            [
                RunRequest("random", protocol="digits-1k", bits=(8,), seeds=(0, 1), device="cpu", out=out),
                RunRequest(
                    "lsh", dataset="arrays", bits=(8,), settings={"data.path": str(out / "none.npz")}, device="cpu",
                    out=out,
                ),
            ]
        ).tasks  # fmt: skip
        engine: Engine = registry().build("engines", case.name)
        try:
            first = _outcomes(engine, tasks[:1])
        except HashzooError as error:
            raise NotApplicable(f"it cannot do tasks here ({error})") from None
        _require_done(first, tasks[:1])
        try:
            require(not _outcomes(engine, []), "Without tasks the engine yields outcomes.")
            found = _outcomes(engine, tasks[::-1])
        except CheckFailed:
            raise
        except Exception as error:
            raise CheckFailed(
                f"The engine raises where a task fails, or where there is none: {said(error)}; put what went wrong "
                "into Outcome.error, and yield nothing for no tasks."
            ) from error
        _require_done(found, tasks)


def _outcomes(engine: Engine, tasks: Sequence[CellTask]) -> list[Outcome]:
    return list(engine.run(tasks))


def _require_done(found: Sequence[Outcome], tasks: Sequence[CellTask]) -> None:
    numbers = sorted(outcome.number for outcome in found)
    wanted = [task.number for task in tasks]
    require(
        numbers == wanted,
        f"Tasks {wanted} have outcomes of {numbers}; an engine yields one outcome for each task, under its number.",
    )
    errors = {outcome.number: outcome.error for outcome in found}
    for task in tasks:
        record = task.folder / "record.json"
        if task.request.dataset == "arrays":
            require(
                "none.npz" in errors[task.number],
                f"A task that fails has the outcome {errors[task.number]!r}; do_task says what went wrong, hand it on.",
            )
        else:
            require(not errors[task.number], f"A plain task fails: {errors[task.number]}.")
            require(record.is_file(), "A task without an error left no record in its folder.")
