"""The engine of one machine: worker processes that each do one cell after the other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from hashzoo.errors import UsageError
from hashzoo.runner.shelf import OF_TASKS
from hashzoo.studies.task import Outcome, Task, do_task, silence

TRIES = 2
"""How often a task is given to a worker; a worker that is killed costs its task one of them, and the task resumes."""


class LocalEngine:
    """Does tasks in `workers` processes of this machine; with one, in this process.

    Each worker computes with as many threads as a run by itself would (one for small models), so that records do not
    depend on how many workers there are. Where a model is large, say `--threads`.

    Options:
        workers: processes at a time; 1 unless given. As many as cores is the quickest for models on frozen features.
    """

    def __init__(self, workers: int = 1) -> None:
        if workers < 1:
            raise UsageError(f"workers must be an integer of at least 1; got {workers!r}.")
        self.workers = workers
        self.say: Callable[[str], None] = silence

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task as it ends."""
        if self.workers == 1:
            try:
                yield from map(do_task, tasks)
            finally:
                OF_TASKS.clear()  # a later study of this process reads its files anew
            return
        waiting = deque((task, 1) for task in tasks)
        busy: dict[Connection, tuple[BaseProcess, Task, int]] = {}
        idle: list[tuple[Connection, BaseProcess]] = []
        try:
            while waiting or busy:
                while waiting and len(busy) < self.workers:
                    task, attempt = waiting.popleft()
                    pipe, process = idle.pop() if idle else _start()
                    busy[pipe] = (process, task, attempt)
                    try:
                        pipe.send(task)
                    except OSError:  # it was killed while it had nothing to do
                        waiting.appendleft((task, attempt))
                        del busy[pipe]
                        process.join()
                for ready in wait(list(busy)):
                    assert isinstance(ready, Connection)  # nothing else is waited for
                    process, task, attempt = busy.pop(ready)
                    try:
                        outcome: Outcome = ready.recv()
                    except (EOFError, OSError):  # the worker was killed, or ended itself
                        process.join()
                        ended = f"its process ended with exit code {process.exitcode}"
                        if attempt < TRIES:
                            self.say(f"{task.label}: {ended}; it is tried once more and goes on from its checkpoint.")
                            waiting.append((task, attempt + 1))
                        else:
                            yield Outcome(task.number, f"{ended}, twice{_hint(process.exitcode)}.")
                        continue
                    idle.append((ready, process))
                    yield outcome
        finally:
            for _, process in [*idle, *((pipe, entry[0]) for pipe, entry in busy.items())]:
                process.terminate()
                process.join()


def _hint(code: int | None) -> str:
    """Return what a process that was killed from outside may have lacked."""
    if code != -signal.SIGKILL:
        return ""
    return "; a system that runs out of memory ends processes so: give fewer workers, or a smaller batch_size"


def _start() -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _work(pipe: Connection) -> None:
    """Do tasks until there are none. Counting is split into one thread a worker: its sums do not depend on that.

    Standard output is the command's own; what is printed here goes to standard error.
    """
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError), redirect_stdout(sys.stderr):
        while True:
            pipe.send(do_task(pipe.recv()))
