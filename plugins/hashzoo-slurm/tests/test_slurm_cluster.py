"""A real Slurm of one node, where its programs and munge are installed: its jobs, and one that is killed."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hashzoo_slurm.engine import SlurmEngine

from hashzoo import Outcome, Task, do_task
from hashzoo.results.record import same_result
from hashzoo.runner.request import RunRequest
from hashzoo.studies.grid import plan_study, run_study
from hashzoo.studies.local import LocalEngine

submitit: Any = pytest.importorskip("submitit", reason="submitit is not installed")

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun")
CONFIGURATION = """
ClusterName=hashzoo
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
"""No accounting: such a cluster has no sacct, and a lost job is told from the queue alone."""


def program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


@pytest.fixture(scope="module")
def slurm() -> Iterator[None]:
    """Start munged, slurmctld and slurmd in a folder of their own and stop them in the end."""
    missing = [name for name in PROGRAMS if program(name) is None]
    if missing:
        pytest.skip(f"Slurm is not installed here: there is no {', '.join(missing)}.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir()
        (folder / "munge" / "key").write_bytes(os.urandom(1024))
        (folder / "munge" / "key").chmod(0o400)
        ports = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in ports:
            one.bind(("127.0.0.1", 0))
        text = CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0],
            user=getpass.getuser(),
            folder=folder,
            cores=os.cpu_count(),
            ports=[one.getsockname()[1] for one in ports],
        )
        for one in ports:
            one.close()
        (folder / "slurm.conf").write_text(text)
        munge = folder / "munge"
        own = [f"--{what}={munge / what}" for what in ("key-file", "socket", "pid-file", "log-file", "seed-file")]
        own[0] = f"--key-file={munge / 'key'}"
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        log = stack.enter_context((folder / "log").open("w"))
        for command in (["munged", "--foreground", "--force", *own], ["slurmctld", "-D"], ["slurmd", "-D"]):
            started = subprocess.Popen([program(command[0]) or "", *command[1:]], stdout=log, stderr=log)
            stack.callback(stop, started)
            if command[0] == "munged":
                until(lambda: (munge / "socket").exists(), folder)
        until(lambda: "idle" in seen("sinfo", "--noheader", "--format=%T"), folder)
        yield


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def seen(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240).stdout


def until(ready: Any, folder: Path) -> None:
    """Wait until Slurm has got so far; a machine that does not let it run skips the tests and says why."""
    latest = time.monotonic() + 30
    while not ready():
        if time.monotonic() > latest:
            lines = (folder / "log").read_text(errors="replace").splitlines()
            pytest.skip(f"Slurm is installed and does not start here: {' '.join(lines[-3:])}")
        time.sleep(0.1)


@pytest.fixture(autouse=True)
def _by_value() -> None:
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a job cannot import this file


def dies_once(task: Task, threads: int) -> Outcome:
    marker = task.folder.parent.parent.parent / "killed"
    if task.number == 1 and not marker.exists():
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return do_task(task, threads)


def requests(out: Path) -> list[RunRequest]:
    return [RunRequest("itq", protocol="digits-1k", bits=(8, 16), out=out)]


def test_jobs_of_slurm_one_of_them_killed_give_the_records_of_a_serial_run(slurm: None, tmp_path: Path) -> None:
    engine = SlurmEngine(folder=str(tmp_path / "jobs"), poll=0.1, minutes=5)
    engine.work = dies_once
    records, failed = run_study(plan_study(requests(tmp_path / "slurm")), engine)
    assert (tmp_path / "slurm" / "killed").exists()
    assert failed == []
    assert len(list((tmp_path / "jobs").glob("*_submission.sh"))) == 3  # two cells, one of them twice
    serial, _ = run_study(plan_study(requests(tmp_path / "serial")), LocalEngine())
    assert len(records) == len(serial) == 2
    assert all(same_result(one, two) for one, two in zip(records, serial, strict=True))
