"""A task that any process can do, and what came of it: a cell of a study, or a part of a database to be counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from hashzoo.runner.request import RunRequest


class Work(Protocol):
    """What a task is to do, and that does it: the run of one cell, or the counts of one part of a database."""

    @property
    def label(self) -> str:
        """The work in words."""

    @property
    def device(self) -> str:
        """Where it computes; "cuda" and "cuda:1" ask for a GPU."""

    def do(self, threads: int = 0, wait: bool = True) -> None:
        """Do it in this process and leave its file; what fails is raised.

        Without `wait`, a file that another process is making is not waited for: BusyError.
        """


@dataclass(frozen=True)
class Task:
    """One piece of work; `number` is its place among its study's, `folder` that of what it leaves.

    `request` knows how to do it: a run of one cell, or the counts of one part of a database; engines need not tell
    them apart. Tasks can be pickled, and `do_task` does one in any process. Without `wait`, one that another process
    is doing is not waited for: its outcome says that it is busy.
    """

    number: int
    request: Work
    folder: Path
    wait: bool = field(default=True, kw_only=True)

    @property
    def label(self) -> str:
        """The task in words."""
        return self.request.label

    @property
    def device(self) -> str:
        """Where the task computes, as `--device` has it; "cuda" and "cuda:1" ask for a GPU."""
        return self.request.device


@dataclass(frozen=True)
class CellTask(Task):
    """A task whose work is one (method, protocol, bits, seed).

    `method` and `protocol` are called as in records, whatever name the request has for them.
    """

    request: RunRequest
    method: str = field(default="", kw_only=True)
    protocol: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Outcome:
    """What came of a task: `error` is "" where what it should leave stands in its folder.

    `busy`: another process is doing the task, which was not waited for; its study asks again. `fault`: what of the
    task's own setting made it fail, without places and advice; "" where the setting is not to blame, so that the same
    task may succeed another time.
    """

    number: int
    error: str = ""
    seconds: float = 0.0
    busy: bool = False
    fault: str = ""


class Engine(Protocol):
    """What an engine component builds.

    Where it has an attribute `say`, a study sets it to a function that prints one line, for what is worth knowing
    before a task ends: a lost worker, a queue.
    """

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Do the tasks, in any order, and yield the outcome of each as it ends; a failed task stops no other."""


def outcomes(engine: Engine, tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Yield the outcomes of tasks as they end, and of those that an engine leaves out that it gave none."""
    left = {task.number for task in tasks}
    for outcome in engine.run(tasks):
        left.discard(outcome.number)
        yield outcome
    for number in sorted(left):
        yield Outcome(number, "The engine gave no outcome of it.")


def let_speak(engine: Engine, say: Callable[[str], None]) -> None:
    """Hand `say`, which prints a line, to an engine that has something to say before its tasks end."""
    if hasattr(engine, "say"):
        engine.say = say


def silence(text: str) -> None:
    """Print nothing: what an engine says to nobody."""


def do_task(task: Task, threads: int = 0) -> Outcome:
    """Do one task in this process; whatever fails becomes the outcome's error.

    `threads`: how many torch may use here, where the process was started with another number than the study's own.
    """
    from hashzoo.errors import BusyError, HashzooError

    begin = time.perf_counter()
    try:
        task.request.do(threads, task.wait)
    except BusyError:
        return Outcome(task.number, "", time.perf_counter() - begin, busy=True)
    except HashzooError as error:
        return Outcome(task.number, str(error), time.perf_counter() - begin, fault=_fault_of(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 -- a plugin may raise anything, SystemExit too; the others go on
        from hashzoo.plugins import registry
        from hashzoo.plugins.blame import blamed, keep_traceback

        known = blamed(error, registry().plugins)
        text = str(known) if known else f"{type(error).__name__}: {error} (traceback in {keep_traceback(error)})"
        return Outcome(task.number, text, time.perf_counter() - begin, fault=_fault_of(error))
    return Outcome(task.number, "", time.perf_counter() - begin)


LINEAR_ALGEBRA = ("LinAlgError", "_LinAlgError")
"""Errors of NumPy and torch about matrices that have no inverse, or whose eigenvalues are not found."""


def _fault_of(error: BaseException) -> str:
    """Return what of a setting made a task fail: values that are not finite, or a refused option; "": none of these."""
    from hashzoo.errors import DivergedError, RefusedOptionError
    from hashzoo.plugins.troubles import one_line

    if isinstance(error, DivergedError):
        return f"{error.fault}."
    if isinstance(error, RefusedOptionError):
        return str(error)
    if isinstance(error, ArithmeticError) or type(error).__name__ in LINEAR_ALGEBRA:
        return f"{type(error).__name__.lstrip('_')}: {one_line(error)}"
    return ""


def placed(task: Task) -> Task:
    """Return a task as an engine hands it to a machine that the engine chooses.

    `auto` is the device that it is on the machine that asks, so that cells do not depend on where they are done; and a
    GPU is the one that the engine gives the task, whatever its number here.
    """
    request: Any = task.request
    if isinstance(request, RunRequest) and request.device == "auto":
        from hashzoo.runner.devices import choose_device

        request = replace(request, device=choose_device("auto"))
    if request.device.startswith("cuda:"):
        request = replace(request, device="cuda")
    return task if request is task.request else replace(task, request=request)
