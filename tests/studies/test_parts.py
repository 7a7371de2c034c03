"""One evaluation in parts by an engine: equal to the whole, resumed by part, and honest about files that changed."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashzoo.errors import UsageError, WorkError
from hashzoo.runner.progress import Quiet
from hashzoo.runner.reevaluate import evaluate_files
from hashzoo.studies.local import LocalEngine
from hashzoo.studies.parts import evaluate_in_parts
from hashzoo.studies.task import Outcome, Task, do_task

METRICS = ("map", "map@7", "precision@h3", "ndcg@20")


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    """Queries in an `.npz`, a database in two mapped files, and the options of a command without further ones."""
    draw = np.random.default_rng(5)
    np.savez(
        tmp_path / "q.npz",
        codes=draw.integers(0, 256, (9, 2), np.uint8),
        labels=draw.integers(0, 4, 9),
        ids=np.arange(9),
    )
    np.save(tmp_path / "d.npy", draw.integers(0, 256, (203, 2), np.uint8))
    np.save(tmp_path / "l.npy", draw.integers(0, 4, 203))
    return {
        "query": Path("q.npz"),  # relative: a worker is told the whole path
        "database": Path("d.npy"),
        "query_labels": None,
        "database_labels": Path("l.npy"),
        "bits": None,
        "names": {},
        "ties": "expected",
        "convention": None,
        "ranking": None,
        "leave_self_out": False,
        "per_query": False,
        "confidence": False,
        "kernel": "auto",
        "output": None,
    }


class Counting:
    """Does the tasks as a plugin written before there were parts would, and remembers which."""

    def __init__(self) -> None:
        self.did: list[int] = []

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in reversed(tasks):
            self.did.append(task.number)
            copy: Task = pickle.loads(pickle.dumps(task))
            assert not copy.request.device.startswith("cuda")
            yield do_task(copy)


def whole(options: dict[str, Any]) -> dict[str, Any]:
    found = evaluate_files(METRICS, options)
    found.pop("warning", None)  # whether codes have collapsed is seen on the whole database alone
    return found


def test_any_engine_gives_the_whole_to_the_last_bit(options: dict[str, Any]) -> None:
    expected = whole(options)
    assert evaluate_in_parts(5, METRICS, options, Counting()) == expected
    other = {**options, "output": Path("elsewhere")}
    assert evaluate_in_parts(5, METRICS, other, LocalEngine(workers=2)) == expected
    assert len(list(Path("elsewhere").glob("d_*/part-*-of-5.npz"))) == 5
    intervals = evaluate_in_parts(5, METRICS, {**options, "confidence": True}, Counting())
    assert intervals["map:interval95"]["low"] <= expected["map"] <= intervals["map:interval95"]["high"]


def test_own_items_are_left_out_in_their_part(options: dict[str, Any], tmp_path: Path) -> None:
    draw = np.random.default_rng(6)
    np.savez(
        tmp_path / "d.npz",
        codes=draw.integers(0, 256, (50, 2), np.uint8),
        labels=draw.integers(0, 4, 50),
        ids=draw.permutation(50),
    )
    alike = {**options, "database": Path("d.npz"), "database_labels": None, "leave_self_out": True}
    assert evaluate_in_parts(4, METRICS, alike, Counting()) == whole(alike)
    assert whole(alike)["own_item"] == "left out of 9 lists"


def test_only_parts_that_are_not_there_or_not_whole_are_counted(options: dict[str, Any]) -> None:
    first = Counting()
    expected = evaluate_in_parts(6, METRICS, options, first)
    assert sorted(first.did) == [0, 1, 2, 3, 4, 5]
    files = sorted(Path("parts").glob("*/*.npz"))
    files[1].unlink()
    files[4].write_bytes(files[4].read_bytes()[:-40])
    files[2].write_bytes(files[3].read_bytes())  # whole, and another part
    again = Counting()
    assert evaluate_in_parts(6, METRICS, options, again) == expected
    assert sorted(again.did) == [1, 2, 4]
    none = Counting()
    assert evaluate_in_parts(6, ("map",), options, none)["map"] == expected["map"]
    assert none.did == []


def test_other_files_are_counted_anew(options: dict[str, Any], tmp_path: Path) -> None:
    evaluate_in_parts(2, METRICS, options, Counting())
    database = np.load(tmp_path / "d.npy")
    np.save(tmp_path / "d.npy", database[::-1])
    os.utime(tmp_path / "d.npy", (1, 1))
    again = Counting()
    assert evaluate_in_parts(2, METRICS, options, again) == whole(options)
    assert sorted(again.did) == [0, 1]


def test_a_killed_worker_costs_only_its_part(options: dict[str, Any]) -> None:
    killed: list[int] = []

    class Killing(Quiet):
        def say(self, text: str) -> None:
            import multiprocessing

            if not killed and "counted" in text:
                killed.append(multiprocessing.active_children()[0].pid or 0)
                os.kill(killed[0], signal.SIGKILL)

    assert evaluate_in_parts(6, METRICS, options, LocalEngine(workers=2), Killing()) == whole(options)
    assert killed


def test_a_part_that_fails_stops_no_other_and_the_same_command_goes_on(options: dict[str, Any]) -> None:
    class Failing(Counting):
        def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
            yield Outcome(tasks[1].number, "the node is gone")
            yield from super().run([task for task in tasks if task is not tasks[1]])

    with pytest.raises(WorkError, match=r"part 2 of 4: the node is gone What was counted is kept"):
        evaluate_in_parts(4, METRICS, options, Failing())
    again = Counting()
    assert evaluate_in_parts(4, METRICS, options, again) == whole(options)
    assert again.did == [1]


def test_what_other_machines_see_differently_is_told(options: dict[str, Any], tmp_path: Path) -> None:
    class Elsewhere(Counting):
        """Counts another database of the same name."""

        def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
            kept = np.load(tmp_path / "d.npy")
            before = (tmp_path / "d.npy").stat()
            np.save(tmp_path / "d.npy", 255 - kept)
            yield from super().run(tasks)
            np.save(tmp_path / "d.npy", kept)
            os.utime(tmp_path / "d.npy", ns=(before.st_atime_ns, before.st_mtime_ns))

    class Silent:
        """Leaves its files where nobody sees them."""

        def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
            yield from (Outcome(task.number) for task in tasks)

    with pytest.raises(WorkError, match="other files under the same names"):
        evaluate_in_parts(3, METRICS, options, Elsewhere())
    with pytest.raises(WorkError, match="part 1 of 2 was counted and its file is not in"):
        evaluate_in_parts(2, METRICS, options, Silent())


def test_files_that_change_meanwhile_are_told(options: dict[str, Any], tmp_path: Path) -> None:
    class Meanwhile(Counting):
        def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
            yield from super().run(tasks)
            os.utime(tmp_path / "l.npy", (1, 1))

    with pytest.raises(WorkError, match="were changed while they were counted"):
        evaluate_in_parts(2, METRICS, options, Meanwhile())


def test_what_cannot_be_right_is_said_before_anything_is_started(options: dict[str, Any]) -> None:
    for wrong, message in (
        ({"kernel": "numbaa"}, "no counting kernel 'numbaa'"),
        ({"leave_self_out": True}, "no ids"),
        ({"bits": 40}, "40"),
        ({"ties": "stable"}, "database order"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate_in_parts(2, METRICS, {**options, **wrong}, Counting())
    with pytest.raises(UsageError, match="metric 'mapp'"):
        evaluate_in_parts(2, ("mapp",), options, Counting())
    with pytest.raises(UsageError, match="needs the codes"):
        evaluate_in_parts(2, ("map@h2-reranked",), options, Counting())
    with pytest.raises(UsageError, match="Part 1/204 of 203 items does not exist"):
        evaluate_in_parts(204, METRICS, options, Counting())
    with pytest.raises(UsageError, match=r"nowhere\.npy"):
        evaluate_in_parts(2, METRICS, {**options, "database": Path("nowhere.npy")}, Counting())
    Path("taken").touch()
    with pytest.raises(UsageError, match=r"taken.*cannot be made, since a file is in its way; give a folder with -o"):
        evaluate_in_parts(2, METRICS, {**options, "output": Path("taken")}, Counting())


def test_a_part_on_a_gpu_says_so(options: dict[str, Any]) -> None:
    seen: list[str] = []

    class Looking(Counting):
        def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
            seen.extend(f"{task.label} {task.device} {task.request.device}" for task in tasks)
            yield from (Outcome(task.number, "no GPU") for task in tasks)

    with pytest.raises(WorkError, match="no GPU"):
        evaluate_in_parts(2, METRICS, {**options, "kernel": "torch:cuda:1"}, Looking())
    assert seen == ["part 1 of 2 cuda:1 cuda:1", "part 2 of 2 cuda:1 cuda:1"]
    cpu = {**options, "kernel": "torch:cpu"}
    assert evaluate_in_parts(3, METRICS, cpu, Counting()) == whole(options)
