"""One cell of a study as a task that any process can do, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hashzoo.runner.request import RunRequest
from hashzoo.runner.shelf import Shelf


@dataclass(frozen=True)
class Task:
    """One (method, protocol, bits, seed) of a study; `number` is its place there, `folder` that of its cell."""

    number: int
    request: RunRequest
    folder: Path

    @property
    def label(self) -> str:
        """The task in words."""
        bits = f"{self.request.bits[0]} bits" if self.request.bits else "features"
        where = self.request.protocol or self.request.dataset or "the default data"
        return f"{self.request.method} on {where}, {bits}, seed {self.request.seeds[0]}"


@dataclass(frozen=True)
class Outcome:
    """What came of a task: `error` is "" where its record stands in its folder."""

    number: int
    error: str = ""
    seconds: float = 0.0


class Engine(Protocol):
    """What an engine component builds."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Do the tasks, in any order, and yield the outcome of each as it ends; a failed task stops no other."""


_shelf = Shelf()
"""What the last tasks of this process used; most often the next one uses the same."""


def do_task(task: Task, threads: int = 0) -> Outcome:
    """Do one task in this process; whatever fails becomes the outcome's error.

    `threads`: how many torch may use here, where the process was started with another number than the study's own.
    """
    from hashzoo.errors import HashzooError
    from hashzoo.runner.run import run

    begin = time.perf_counter()
    try:
        if threads:
            import torch

            torch.set_num_threads(threads)
        run(task.request, shelf=_shelf)
    except HashzooError as error:
        return Outcome(task.number, str(error), time.perf_counter() - begin)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 -- a plugin may raise anything, SystemExit too; the others go on
        from hashzoo.plugins import registry
        from hashzoo.plugins.blame import blamed, keep_traceback

        known = blamed(error, registry().plugins)
        text = str(known) if known else f"{type(error).__name__}: {error} (traceback in {keep_traceback(error)})"
        return Outcome(task.number, text, time.perf_counter() - begin)
    return Outcome(task.number, "", time.perf_counter() - begin)
