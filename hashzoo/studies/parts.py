"""One evaluation in parts that an engine counts: resumed, merged, and equal to that of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.counting.parts import Part
from hashzoo.evaluation.files import Whole
from hashzoo.runner.parts import PartRequest, part_requests
from hashzoo.runner.progress import Quiet, Reporter
from hashzoo.runner.reevaluate import check_parts, evaluate_parts
from hashzoo.studies.task import Engine, Task, let_speak, outcomes

FOLDER = Path("parts")
"""Where the counts of parts are kept unless another folder is given."""


def evaluate_in_parts(
    parts: int,
    metrics: Sequence[str] | None,
    options: Mapping[str, Any],
    engine: Engine,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Return {metric: value} of two code files, counted by an engine in `parts` parts; equal to that of the whole.

    options: as the command line's; `output` is the folder of counts, which all machines see. A part whose file is
    there and whole is not counted again. A part that fails stops no other; WorkError says so in the end.
    """
    reporter = reporter or Quiet()
    let_speak(engine, reporter.say)
    whole = check_parts(parts, metrics, options)
    requests = part_requests(parts, options.get("output") or FOLDER, options)
    folder = requests[0].output.parent
    _make(folder)
    tasks = [Task(number, request, folder) for number, request in enumerate(requests)]
    todo = [task for task, request in zip(tasks, requests, strict=True) if not request.is_counted]
    if len(todo) < parts:
        reporter.say(f"{parts - len(todo)} of {parts} parts are there already.")
    failed = _count(todo, parts, engine, reporter)
    if failed:
        one, why = failed[0]
        more = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
        raise WorkError(f"{one}: {why}{more} What was counted is kept; the same command goes on from there.")
    _require_same(requests, parts, options)
    paths = [request.output for request in requests]
    first = Part.load(paths[0])
    if Whole(first.items, first.database_sha256, first.query_sha256) != whole:
        raise WorkError(
            f"The parts in {folder} are not of the files that are seen here: the machines that counted them have other "
            "files under the same names; put the files into a folder that all of them see, and repeat the command."
        )
    result = evaluate_parts(paths, metrics, options)
    reporter.say(f"The counts of the parts are in {folder}; other metrics are taken from them without counting again.")
    return result


def _count(todo: Sequence[Task], parts: int, engine: Engine, reporter: Reporter) -> list[tuple[str, str]]:
    """Count the parts and return (part, reason) of those that failed."""
    failed = []
    reporter.begin("count parts", len(todo))
    by_number = {task.number: task for task in todo}
    for done, outcome in enumerate(outcomes(engine, todo) if todo else (), start=1):
        label = by_number[outcome.number].label
        reporter.advance(done, label)
        what = f"failed ({outcome.error})" if outcome.error else f"counted ({outcome.seconds:.1f} s)"
        reporter.say(f"{label} {what}")
        if outcome.error:
            failed.append((label, outcome.error))
    return failed


def _require_same(requests: Sequence[PartRequest], parts: int, options: Mapping[str, Any]) -> None:
    folder = requests[0].output.parent
    if part_requests(parts, options.get("output") or FOLDER, options)[0].output.parent != folder:
        raise WorkError("The files were changed while they were counted; repeat the command.")
    missing = [request.label for request in requests if not request.output.is_file()]
    if missing:
        raise WorkError(
            f"{missing[0]} was counted and its file is not in {folder}: the machine that counted it sees another "
            "folder there; give one that all of them see with -o FOLDER."
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(
            f"{folder} cannot be made, since a file is in its way; give a folder with -o FOLDER."
        ) from None
    except OSError as error:
        raise WorkError(
            f"{folder} cannot be made: {error.strerror}; give another folder with -o FOLDER for the counts of parts."
        ) from error
