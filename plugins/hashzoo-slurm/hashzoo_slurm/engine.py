"""The engine of a Slurm cluster: each task is a job of submitit; a job that is lost is submitted again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hashzoo import Outcome, Task, UsageError, WorkError, do_task, placed

TRIES = 2
"""How often a job is submitted; one that is lost (killed, out of memory, a node that fails) resumes in the next."""

QUEUE_EVERY = 6
"""Every so many looks at the result files squeue is asked, once for all jobs."""


class SlurmEngine:
    """Does each cell, or part of an evaluation, as a job; records and figures are those of a serial run.

    A cell has as many torch threads as here. The folders of run directories, data, counts and job files must be ones
    that all nodes see. Jobs inherit the environment of
    this process, as sbatch passes it on.

    Options:
        jobs: jobs in the queue at a time; 0: all (with cluster=local: 2).
        partition: Slurm's partition; the cluster's default unless given.
        cpus: cores of a job; 1 unless given.
        gpus: GPUs of a job; -1: one with --device cuda or --kernel torch:cuda, else none; --device auto
            means what it does on this machine.
        minutes: longest time of a job; 120 unless given.
        memory: memory of a job in GB; 0: the cluster's default.
        folder: where job files and logs are kept; "slurm-jobs" unless given.
        cluster: "slurm", or "local" for processes of this machine, as a trial.
        poll: seconds between two looks at the jobs; 5 unless given.
    """

    def __init__(
        self,
        jobs: int = 0,
        partition: str = "",
        cpus: int = 1,
        gpus: int = -1,
        minutes: int = 120,
        memory: float = 0.0,
        folder: str = "slurm-jobs",
        cluster: str = "slurm",
        poll: float = 5.0,
    ) -> None:
        if cluster not in ("slurm", "local"):
            raise UsageError(f"The engine slurm takes cluster=slurm or cluster=local; got {cluster!r}.")
        if jobs < 0 or cpus < 1 or minutes < 1 or memory < 0 or poll <= 0:
            raise UsageError(
                "slurm needs cpus and minutes of at least 1, jobs and memory of at least 0 and poll above 0; got "
                f"cpus={cpus!r}, minutes={minutes!r}, jobs={jobs!r}, memory={memory!r}, poll={poll!r}."
            )
        self.jobs = jobs or (2 if cluster == "local" else 0)
        self.partition, self.cpus, self.gpus, self.minutes, self.memory = partition, cpus, gpus, minutes, memory
        self.folder, self.cluster, self.poll = Path(folder), cluster, poll
        self.work: Callable[[Task, int], Outcome] = do_or_die
        self.say: Callable[[str], None] = print_nothing

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task as it ends."""
        if not tasks:
            return
        tasks = [placed(task) for task in tasks]
        executor = self._executor(self._gpus(tasks))
        import torch

        threads = torch.get_num_threads()
        waiting = deque((task, 1) for task in tasks)
        running: dict[Any, tuple[Task, int]] = {}
        queue = _Queue(self.cluster)
        try:
            while waiting or running:
                while waiting and (not self.jobs or len(running) < self.jobs):
                    task, attempt = waiting.popleft()
                    running[_submit(executor, self.work, task, threads)] = (task, attempt)
                ended = queue.ended(list(running))
                for job, whole in ended:
                    task, attempt = running.pop(job)
                    outcome = _outcome(job, task) if whole else None
                    if outcome is None and attempt < TRIES:
                        self.say(f"{task.label}: its job {job.job_id} was lost; it is submitted once more.")
                        waiting.append((task, attempt + 1))
                        continue
                    yield outcome or Outcome(
                        task.number,
                        f"its job was lost {TRIES} times; its log is {job.paths.stderr}; where time ran out, give more "
                        "minutes",
                    )
                if not ended:
                    time.sleep(self.poll)
        finally:
            for job in running:
                with suppress(Exception):  # the study ends for another reason, which is the one to be told
                    job.cancel()

    def _gpus(self, tasks: Sequence[Task]) -> int:
        return self.gpus if self.gpus >= 0 else int(any(task.device.startswith("cuda") for task in tasks))

    def _executor(self, gpus: int) -> Any:
        try:
            import submitit
        except ImportError:
            raise WorkError("The engine slurm needs submitit, which is not installed; pip install submitit.") from None
        try:
            executor = submitit.AutoExecutor(folder=self.folder.absolute(), cluster=self.cluster)
        except RuntimeError as error:
            raise WorkError(
                f"There is no Slurm here ({error}); start hashzoo on a node that has sbatch, or try "
                "--engine slurm:cluster=local."
            ) from error
        limits: dict[str, Any] = {"name": "hashzoo", "timeout_min": self.minutes, "cpus_per_task": self.cpus}
        if gpus:
            limits["gpus_per_node"] = gpus
        if self.memory:
            limits["mem_gb"] = self.memory
        if self.partition and self.cluster == "slurm":
            limits["slurm_partition"] = self.partition
        executor.update_parameters(**limits)
        return executor


class _Queue:
    """Which jobs have ended, told from their result files and from squeue.

    Not from sacct, which submitit asks: a cluster without accounting has none, and a job that was killed there would
    be waited for without an end; where there is one, submitit asks it ever less often.
    """

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.looks = 0
        self.silent: set[str] = set()

    def ended(self, jobs: Sequence[Any]) -> list[tuple[Any, bool]]:
        """Return the jobs that have ended, and of each whether it says how; one that does not was lost."""
        if self.cluster == "local":
            return [(job, job.paths.result_pickle.exists()) for job in jobs if job.done()]
        if jobs:
            folder = jobs[0].paths.folder
            with suppress(OSError):
                folder.chmod(folder.stat().st_mode)  # a network file system then looks at the folder again
        found = [(job, True) for job in jobs if job.paths.result_pickle.exists()]
        self.looks += 1
        there = queued() if self.looks % QUEUE_EVERY == 0 else None
        if there is not None:
            silent = {str(job.job_id) for job in jobs} - {str(job.job_id) for job, _ in found} - there
            lost = silent & self.silent  # missing for the second time: a file may come later than the end of its job
            found += [(job, False) for job in jobs if str(job.job_id) in lost]
            self.silent = silent
        return found


def queued() -> set[str] | None:
    """Return the ids of this user's jobs in the queue; None where squeue does not answer."""
    command = ["squeue", "--noheader", "--format=%A", f"--user={os.getuid()}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return set(done.stdout.split())


def do_or_die(task: Task, threads: int) -> Outcome:
    """Do one task in a process that the warning of Slurm ends, before time runs out or the job has to make room.

    submitit turns that signal into an error inside the task, which would then have failed; a job without an outcome was
    lost, is submitted again and goes on from its checkpoint.
    """
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    return do_task(task, threads)


def print_nothing(text: str) -> None:
    """Print nothing; a study sets `say` to what prints a line."""


def _submit(executor: Any, work: Callable[[Task, int], Outcome], task: Task, threads: int) -> Any:
    """Return the job of a task; WorkError with the words of sbatch where it takes none."""
    from submitit.core.utils import FailedJobError

    try:
        return executor.submit(work, task, threads)
    except FailedJobError as error:
        said = (str(error).strip().splitlines() or ["it gave no reason"])[-1].rstrip(".").removeprefix("sbatch: ")
        raise WorkError(
            f"sbatch did not take the job of {task.label}: {said}. Change what --engine asks for (partition, cpus, "
            "gpus, minutes, memory); what was finished is kept, and the same command goes on."
        ) from error


def _outcome(job: Any, task: Task) -> Outcome | None:
    """Return what a job that has ended gave; None where it was lost before it could say."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        outcome: Outcome = job.result()
    except UncompletedJobError:
        return None
    except FailedJobError as error:
        return Outcome(task.number, f"its job failed: {str(error).strip().splitlines()[-1]}")
    return outcome
