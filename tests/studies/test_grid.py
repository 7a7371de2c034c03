"""Studies: the cells of a grid, their order, their failures, and that no scheduling changes a record."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from hashzoo.cli import main
from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import load_codes
from hashzoo.plugins import registry
from hashzoo.results.record import VOLATILE, Record, read_record, same_result
from hashzoo.runner.devices import choose_device
from hashzoo.runner.parts import PartRequest
from hashzoo.runner.progress import Quiet
from hashzoo.runner.request import RunRequest, read_config
from hashzoo.runner.run import run
from hashzoo.studies.grid import (
    Study,
    every_method,
    plan_study,
    run_study,
)
from hashzoo.studies.local import LocalEngine
from hashzoo.studies.request import KEYS, choose_engine, is_study, names_of, requests_of, study_of
from hashzoo.studies.task import Outcome, Task, do_task, placed
from hashzoo.testing import write_distribution


class Shuffled:
    """Does the tasks in another order."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        tasks = list(tasks)
        random.Random(3).shuffle(tasks)
        yield from map(do_task, tasks)


class Said(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def requests(out: Path) -> list[RunRequest]:
    quick = {"epochs": 1}
    return [
        RunRequest("itq", protocol="digits-1k", bits=(8, 16), seeds=(0, 1), out=out),
        RunRequest("greedyhash", protocol="digits-1k", bits=(8,), seeds=(0,), settings=quick, out=out),
        RunRequest("uncoded", protocol="digits-1k", bits=(8,), out=out),
    ]


def fields(record: Record) -> dict[str, object]:
    return {key: value for key, value in record.model_dump(mode="json").items() if key not in VOLATILE}


def test_serial_shuffled_and_two_workers_give_the_same_records(tmp_path: Path) -> None:
    engines = {"serial": LocalEngine(), "shuffled": Shuffled(), "workers": LocalEngine(workers=2)}
    found: dict[str, list[Record]] = {}
    for name, engine in engines.items():
        study = plan_study(requests(tmp_path / name))
        found[name], failed = run_study(study, engine)
        assert failed == []
    assert [len(records) for records in found.values()] == [6, 6, 6]
    for other in ("shuffled", "workers"):
        for one, two in zip(found["serial"], found[other], strict=True):
            assert same_result(one, two)
            assert json.dumps(fields(one)) == json.dumps(fields(two))  # to the byte, order of entries included


def test_a_second_time_nothing_is_left_to_do(tmp_path: Path) -> None:
    asked = requests(tmp_path)[:1]
    records, _ = run_study(plan_study(asked), LocalEngine())
    again = plan_study(asked)
    assert again.todo() == []
    assert [record.record_sha256 for record in run_study(again, LocalEngine())[0]] == [
        record.record_sha256 for record in records
    ]
    more = [RunRequest("itq", protocol="digits-1k", bits=(8, 32), out=tmp_path)]
    assert [task.request.bits for task in plan_study(more).todo()] == [(32,)]
    other_metrics = [RunRequest("itq", protocol="digits-1k", bits=(8,), metrics=("map@7",), out=tmp_path)]
    assert len(plan_study(other_metrics).todo()) == 1
    assert len(plan_study([RunRequest("itq", bits=(8,), out=tmp_path, overwrite="always")]).todo()) == 1
    (refused,) = plan_study([RunRequest("itq", bits=(8,), out=tmp_path, overwrite="never")]).refused
    assert "already holds" in refused[1]


@pytest.mark.parametrize("how", ["lost", "replaced"])
def test_a_cell_without_its_codes_is_not_done(tmp_path: Path, how: str) -> None:
    asked = [RunRequest("itq", protocol="digits-1k", bits=(8,), out=tmp_path)]
    (before,), _ = run_study(plan_study(asked), LocalEngine())
    (codes,) = tmp_path.glob("*/*/*/codes.npz")
    wanted = load_codes(codes)["query.image"].packed
    codes.unlink()
    if how == "replaced":
        np.savez(codes, other=np.zeros(3))
    assert len(plan_study(asked).todo()) == 1
    (after,), _ = run_study(plan_study(asked), LocalEngine())
    np.testing.assert_array_equal(load_codes(codes)["query.image"].packed, wanted)
    assert after.metrics == before.metrics
    assert plan_study(asked).todo() == []


def vectors(path: Path, seed: int) -> Path:
    draw = np.random.default_rng(seed)
    np.savez(path, features=draw.standard_normal((60, 8)).astype(np.float32), labels=np.arange(60) % 3)
    return path


def on_arrays(path: Path, out: Path, **changed: Any) -> RunRequest:
    settings = {"data.path": str(path), "data.queries": 10, "data.train": 20}
    return RunRequest("lsh", dataset="arrays", bits=(8,), settings=settings, out=out, **changed)


def test_cells_of_data_that_changed_are_not_done(tmp_path: Path) -> None:
    asked = [on_arrays(vectors(tmp_path / "a.npz", 1), tmp_path / "runs")]
    (before,), _ = run_study(plan_study(asked), LocalEngine())
    assert plan_study(asked).todo() == []
    vectors(tmp_path / "a.npz", 2)
    assert len(plan_study(asked).todo()) == 1
    (after,), _ = run_study(plan_study(asked), LocalEngine())  # in the same process, which knows the old data
    (wanted,) = run(replace(asked[0], out=tmp_path / "other"))
    assert after.metrics == wanted.metrics
    assert after.metrics != before.metrics
    (tmp_path / "a.npz").unlink()
    assert len(plan_study(asked).todo()) == 1  # nobody knows what it would be made of


def test_cells_of_another_device_are_not_done(tmp_path: Path) -> None:
    asked = RunRequest("itq", protocol="digits-1k", bits=(8,), out=tmp_path, device="cpu")
    run_study(plan_study([asked]), LocalEngine())
    assert plan_study([asked]).todo() == []
    assert len(plan_study([replace(asked, device="cuda:1")]).todo()) == 1


def test_a_failed_cell_takes_no_other_of_the_same_words_along(tmp_path: Path) -> None:
    good, bad = (on_arrays(path, tmp_path / "runs") for path in (vectors(tmp_path / "a.npz", 1), tmp_path / "none.npz"))
    study = plan_study([good, bad])
    assert study.tasks[0].label == study.tasks[1].label
    records, failed = run_study(study, LocalEngine(), keep_going=True)
    assert len(records) == 1
    assert len(failed) == 1


def test_a_cell_that_another_process_does_is_waited_for_last(tmp_path: Path) -> None:
    study = plan_study([RunRequest("lsh", protocol="digits-1k", bits=(8,), seeds=(0, 1), out=tmp_path)])
    first, second = (task.folder for task in study.tasks)
    first.mkdir(parents=True)
    found: list[tuple[list[Record], list[tuple[str, str]]]] = []
    said = Said()
    with FileLock(first / ".lock"):
        worker = threading.Thread(target=lambda: found.append(run_study(study, LocalEngine(), said)))
        worker.start()
        for _ in range(2400):
            if (second / "record.json").exists():
                break
            time.sleep(0.1)
        else:
            pytest.fail("the free cell was not done beside the held one")
        assert not (first / "record.json").exists()
        assert worker.is_alive()
    worker.join(timeout=240)
    assert not worker.is_alive()
    ((records, failed),) = found
    assert failed == []
    assert [record.seed for record in records] == [0, 1]
    assert [line for line in said.lines if "another process" in line] == [
        "lsh on digits-1k, 8 bits, seed 0: another process is working on it; it is left to that one for now."
    ]
    assert [line.partition(":")[0] for line in said.lines if line.startswith("cell")] == ["cell 1 of 2", "cell 2 of 2"]


COUNTED = """
    import os

    import torch
    from torch import nn

    from hashzoo import Component, hookimpl


    class Counted(nn.Module):
        preprocessing, feature_dim = None, 64

        def forward(self, images):
            with open(os.environ["COUNTS"], "a") as file:
                print(len(images), file=file)
            return images[..., 0].flatten(1).float()


    def build():
        return Counted()


    @hookimpl
    def hashzoo_register_backbones():
        return [Component("counted", build)]
"""


def test_two_workers_compute_frozen_features_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_distribution(tmp_path / "site", "hashzoo-counted", COUNTED)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("COUNTS", str(tmp_path / "counts"))
    asked = RunRequest(
        "lsh", protocol="digits-1k", backbone="counted", freeze_backbone=True, bits=(8, 16), seeds=(0, 1), out=tmp_path
    )
    records, failed = run_study(plan_study([asked]), LocalEngine(workers=2))
    assert (len(records), failed) == (4, [])
    assert sum(map(int, (tmp_path / "counts").read_text().split())) == 1797


def test_a_task_is_placed_on_the_device_that_its_engine_gives_it(tmp_path: Path) -> None:
    def device(name: str) -> str:
        return placed(Task(0, RunRequest("lsh", device=name), tmp_path)).device

    assert device("auto") == choose_device("auto")
    assert [device(name) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda", "cuda"]
    part = PartRequest(1, 2, tmp_path / "p.npz", {}, "torch", "cuda:1")
    assert placed(Task(0, part, tmp_path)).device == "cuda"
    left = Task(0, replace(part, device="auto"), tmp_path)
    assert placed(left) is left


def test_what_fails_costs_only_its_cell(tmp_path: Path) -> None:
    asked = [
        RunRequest("itq", protocol="digits-1k", bits=(8,), out=tmp_path),
        RunRequest("lsg", protocol="digits-1k", bits=(8,), out=tmp_path),
        RunRequest("lsh", dataset="arrays", settings={"data.path": "none.npz"}, bits=(8,), out=tmp_path),
        RunRequest("lsh", protocol="digits-1k", bits=(8,), out=tmp_path),
    ]
    records, failed = run_study(plan_study(asked), LocalEngine(), keep_going=True)
    assert [record.method for record in records] == ["itq", "lsh"]
    assert "did you mean 'lsh'" in failed[0][1]
    assert "none.npz" in failed[1][1]
    with pytest.raises(UsageError, match="lsg"):
        run_study(plan_study(asked), LocalEngine())
    with pytest.raises(WorkError, match=r"none\.npz.*--keep-going"):
        run_study(plan_study([asked[2], asked[3]]), LocalEngine())


def test_a_cell_whose_record_another_command_takes_away_fails_alone(tmp_path: Path) -> None:
    class Taken(LocalEngine):
        def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
            for outcome in super().run(tasks):
                if outcome.number == 0:
                    (tasks[0].folder / "record.json").unlink()
                yield outcome

    study = plan_study([RunRequest("lsh", protocol="digits-1k", bits=(8,), seeds=(0, 1), out=tmp_path)])
    records, failed = run_study(study, Taken(), keep_going=True)
    assert [record.seed for record in records] == [1]
    assert [label for label, _ in failed] == ["lsh on digits-1k, 8 bits, seed 0"]
    assert "record.json cannot be read" in failed[0][1]


def test_a_task_of_which_an_engine_says_nothing_has_failed(tmp_path: Path) -> None:
    class Silent(LocalEngine):
        def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
            yield from super().run([task for task in tasks if task.number != 1])

    asked = [RunRequest("lsh", protocol="digits-1k", bits=(8,), seeds=(0, 1, 2), out=tmp_path)]
    records, failed = run_study(plan_study(asked), Silent(), keep_going=True)
    assert [record.seed for record in records] == [0, 2]
    assert failed == [("lsh on digits-1k, 8 bits, seed 1", "The engine gave no outcome of it.")]
    with pytest.raises(WorkError, match="seed 1: The engine gave no outcome of it"):
        run_study(plan_study(asked), Silent())


def test_a_worker_of_a_task_that_cannot_be_sent_ends(tmp_path: Path) -> None:
    study = plan_study([RunRequest("lsh", protocol="digits-1k", bits=(8,), out=tmp_path)])
    unsendable = replace(study.tasks[0], number=lambda: 0)  # type: ignore[arg-type] # what no process takes
    with pytest.raises((AttributeError, pickle.PicklingError)):
        list(LocalEngine(workers=2).run([unsendable, unsendable]))
    assert not multiprocessing.active_children()


def test_progress_counts_the_whole_study(tmp_path: Path) -> None:
    asked = [RunRequest("itq", protocol="digits-1k", bits=(8, 16), out=tmp_path)]
    run_study(plan_study([RunRequest("itq", protocol="digits-1k", bits=(8,), out=tmp_path)]), LocalEngine())
    said = Said()
    run_study(plan_study(asked), LocalEngine(), said)
    assert said.lines[0] == "1 of 2 cells are done already."
    assert said.lines[1].startswith("cell 2 of 2: itq on digits-1k, 16 bits, seed 0: map 0.")


def test_killed_workers_cost_their_tasks_one_try(tmp_path: Path) -> None:
    """Every worker is killed when the first cell is done: the one that has nothing to do, and the one in its task."""
    study = plan_study([RunRequest("itq", protocol="digits-1k", bits=(8, 16), seeds=(0, 1), out=tmp_path)])
    killed: list[int] = []

    class Killing(Quiet):
        def say(self, text: str) -> None:
            if not killed:
                killed.extend(process.pid for process in multiprocessing.active_children() if process.pid)
                for victim in killed:
                    os.kill(victim, signal.SIGKILL)

    records, failed = run_study(study, LocalEngine(workers=2), Killing())
    assert len(killed) == 2
    assert failed == []
    assert [(record.bits, record.seed) for record in records] == [(8, 0), (8, 1), (16, 0), (16, 1)]


DEADLY = """
    import os
    import signal
    from pathlib import Path

    import torch

    from hashzoo import Component, Method, Paper, hookimpl

    PAPER = Paper("deadly-2030", "Ends its process", "A. Author", "", 2030)


    class Deadly:
        def __init__(self, problem, *, name: str = "", deaths: int = 0):
            self.bits, self.note, self.deaths = problem.bits, Path(os.environ["DEATHS"], name), deaths

        def fit(self, features, labels, seed):
            died = len(self.note.read_text()) if self.note.exists() else 0
            if died < self.deaths:
                self.note.write_text("x" * (died + 1))
                os.kill(os.getpid(), signal.SIGKILL)
            draw = torch.Generator().manual_seed(seed)
            width = features["image"].shape[1]
            weight = torch.randn(width, self.bits, generator=draw)
            return {"image": {"mean": torch.zeros(width), "weight": weight, "bias": torch.zeros(self.bits)}}


    @hookimpl
    def hashzoo_register_fitters():
        return [Component("deadly", Deadly)]


    @hookimpl
    def hashzoo_register_methods():
        return [
            Method(name, PAPER, training="fit", fitter="deadly", hash_layer="projection", supervision="unsupervised",
                   options={"fitter": {"name": name, "deaths": deaths}})
            for name, deaths in (("dies-once", 1), ("dies-always", 9))
        ]
"""


def test_a_task_whose_process_is_killed_twice_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_distribution(tmp_path / "site", "hashzoo-deadly", DEADLY)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("DEATHS", str(tmp_path))
    asked = [
        RunRequest(name, protocol="digits-1k", bits=(8,), out=tmp_path / "runs")
        for name in ("dies-always", "dies-once", "lsh")
    ]
    told = Said()
    records, failed = run_study(plan_study(asked), LocalEngine(workers=2), told, keep_going=True)
    assert [record.method for record in records] == ["dies-once", "lsh"]
    ((label, reason),) = failed
    assert label.startswith("dies-always on digits-1k")
    assert reason.startswith("its process ended with exit code -9, twice; a system that runs out of memory")
    assert "fewer workers" in reason
    again = sorted(line for line in told.lines if "once more" in line)
    assert [line.partition(" on ")[0] for line in again] == ["dies-always", "dies-once"]
    assert "exit code -9; it is tried once more" in again[0]
    assert [len((tmp_path / name).read_text()) for name in ("dies-once", "dies-always")] == [1, 2]


def test_all_means_the_methods_that_take_the_data() -> None:
    assert {"itq", "lsh", "dch"} <= set(every_method("digits-1k", None, registry()))
    assert "dcmh" in every_method("digits-halves-1k", None, registry())
    assert "dch" not in every_method("digits-halves-1k", None, registry())


def test_what_is_asked_for_becomes_requests() -> None:
    values = {"method": "itq,lsh", "protocol": ["digits-1k", "digits-halves-1k"], "bits": (8,), "workers": 2}
    assert is_study(values)
    found = requests_of(values, registry())
    assert [(r.method, r.protocol) for r in found] == [
        ("itq", "digits-1k"), ("lsh", "digits-1k"), ("itq", "digits-halves-1k"), ("lsh", "digits-halves-1k"),
    ]  # fmt: skip
    assert not is_study({"method": "itq", "protocol": ["digits-1k"]})
    assert is_study({"method": "itq", "engine": "local"})
    assert is_study({"method": "all"})
    assert is_study({"method": "lsh", "workers": 0})  # which is refused, and not passed over
    assert not is_study({"method": "lsh", "workers": None, "keep_going": False})
    assert requests_of({"method": "all", "protocol": "digits-1k"}, registry())


@pytest.mark.parametrize(
    ("engine", "workers", "message"),
    [
        ("local:workers", None, "key=value"),
        ("local:workers=2", 3, "given twice"),
        ("", None, "names no engine"),
        (":workers=2", None, "names no engine"),
    ],
)
def test_an_engine_is_named_with_its_options(engine: str, workers: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_engine(engine, workers)


def test_engines_and_names_that_do_not_exist_are_refused() -> None:
    for choice, message in [
        (choose_engine("locl", None), "did you mean 'local'"),
        (choose_engine("local:wrkers=2", None), "wrkers"),
        (choose_engine(None, 0), "at least 1"),
    ]:
        with pytest.raises(UsageError, match=message):
            choice.build(registry())
    for value in ("a,,b", "a,a", 3):
        with pytest.raises(UsageError, match="method"):
            names_of(value, "method")
    with pytest.raises(UsageError, match="No method"):
        requests_of({"protocol": "digits-1k"}, registry())


def test_an_empty_study_is_done() -> None:
    assert run_study(Study(()), LocalEngine()) == ([], [])


def test_a_study_from_python(tmp_path: Path) -> None:
    import hashzoo

    told = Said()
    records = hashzoo.study(
        ["itq", "uncoded"], "digits-1k", bits=8, seeds=[0, 1], out=tmp_path, loss="dch", keep_going=True, reporter=told
    )
    assert records == []
    assert "takes no loss" in told.lines[-1]
    records = hashzoo.study(["itq"], "digits-1k", bits=8, seeds=[0, 1], out=tmp_path, reporter=told)
    assert [(record.method, record.seed) for record in records] == [("itq", 0), ("itq", 1)]
    assert len(hashzoo.study("itq", bits=8, seeds=2, out=tmp_path, reporter=Quiet())) == 1
    with pytest.raises(UsageError, match="did you mean 'bits'"):
        hashzoo.study("itq", bitz=8)
    with pytest.raises(UsageError, match="did you mean 'lsh'"):
        hashzoo.study(["itq", "lsg"], out=tmp_path, keep_going=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "itq,lsg"}, "no method 'lsg'; did you mean 'lsh'"),
        ({"method": "itq,all"}, "'all' means every method"),
        ({"method": "itq", "protocol": "digits-1k,digits-2k"}, "no protocol 'digits-2k'; did you mean 'digits-1k'"),
        ({"method": "itq,lsh", "dataset": "digit"}, "no dataset 'digit'; did you mean 'digits'"),
        ({"method": "dch,hashnet", "loss": "dhc"}, "no loss 'dhc'; did you mean"),
        ({"method": "itq,lsh", "set_for": {"lsg": {"lr": 1}}}, "no method 'lsg'"),
        ({"method": "itq,lsh", "set_for": {"dch": {"lr": 1}}}, "not in the study; name one of itq, lsh"),
    ],
)
def test_a_name_that_is_none_is_said_before_anything_is_planned(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        study_of(wrong, registry())


def test_settings_of_training_go_to_the_methods_that_have_them() -> None:
    values = {
        "method": "dch,itq,uncoded",
        "protocol": "digits-1k",
        "settings": {"epochs": 2, "schedule.name": "cosine"},
    }
    found, note = study_of(values, registry())
    assert [dict(request.settings) for request in found] == [values["settings"], {}, {}]
    assert note == "Not trained by gradients, so without epochs, schedule.name: itq, uncoded."
    assert plan_study(found).refused == ()
    for strict in ({**values, "method": "itq"}, {**values, "method": "itq,uncoded"}):
        alone, note = study_of(strict, registry())
        assert note == ""
        assert all("so it has no epochs" in why for _, why in plan_study(alone).refused)


def test_a_file_has_settings_of_one_method(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        'method = ["dch", "itq", "hashnet"]\n[set]\nepochs = 2\nlr = 0.1\n'
        "[set_for.dch]\nlr = 0.2\n[set_for.dch.loss]\ngamma = 5\n[set_for.hashnet]\nepochs = 4\n"
    )
    found, _ = study_of(read_config(file, KEYS), registry())
    assert [dict(request.settings) for request in found] == [
        {"epochs": 2, "lr": 0.2, "loss.gamma": 5}, {}, {"epochs": 4, "lr": 0.1},
    ]  # fmt: skip
    strict = {"method": ["dch", "itq"], "protocol": "digits-1k", "set_for": {"itq": {"epochs": 1}}}
    ((_, why),) = plan_study(study_of(strict, registry())[0]).refused
    assert "so it has no epochs" in why


def ended(*words: str) -> object:
    """Return the exit code of a command line."""
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return stop.value.code


def test_an_option_of_the_recipe_has_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line wins over the file, however each spells option and method."""
    file = tmp_path / "study.toml"
    file.write_text('method = "dch"\nbits = 8\n[set]\nepochs = 2\n[set_for.dch]\nlr = 1e-4\n')
    for method in ("dch", "hashzoo-dch:dch"):
        told = ["--config", str(file), "-m", method, "--out", str(tmp_path / method[:4]), "--quiet"]
        assert ended("run", *told, "--set", "recipe.epochs=1") == 0
        (record,) = (read_record(path) for path in (tmp_path / method[:4]).glob("*/*/*/record.json"))
        assert record.config.recipe is not None
        assert (record.config.recipe.lr, record.config.recipe.epochs) == (1e-4, 1)
    assert ended("run", "-m", "dch", "--set", "lr=1", "--set", "recipe.lr=2") == 2
    assert "--set lr is given twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("engine = 3", "`engine` in .* must be a text"),
        ('engine = ""', "names no engine"),
        ('keep_going = "no"', "`keep_going` in .* must be true or false; got 'no'"),
        ("workers = 2.5", "`workers` in .* must be a whole number"),
        ("workers = true", "`workers` in .* must be a whole number"),
        ("set_for = 3", "`set_for` in .* must be tables by method"),
        ("method = 3", "method is a name or a list of names; got 3"),
        ("protocol = [1]", "protocol is a name or a list of names"),
        ("protocol = []", "protocol is an empty list; name one, or leave the line out"),
        ("method = []", "method is an empty list"),
        ('seeds = "0-x"', "Seeds must be integers"),
        ("threads = 'two'", "threads must be an integer"),
        ("dataset = ['digits']", "dataset must be a text"),
    ],
)
def test_a_wrong_type_in_a_file_is_one_sentence(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "study.toml"
    file.write_text(line if line.startswith("method") else f'method = "itq"\n{line}\n')

    def read() -> None:
        values = read_config(file, KEYS)
        choose_engine(values.get("engine"), values.get("workers")).build(registry())
        study_of(values, registry())

    with pytest.raises(UsageError, match=message):
        read()


def test_texts_of_several_numbers_mean_what_they_do_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('method = "itq"\nbits = "16-18,32"\nseeds = "0-1"\nmetrics = "map,map@h2"\n')
    (found,) = study_of(read_config(file, KEYS), registry())[0]
    assert (found.bits, found.seeds, found.metrics) == ((16, 17, 18, 32), (0, 1), ("map", "map@h2"))
