"""A local Ray cluster of two nodes does studies and parts while it loses a worker or a whole node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hashzoo_ray.engine import RayEngine, work

from hashzoo import Outcome, Task, UsageError
from hashzoo.plugins import registry
from hashzoo.results.record import same_result
from hashzoo.runner.progress import Quiet
from hashzoo.runner.reevaluate import evaluate_files
from hashzoo.runner.request import RunRequest
from hashzoo.studies.grid import plan_study, run_study
from hashzoo.studies.local import LocalEngine
from hashzoo.studies.parts import evaluate_in_parts

ray: Any = pytest.importorskip("ray", reason="Ray is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # Ray leaves sockets open and warns of its own future


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster of two nodes; one at a time on this machine, since half a minute is all that Ray gives a node."""
    from ray.cluster_utils import Cluster

    # Ray's workers are told to yield to all others (15), which on a busy machine leaves them next to nothing, and its
    # monitor kills workers where the whole machine is short of memory, whoever takes it
    os.environ.update(
        RAY_ENABLE_UV_RUN_RUNTIME_ENV="0", RAY_worker_niceness="0", RAY_memory_monitor_refresh_ms="0",
        RAY_gcs_server_port_wait_time_s="120",
    )  # fmt: skip
    base = tmp_path_factory.getbasetemp()
    with FileLock((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "ray.lock"):
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        started.add_node(num_cpus=1)
        ray.init(address=started.address, log_to_driver=False)
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield started
        ray.shutdown()
        started.shutdown()


def at_first_checkpoint(then: Callable[[], object]) -> None:
    """In this process, have a training do something as soon as it has written the state of its first epoch."""
    from hashzoo.training.checkpoints import Checkpoints

    save = Checkpoints.save

    def save_and_then(*state: Any) -> None:
        save(*state)
        then()

    changed: Any = Checkpoints
    changed.save, changed.due = save_and_then, lambda self: True


def dies_once(task: Task, variables: Mapping[str, str], folder: str, threads: int) -> Outcome:
    """Kill the worker by SIGKILL in the middle of the second task, once."""
    marker = task.folder.parent.parent.parent / "killed"

    def die() -> None:
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)

    if task.number == 1 and not marker.exists():
        at_first_checkpoint(die)
    return work(task, variables, folder, threads)


class Told(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def requests(out: Path) -> list[RunRequest]:
    return [
        RunRequest("greedyhash", protocol="digits-1k", bits=(8,), seeds=(0, 1), settings={"epochs": 3}, out=out),
        RunRequest("itq", protocol="digits-1k", bits=(8,), seeds=(0,), out=out),
    ]


def test_a_killed_worker_costs_only_its_cell_and_the_records_are_those_of_a_serial_run(
    cluster: Any, tmp_path: Path
) -> None:
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2
    engine = RayEngine()
    engine.work = dies_once
    told = Told()
    records, failed = run_study(plan_study(requests(tmp_path / "ray")), engine, told)
    assert "3 cells submitted, waiting for workers." in told.lines
    assert len([line for line in told.lines if "its worker was lost" in line]) == 1
    assert (tmp_path / "ray" / "killed").exists()
    assert failed == []
    serial, _ = run_study(plan_study(requests(tmp_path / "serial")), LocalEngine())
    assert len(records) == len(serial) == 3
    assert all(same_result(one, two) for one, two in zip(records, serial, strict=True))


def test_a_lost_node_costs_only_its_cell_and_the_records_are_those_of_a_serial_run(
    cluster: Any, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1)
    begun = tmp_path / "begun"
    doomed = node.node_id

    def stays_behind(task: Task, variables: Mapping[str, str], folder: str, threads: int) -> Outcome:
        """On the node to be lost, stand still at the first checkpoint until it is; elsewhere begin when it stands."""
        if ray.get_runtime_context().get_node_id() == doomed:

            def stay() -> None:
                begun.write_text(task.label)
                threading.Event().wait()

            at_first_checkpoint(stay)
        else:
            until(begun.exists)
        return work(task, variables, folder, threads)

    def lose() -> None:
        try:
            until(begun.exists)
        finally:
            cluster.remove_node(node, allow_graceful=False)

    losing = threading.Thread(target=lose)
    losing.start()
    engine = RayEngine()
    engine.work = stays_behind
    asked = [
        RunRequest("greedyhash", protocol="digits-1k", bits=(8,), seeds=(0, 1, 2), settings={"epochs": 3}, out=out)
        for out in (tmp_path / "ray", tmp_path / "serial")
    ]
    records, failed = run_study(plan_study(asked[:1]), engine)
    losing.join()
    assert begun.read_text().startswith("greedyhash on digits-1k")
    assert failed == []
    serial, _ = run_study(plan_study(asked[1:]), LocalEngine())
    assert len(records) == len(serial) == 3
    assert all(same_result(one, two) for one, two in zip(records, serial, strict=True))


def until(ready: Callable[[], bool]) -> None:
    latest = time.monotonic() + 240
    while not ready():
        assert time.monotonic() < latest, "what was waited for did not come"
        time.sleep(0.01)


@contextmanager
def telling_all_drivers(text: str) -> Iterator[None]:
    """Have the cluster send an error to whoever is connected, ten times a second."""
    from ray._private.utils import publish_error_to_driver

    done = threading.Event()

    def tell() -> None:
        while not done.wait(0.1):
            publish_error_to_driver("told", text, gcs_client=ray._private.worker.global_worker.gcs_client)

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_an_address_on_the_command_line(cluster: Any, tmp_path: Path) -> None:
    """`hashzoo run` in a process of its own, which knows nothing of the cluster but its address.

    Ray tells every driver what becomes of nodes, on its standard output; that must not spoil the answer.
    """
    asked = ["run", "-m", "itq", "-p", "digits-1k", "--bits", "8", "--out", str(tmp_path), "--json", "--engine"]
    program = [sys.executable, "-m", "hashzoo", *asked, f"ray:address={cluster.address}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdout=pipe, stderr=pipe, text=True) as process, telling_all_drivers("a node died"):
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert "a node died" in err
    (record,) = json.loads(out)
    serial, _ = run_study(plan_study([RunRequest("itq", protocol="digits-1k", bits=(8,))]), LocalEngine())
    assert record["metrics"] == serial[0].metrics


def one_part_dies_once(task: Task, variables: Mapping[str, str], folder: str, threads: int) -> Outcome:
    marker = task.folder.parent / "killed"
    if task.number == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(task, variables, folder, threads)


def test_parts_of_an_evaluation_one_of_which_loses_its_worker_are_the_whole(cluster: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez("q.npz", codes=draw.integers(0, 256, (9, 2), np.uint8), labels=draw.integers(0, 4, 9))
    np.save("d.npy", draw.integers(0, 256, (203, 2), np.uint8))
    np.save("l.npy", draw.integers(0, 4, 203))
    options = dict.fromkeys(
        ("query_labels", "bits", "names", "convention", "leave_self_out", "per_query", "confidence")
    )
    options |= {"query": Path("q.npz"), "database": Path("d.npy"), "database_labels": Path("l.npy")}
    options |= {"ties": "expected", "ranking": "hamming", "kernel": "auto", "output": tmp_path / "parts"}
    engine = RayEngine()
    engine.work = one_part_dies_once
    found = evaluate_in_parts(4, ("map", "map@9"), options, engine)
    assert (tmp_path / "parts" / "killed").exists()
    whole = evaluate_files(("map", "map@9"), options)
    assert found == {key: value for key, value in whole.items() if key != "warning"}


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


@pytest.mark.parametrize(
    ("address", "own", "wanted"), [("local", None, "0"), ("local", "7", "7"), ("auto", None, None)]
)
def test_a_cluster_that_is_started_here_has_workers_that_do_not_yield(
    address: str, own: str | None, wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_worker_niceness", own or "")
    if own is None:
        monkeypatch.delenv("RAY_worker_niceness")
    seen: list[str | None] = []

    class Ray:
        def init(self, **_: object) -> None:
            seen.append(os.environ.get("RAY_worker_niceness"))  # noqa: SIM112 -- Ray spells it so

    RayEngine(address=address)._connect(Ray())
    assert seen == [wanted]
