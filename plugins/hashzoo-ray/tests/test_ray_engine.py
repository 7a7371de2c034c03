"""A local Ray cluster of two nodes does a study while one of its workers is killed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hashzoo_ray.engine import RayEngine, work

from hashzoo import Outcome, Task, UsageError
from hashzoo.plugins import registry
from hashzoo.results.record import same_result
from hashzoo.runner.request import RunRequest
from hashzoo.studies.grid import plan_study, run_study
from hashzoo.studies.local import LocalEngine

ray: Any = pytest.importorskip("ray", reason="Ray is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # Ray leaves sockets open and warns of its own future


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    started.add_node(num_cpus=1)
    ray.init(address=started.address, log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield started
    ray.shutdown()
    started.shutdown()


def dies_once(task: Task, variables: Mapping[str, str], folder: str, threads: int) -> Outcome:
    """Kill the worker by SIGKILL in the middle of the second task, once: after 1.5 s, or at a checkpoint."""
    marker = task.folder.parent.parent.parent / "killed"

    def watch() -> None:
        while not task.folder.exists():
            time.sleep(0.001)
        latest = time.monotonic() + 1.5
        while not (task.folder / "checkpoint" / "last.safetensors").exists() and time.monotonic() < latest:
            time.sleep(0.001)
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)

    if task.number == 1 and not marker.exists():
        threading.Thread(target=watch, daemon=True).start()
    return work(task, variables, folder, threads)


def requests(out: Path) -> list[RunRequest]:
    return [
        RunRequest("greedyhash", protocol="digits-1k", bits=(8,), seeds=(0, 1), settings={"epochs": 40}, out=out),
        RunRequest("itq", protocol="digits-1k", bits=(8,), seeds=(0,), out=out),
    ]


def test_a_killed_worker_costs_only_its_cell_and_the_records_are_those_of_a_serial_run(
    cluster: Any, tmp_path: Path
) -> None:
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2
    engine = RayEngine()
    engine.work = dies_once
    records, failed = run_study(plan_study(requests(tmp_path / "ray")), engine)
    assert (tmp_path / "ray" / "killed").exists()
    assert failed == []
    serial, _ = run_study(plan_study(requests(tmp_path / "serial")), LocalEngine())
    assert len(records) == len(serial) == 3
    assert all(same_result(one, two) for one, two in zip(records, serial, strict=True))


def always_dies(task: Task, variables: Mapping[str, str], folder: str, threads: int) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    return work(task, variables, folder, threads)


def test_a_cell_that_always_loses_its_worker_fails_alone(cluster: Any, tmp_path: Path) -> None:
    engine = RayEngine(tries=2)
    engine.work = always_dies
    records, failed = run_study(plan_study(requests(tmp_path)[1:]), engine, keep_going=True)
    assert records == []
    assert "lost 2 times" in failed[0][1]


def test_what_fails_in_a_cell_is_its_outcome(cluster: Any, tmp_path: Path) -> None:
    request = RunRequest("lsh", dataset="arrays", settings={"data.path": "none.npz"}, bits=(8,), out=tmp_path)
    _, failed = run_study(plan_study([request]), RayEngine(), keep_going=True)
    assert "none.npz" in failed[0][1]


def test_the_engine_is_registered_and_checks_its_options() -> None:
    assert isinstance(registry().build("engines", "ray", options={"cpus": 2}), RayEngine)
    with pytest.raises(UsageError, match="cpus above 0"):
        RayEngine(cpus=0)


def test_a_cell_gets_a_gpu_where_it_asks_for_one(tmp_path: Path) -> None:
    on_cpu = Task(0, RunRequest("lsh"), tmp_path)
    on_gpu = Task(0, RunRequest("lsh", device="cuda:1"), tmp_path)
    assert [RayEngine().gpus_of(task) for task in (on_cpu, on_gpu)] == [0.0, 1.0]
    assert RayEngine(gpus=0.5).gpus_of(on_gpu) == 0.5
