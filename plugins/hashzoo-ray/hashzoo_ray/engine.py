"""The engine of a Ray cluster: each task is one of Ray's; one that loses its worker or node is given to another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hashzoo import Outcome, Task, UsageError, WorkError, do_task, placed

PASSED_ON = ("HASHZOO_DATA", "HASHZOO_CACHE", "HASHZOO_PLUGINS", "HF_HOME", "HF_HUB_OFFLINE", "NUMBA_NUM_THREADS")
"""Variables of this process that the workers get, where they are set."""

Work = Callable[[Task, Mapping[str, str], str, int], Outcome]


class RayEngine:
    """Does each cell, or part of an evaluation, as a Ray task; records and figures are those of a serial run.

    A cell has as many torch threads as here, a part as many threads as `cpus`. The folders of run directories, of
    counts and of the files that are evaluated must be ones that all nodes see. Frozen features are computed once for
    each cache folder (HASHZOO_CACHE): the first cell makes them while the others wait, so once for each node, or once
    in all where the nodes share it. A cell that loses its worker or its node resumes on another.

    Options:
        address: the cluster's address; "auto" finds a running one, "local" starts one on this machine.
        cpus: cores of a task; 1 unless given.
        gpus: GPUs of a task, 0.5 lets two share one; -1: one with --device cuda or --kernel torch:cuda, else none,
            where --device auto means what it does on this machine.
        tries: how often a task may lose its worker before it counts as failed; 3 unless given.
    """

    def __init__(self, address: str = "auto", cpus: float = 1.0, gpus: float = -1.0, tries: int = 3) -> None:
        if cpus <= 0 or tries < 1:
            raise UsageError(f"ray needs cpus above 0 and at least 1 try; got cpus={cpus!r}, tries={tries!r}.")
        self.address, self.cpus, self.gpus, self.tries = address, cpus, gpus, tries
        self.work: Work = work
        self.say: Callable[[str], None] = print_nothing

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task as it ends."""
        ray = _ray()
        import torch

        started = not ray.is_initialized()
        if started:
            self._connect(ray)
        shared = (
            {"NUMBA_NUM_THREADS": str(max(1, int(self.cpus)))}  # else counting takes every core of a node
            | {name: os.environ[name] for name in PASSED_ON if name in os.environ},
            str(Path.cwd()),
            torch.get_num_threads(),
        )
        remote = ray.remote(max_retries=0)(self.work)
        running: dict[Any, tuple[Task, int]] = {}

        def submit(task: Task, attempt: int) -> None:
            options = {"num_cpus": self.cpus, "num_gpus": self.gpus_of(task), "name": task.label}
            running[remote.options(**options).remote(task, *shared)] = (task, attempt)

        try:
            for task in map(placed, tasks):
                submit(task, 1)
            if running:
                self.say(f"{len(running)} {kind_of(tasks)} submitted, waiting for workers.")
            while running:
                (ready,), _ = ray.wait(list(running), num_returns=1)
                task, attempt = running.pop(ready)
                try:
                    outcome: Outcome = ray.get(ready)
                except ray.exceptions.RayTaskError as error:  # a task's own code cannot raise; this is ours
                    outcome = Outcome(task.number, f"the worker failed: {str(error).splitlines()[-1]}")
                except ray.exceptions.RayError as error:  # the worker was killed, or its node is gone
                    why = " ".join(str(error).split())[:200]
                    if attempt < self.tries:
                        self.say(f"{task.label}: its worker was lost ({why}); it is given to another.")
                        submit(task, attempt + 1)
                        continue
                    outcome = Outcome(task.number, f"its worker was lost {self.tries} times; the last time: {why}")
                yield outcome
        finally:
            for reference in running:
                with suppress(ray.exceptions.RayError):
                    ray.cancel(reference, force=True)
            if started:
                ray.shutdown()

    def gpus_of(self, task: Task) -> float:
        """Return how many GPUs a task gets."""
        return self.gpus if self.gpus >= 0 else float(task.device.startswith("cuda"))

    def _connect(self, ray: Any) -> None:
        if self.address == "local":  # else its workers yield to all others (15): on a busy machine they stand still
            os.environ.setdefault("RAY_worker_niceness", "0")
        try:
            ray.init(address=self.address, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise WorkError(
                f"No Ray cluster answers at {self.address!r} ({str(error).splitlines()[0]}); start one with ray start "
                "--head, or use --engine ray:address=local."
            ) from error


def work(task: Task, variables: Mapping[str, str], folder: str, threads: int) -> Outcome:
    """Do one task in a worker, with the variables and the folder of the process that asked for it."""
    os.environ.update(variables)
    with suppress(OSError):
        os.chdir(folder)
    return do_task(task, threads)


def kind_of(tasks: Sequence[Task]) -> str:
    """Return what tasks are called: "cells" or "parts"."""
    return "cells" if all(hasattr(task, "method") for task in tasks) else "parts"


def print_nothing(text: str) -> None:
    """Print nothing; a study sets `say` to what prints a line."""


def _ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise WorkError("The engine ray needs Ray, which is not installed; pip install ray.") from None
    return ray
