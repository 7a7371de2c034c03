"""The Slurm engine with submitit's local executor: records of a serial run, and a job that is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hashzoo_slurm.engine import SlurmEngine

from hashzoo import Outcome, Task, UsageError, WorkError, do_task
from hashzoo.plugins import registry
from hashzoo.results.record import same_result
from hashzoo.runner.devices import choose_device
from hashzoo.runner.progress import Quiet
from hashzoo.runner.request import RunRequest
from hashzoo.studies.grid import plan_study, run_study
from hashzoo.studies.local import LocalEngine

submitit: Any = pytest.importorskip("submitit", reason="submitit is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # submitit leaves its processes' pipes open


@pytest.fixture(autouse=True)
def _by_value() -> None:
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a job cannot import this file


class Told(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def requests(out: Path) -> list[RunRequest]:
    return [
        RunRequest("greedyhash", protocol="digits-1k", bits=(8,), seeds=(0,), settings={"epochs": 2}, out=out),
        RunRequest("itq", protocol="digits-1k", bits=(8,), seeds=(0,), out=out),
    ]


def dies_once(task: Task, threads: int) -> Outcome:
    marker = task.folder.parent.parent.parent / "killed"
    if task.number == 1 and not marker.exists():
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return do_task(task, threads)


def always_dies(task: Task, threads: int) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    return do_task(task, threads)


def engine(tmp_path: Path) -> SlurmEngine:
    return SlurmEngine(cluster="local", folder=str(tmp_path / "jobs"), poll=0.1)


def test_a_killed_job_costs_only_its_cell_and_the_records_are_those_of_a_serial_run(tmp_path: Path) -> None:
    jobs = engine(tmp_path)
    jobs.work = dies_once
    told = Told()
    records, failed = run_study(plan_study(requests(tmp_path / "slurm")), jobs, told)
    assert len([line for line in told.lines if "was lost; it is submitted once more" in line]) == 1
    assert (tmp_path / "slurm" / "killed").exists()
    assert failed == []
    serial, _ = run_study(plan_study(requests(tmp_path / "serial")), LocalEngine())
    assert len(records) == len(serial) == 2
    assert all(same_result(one, two) for one, two in zip(records, serial, strict=True))


@dataclass(frozen=True)
class Warned:
    """Work that Slurm warns of its end the first time."""

    marker: Path
    label: str = "a cell"
    device: str = "cpu"

    def do(self, threads: int, wait: bool) -> None:
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(30)


@pytest.mark.parametrize("minutes", [5, 120])  # of the first submitit says that time ran out, of the second preempted
def test_a_job_that_slurm_warns_was_lost_and_is_submitted_again(minutes: int, tmp_path: Path) -> None:
    jobs = SlurmEngine(cluster="local", folder=str(tmp_path / "jobs"), poll=0.1, minutes=minutes)
    told = Told()
    jobs.say = told.say
    (outcome,) = jobs.run([Task(0, Warned(tmp_path / "warned"), tmp_path / "cell")])  # type: ignore[arg-type] # a test's request
    assert outcome.error == ""
    assert [line.partition(": its job")[0] for line in told.lines] == ["a cell"]


def test_a_job_that_is_always_lost_fails_alone(tmp_path: Path) -> None:
    jobs = engine(tmp_path)
    jobs.work = always_dies
    records, failed = run_study(plan_study(requests(tmp_path)[1:]), jobs, keep_going=True)
    assert records == []
    assert "lost 2 times; its log is" in failed[0][1]


def test_the_engine_is_registered_and_checks_its_options(tmp_path: Path) -> None:
    assert isinstance(registry().build("engines", "slurm", options={"cluster": "local"}), SlurmEngine)
    for wrong in ({"cluster": "pbs"}, {"cpus": 0}):
        with pytest.raises(UsageError, match="slurm"):
            SlurmEngine(**wrong)  # type: ignore[arg-type] # wrong on purpose


def test_without_slurm_the_engine_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(WorkError, match="There is no Slurm here"):
        list(SlurmEngine(folder=str(tmp_path)).run([Task(0, RunRequest("lsh"), tmp_path)]))


def test_what_sbatch_refuses_is_said_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Executor:
        def submit(self, work: object, task: Task, threads: int) -> None:
            raise submitit.core.utils.FailedJobError("sbatch: warning: late\nsbatch: error: invalid partition: gpuu\n")

    monkeypatch.setattr(SlurmEngine, "_executor", lambda self, gpus: Executor())
    with pytest.raises(WorkError, match=r"did not take the job of lsh .*seed 0: error: invalid partition: gpuu\."):
        run_study(plan_study([RunRequest("lsh", protocol="digits-1k", bits=(8,), out=tmp_path)]), SlurmEngine())


def test_nothing_to_do_needs_no_slurm(tmp_path: Path) -> None:
    assert list(SlurmEngine().run([])) == []


def test_jobs_get_a_gpu_where_they_ask_for_one(tmp_path: Path) -> None:
    tasks = [Task(0, RunRequest("lsh", device="cuda"), tmp_path)]
    assert [SlurmEngine(gpus=n)._gpus(tasks) for n in (-1, 0, 2)] == [1, 0, 2]


def test_a_job_computes_on_the_gpu_that_it_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Task] = []

    class Executor:
        def submit(self, work: object, task: Task, threads: int) -> None:
            seen.append(task)
            raise KeyboardInterrupt

    monkeypatch.setattr(SlurmEngine, "_executor", lambda self, gpus: Executor())
    for device in ("cuda:1", "auto"):
        with pytest.raises(KeyboardInterrupt):
            list(SlurmEngine().run([Task(0, RunRequest("lsh", device=device), tmp_path)]))
    assert seen[0].device == "cuda"  # a job sees its own GPU alone
    assert seen[1].device == choose_device("auto")
