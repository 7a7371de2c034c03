"""Runs on the embedded digits, end to end, with built-in parts only: resumed, repeated, refused."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import load_codes
from hashzoo.plugins import registry
from hashzoo.results.record import Record, read_record, same_result
from hashzoo.results.table import boards
from hashzoo.runner import stages
from hashzoo.runner.cell import CellFolder, RunDirectory
from hashzoo.runner.plan import resolve
from hashzoo.runner.progress import Quiet
from hashzoo.runner.reevaluate import check_run, compare_cells, compare_runs, evaluate_files, evaluate_run
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run
from hashzoo.runner.runs import list_runs
from hashzoo.runner.verify import verify
from hashzoo.runner.workshop import Workshop
from hashzoo.training.checkpoints import Checkpoints

LSH = RunRequest(method="lsh", backbone="smallcnn", bits=(16,), freeze_backbone=True)
OPTIONS = {"ties": "expected", "convention": None, "per_query": False, "confidence": False, "ranking": "hamming"}


def run_folder(out: Path) -> Path:
    (folder,) = [path for path in out.iterdir() if path.is_dir()]
    return folder


def test_a_run_leaves_every_stage_and_its_record_follows_from_its_codes(tmp_path: Path) -> None:
    records = run(RunRequest(method="lsh", bits=(12, 16), seeds=(0, 1), out=tmp_path / "runs"))
    assert [(r.bits, r.seed) for r in records] == [(12, 0), (12, 1), (16, 0), (16, 1)]
    folder = run_folder(tmp_path / "runs")
    split = json.loads((folder / "split.json").read_text())
    assert split["sizes"] == {"train": 500, "query": 300, "database": 997}
    cell = folder / "bits-012" / "seed-1"
    assert {"model.safetensors", "codes.npz", "record.json"} <= {p.name for p in cell.iterdir()}
    codes = load_codes(cell / "codes.npz")
    assert len(codes["query.image"]) == 300
    assert codes["query.image"].bits == 12
    assert "4 record(s)" in check_run(folder)
    assert 0.1 < records[-1].metrics["map"] < 1.0


def test_a_repeated_run_does_nothing_and_a_new_metric_only_evaluates(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    run(RunRequest(method="lsh", bits=(16,), out=out))
    cell = run_folder(out) / "bits-016" / "seed-0"
    before = {p.name: p.stat().st_mtime_ns for p in cell.iterdir() if p.is_file()}
    run(RunRequest(method="lsh", bits=(16,), out=out))
    assert {p.name: p.stat().st_mtime_ns for p in cell.iterdir() if p.is_file()} == before


def test_overwrite_never_refuses_and_always_makes_it_again(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    first = run(RunRequest(method="lsh", bits=(16,), out=out))[0]
    with pytest.raises(UsageError, match="already holds 1 record"):
        run(RunRequest(method="lsh", bits=(16,), out=out, overwrite="never"))
    cell = run_folder(out) / "bits-016" / "seed-0"
    before = (cell / "codes.npz").stat().st_mtime_ns
    again = run(RunRequest(method="lsh", bits=(16,), out=out, overwrite="always"))[0]
    assert (cell / "codes.npz").stat().st_mtime_ns > before
    assert same_result(first, again)


def test_seeds_differ_and_one_seed_repeats(tmp_path: Path) -> None:
    zero, one = run(RunRequest(method="lsh", bits=(16,), seeds=(0, 1), out=tmp_path / "a"))
    (again,) = run(RunRequest(method="lsh", bits=(16,), seeds=(1,), out=tmp_path / "b"))
    assert zero.codes_sha256 != one.codes_sha256
    assert again.codes_sha256 == one.codes_sha256


def test_a_cell_that_another_process_holds_is_left_to_it_and_the_others_are_done(tmp_path: Path) -> None:
    request = RunRequest(method="lsh", bits=(16,), seeds=(0, 1), out=tmp_path / "runs")
    folder = tmp_path / "runs" / resolve(request, registry()).name / "bits-016"
    (folder / "seed-0").mkdir(parents=True)
    records: list[list[Record]] = []
    with FileLock(folder / "seed-0" / ".lock"):
        worker = threading.Thread(target=lambda: records.append(run(request)))
        worker.start()
        for _ in range(2400):
            if (folder / "seed-1" / "record.json").exists():
                break
            time.sleep(0.1)
        else:
            pytest.fail("the free cell was not done beside the held one")
        assert not (folder / "seed-0" / "record.json").exists()
        assert worker.is_alive()
    worker.join(timeout=240)
    assert not worker.is_alive()
    assert [record.seed for record in records[0]] == [0, 1]


def test_a_run_that_fails_before_its_first_cell_leaves_nothing(tmp_path: Path) -> None:
    settings = {"data.path": str(tmp_path / "none.npz")}
    with pytest.raises(UsageError, match="no file"):
        run(RunRequest(method="lsh", dataset="arrays", settings=settings, out=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_metrics_are_added_to_a_finished_record(tmp_path: Path) -> None:
    request = RunRequest(method="lsh", bits=(16,), out=tmp_path / "runs")
    (first,) = run(request)
    (second,) = run(replace(request, metrics=("precision@500",)))
    assert first.metrics == {name: second.metrics[name] for name in first.metrics}
    assert "precision@500" in second.metrics
    check_run(run_folder(tmp_path / "runs"))  # and the record still follows from its codes
    (third,) = run(request)
    assert third.metrics == second.metrics


def test_a_damaged_codes_file_is_made_again_and_said(tmp_path: Path) -> None:
    request = RunRequest(method="lsh", bits=(16,), seeds=(0, 1), out=tmp_path / "runs")
    before = run(request)
    folder = run_folder(tmp_path / "runs") / "bits-016"
    (folder / "seed-0" / "codes.npz").write_bytes((folder / "seed-1" / "codes.npz").read_bytes())
    said: list[str] = []

    class Notes(Quiet):
        def say(self, text: str) -> None:
            said.append(text)

    after = run(request, Notes())
    assert any("codes.npz is not the file that was written" in line for line in said)
    assert [record.codes_sha256 for record in after] == [record.codes_sha256 for record in before]
    check_run(run_folder(tmp_path / "runs"))


def test_a_record_of_other_codes_than_those_made_again_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine, or number of threads, can give other codes from the same upstream."""
    from hashzoo.runner import stages

    request = RunRequest(method="lsh", bits=(16,), out=tmp_path / "runs")
    (before,) = run(request)
    cell = run_folder(tmp_path / "runs") / "bits-016" / "seed-0"
    stamp = (cell / "record.json").stat().st_mtime_ns
    (cell / "codes.npz").unlink()
    run(request)
    assert (cell / "record.json").stat().st_mtime_ns == stamp  # the same codes: the record stays
    encode = stages.encode
    monkeypatch.setattr(stages, "encode", lambda *a, **k: encode(*a, **k) * np.r_[-1, np.ones(15)].astype("f"))
    (cell / "codes.npz").unlink()
    (after,) = run(request)
    assert after.codes_sha256 != before.codes_sha256
    assert "record(s)" in check_run(run_folder(tmp_path / "runs"))


def test_files_of_others_in_a_run_directory_without_cells_stay(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path / "run")
    folder.describe({"config.json": {}, "split.json": {}})
    (folder.path / "notes.txt").write_text("mine")
    folder.remove_if_empty()
    assert [path.name for path in folder.path.iterdir()] == ["notes.txt"]
    (folder.path / "notes.txt").unlink()
    folder.remove_if_empty()
    assert not folder.path.exists()


def test_a_cell_is_held_although_another_process_removes_what_is_empty(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path / "run")
    ended = threading.Event()

    def remove() -> None:
        while not ended.is_set():
            folder.remove_if_empty()
            assert folder.records() == []

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for seed in range(300):
            for wait in (True, False):
                cell = folder.cell(8 + seed % 3, seed % 2)
                with cell.locked(wait) as free:
                    assert free or not wait  # without waiting, the remover's moment may look like work
                    if free:
                        (cell.path / "codes.npz").write_bytes(b"")
                        (cell.path / "codes.npz").unlink()
        assert remover.is_alive()
    finally:
        ended.set()
        remover.join()


def test_a_run_is_described_although_another_process_removed_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hashzoo.runner import run as module

    def run_cell(shop: Workshop, cell: CellFolder, bits: int, seed: int) -> Record:
        (cell.path.parents[1] / "config.json").unlink()
        return stages.run_cell(shop, cell, bits, seed)

    monkeypatch.setattr(module, "run_cell", run_cell)
    run(RunRequest(method="lsh", bits=(16,), out=tmp_path / "runs"))
    assert [row["done"] for row in list_runs(tmp_path / "runs")] == [1]


def test_a_record_of_a_command_that_did_not_end_is_made_again(tmp_path: Path) -> None:
    """It was written and not yet noted: its figures are of other settings than those of the note."""
    request = RunRequest(method="lsh", bits=(16,), out=tmp_path / "runs")
    (before,) = run(request)
    (other,) = run(replace(request, ties="worst", out=tmp_path / "other"))
    assert other.metrics["map"] < before.metrics["map"]
    cell = run_folder(tmp_path / "runs") / "bits-016" / "seed-0"
    (cell / "record.json").write_bytes(
        (run_folder(tmp_path / "other") / "bits-016" / "seed-0" / "record.json").read_bytes()
    )
    (again,) = run(request)
    assert again.metrics == before.metrics


def test_what_is_made_again_goes_on_from_where_it_was_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    latest = Checkpoints.latest

    def noted(self: Checkpoints) -> Any:
        checkpoint = latest(self)
        found.append(checkpoint.epoch if checkpoint else 0)
        return checkpoint

    class Broken(Quiet):
        def advance(self, done: int, note: str = "") -> None:
            if note and done == 3:  # a loss term stands in it: this is training
                raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "due", lambda self: True)
    monkeypatch.setattr(Checkpoints, "latest", noted)
    request = RunRequest("dch", protocol="digits-1k", bits=(8,), settings={"epochs": 4}, overwrite="always")
    with pytest.raises(KeyboardInterrupt):
        run(replace(request, out=tmp_path / "runs"), Broken())
    (record,) = run(replace(request, out=tmp_path / "runs"))
    (whole,) = run(replace(request, out=tmp_path / "whole"))
    assert found == [0, 2, 0]
    assert same_result(record, whole)


def test_a_run_that_ends_well_removes_nothing(tmp_path: Path) -> None:
    """Another process may just have made the folder of its cell."""
    request = RunRequest(method="lsh", bits=(16,), out=tmp_path)
    run(request)
    (record,) = tmp_path.glob("*/bits-016/seed-0/record.json")
    other = record.parents[2] / "bits-032" / "seed-0"
    other.mkdir(parents=True)
    run(request)
    assert other.is_dir()


@pytest.mark.parametrize("text", ["[]", "3", "{", "{}"])
def test_a_configuration_that_is_none_stops_no_list_of_runs(tmp_path: Path, text: str) -> None:
    run(RunRequest(method="lsh", bits=(16,), out=tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(text)
    rows = list_runs(tmp_path)
    assert sorted("fault" in row for row in rows) == [False, True]
    assert next(row for row in rows if "fault" in row)["name"] == "other"


def test_a_damaged_codes_file_is_named(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    run(RunRequest(method="lsh", bits=(16,), out=out))
    path = run_folder(out) / "bits-016" / "seed-0" / "codes.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WorkError, match=r"codes\.npz"):
        check_run(run_folder(out))


def test_a_record_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    run(RunRequest(method="lsh", bits=(16,), out=out))
    path = run_folder(out) / "bits-016" / "seed-0" / "record.json"
    value = json.loads(path.read_text())["metrics"]["map"]
    path.write_text(path.read_text().replace(str(value), "0.99", 1))
    with pytest.raises(WorkError, match="changed after hashzoo wrote it"):
        run(RunRequest(method="lsh", bits=(16,), out=out))


def test_other_codes_under_the_record_are_noticed(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    run(RunRequest(method="lsh", bits=(16,), seeds=(0, 1), out=out))
    folder = run_folder(out) / "bits-016"
    (folder / "seed-0" / "codes.npz").write_bytes((folder / "seed-1" / "codes.npz").read_bytes())
    with pytest.raises(WorkError, match="not the file that the record was made from"):
        check_run(run_folder(out))


def test_a_convention_and_confidence_can_be_asked_of_a_finished_run(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    run(RunRequest(method="lsh", bits=(16,), out=out))
    options = {**OPTIONS, "confidence": True}
    (values,) = evaluate_run(run_folder(out), ("map",), options).values()
    interval = values["map:interval95"]
    assert interval["low"] < values["map"] < interval["high"]
    (other,) = evaluate_run(run_folder(out), ("map",), {**OPTIONS, "convention": "deephash-pytorch"}).values()
    assert other["map"] == pytest.approx(values["map"], abs=0.05)


def test_two_seeds_can_be_compared_query_by_query(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    records = run(RunRequest(method="lsh", bits=(8, 32), out=out))
    folder = run_folder(out)
    result = compare_cells(folder / "bits-008" / "seed-0", folder / "bits-032" / "seed-0", "map")
    assert result["difference"] == pytest.approx(records[1].metrics["map"] - records[0].metrics["map"], abs=1e-12)
    assert result["p_value"] < 0.05


def test_frozen_features_are_computed_once_for_all_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hashzoo.training import feature_cache

    calls = []
    extract = feature_cache.extract_features
    monkeypatch.setattr(feature_cache, "extract_features", lambda *a, **k: calls.append(len(a[1])) or extract(*a, **k))
    run(replace(LSH, bits=(8, 16), seeds=(0, 1), out=tmp_path / "runs"))
    assert sum(calls) == 1797
    run(replace(LSH, method="uncoded", bits=None, out=tmp_path / "runs"))
    assert sum(calls) == 1797


def test_validation_measures_on_the_train_split_only(tmp_path: Path) -> None:
    (record,) = run(RunRequest(method="lsh", bits=(16,), validation=0.4, out=tmp_path / "runs"))
    assert record.protocol == "digits-1k-validation"
    split = json.loads((run_folder(tmp_path / "runs") / "split.json").read_text())
    assert sum(split["sizes"].values()) <= 500
    assert split["sizes"]["train"] == 300


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lhs"}, "did you mean .*'lsh'"),
        ({"dataset": "digit"}, "did you mean 'digits'"),
        ({"protocol": "digits-2k"}, "did you mean 'digits-1k'"),
        ({"dataset": "digits-halves"}, "takes 1 modality"),
        ({"protocol": "digits-1k", "dataset": "digits-halves"}, "belongs to dataset 'digits'"),
        ({"backbone": "identity"}, "takes vector inputs"),
        ({"backbone": "smalcnn"}, "did you mean 'smallcnn'"),
        ({"backbone": {"text": "smallcnn"}}, "There is no modality of digits 'text'"),
        ({"loss": "nune"}, "There is no loss 'nune'"),
        ({"settings": {"hash_layer.gama": 1}}, "has no option 'gama'"),
        ({"settings": {"los.gamma": 1}}, "did you mean 'loss'"),
        ({"settings": {"epoch": 1}}, "did you mean 'epochs'"),
        ({"settings": {"epochs": 0}}, "epochs must be an integer"),
        ({"settings": {"lr": -1}}, "lr must be a number"),
        ({"evaluators": ("retrival",)}, "did you mean 'retrieval'"),
        ({"metrics": ("mapp",)}, "map"),
        ({"device": "gpu"}, "none that torch knows"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(tmp_path: Path, options: dict[str, object], message: str) -> None:
    request = RunRequest(**{"method": "lsh", "bits": (16,), "out": tmp_path / "runs", **options})  # type: ignore[arg-type] # by hand
    with pytest.raises(UsageError, match=message):
        run(request)


def test_two_runs_are_compared_cell_by_cell(tmp_path: Path) -> None:
    run(RunRequest(method="lsh", bits=(8, 16), out=tmp_path / "a"))
    run(RunRequest(method="random", bits=(16, 32), out=tmp_path / "b"))
    (only,) = compare_runs(run_folder(tmp_path / "a"), run_folder(tmp_path / "b"), "map")
    assert (only["bits"], only["seed"], only["first"], only["second"]) == (16, 0, "lsh", "random")
    with pytest.raises(UsageError, match="share no bit length"):
        compare_runs(run_folder(tmp_path / "a"), run_folder(tmp_path / "b") / "bits-032" / "seed-0", "map")


def test_an_evaluation_says_what_was_done_with_a_querys_own_item(tmp_path: Path) -> None:
    signs = np.sign(np.random.default_rng(0).standard_normal((6, 16)))
    np.savez(tmp_path / "all.npz", codes=signs, labels=np.array([0, 0, 0, 1, 1, 1]), ids=np.arange(6))
    options = {**OPTIONS, "query": tmp_path / "all.npz", "database": tmp_path / "all.npz"}
    options |= {"query_labels": None, "database_labels": None, "bits": None}
    kept = evaluate_files(("precision@1",), options)
    left = evaluate_files(("precision@1",), {**options, "leave_self_out": True})
    assert kept["precision@1"] == 1.0
    assert left["precision@1"] < 1.0
    assert left["own_item"] == "left out of 6 lists"
    assert (left["convention"], left["ties"], left["ranking"]) == ("hashzoo", "expected", "hamming")


def own_data(path: Path, labels: np.ndarray, shift: float = 0.0) -> dict[str, object]:
    """Settings of 200 items of own data, whose ids are their places."""
    inputs = np.random.default_rng(0).normal(size=(200, 16)) + 3 * np.eye(16)[labels % 16] + shift
    parts = {"train": slice(0, 100), "query": slice(100, 140), "database": slice(140, 200)}
    arrays = {f"features_{part}": inputs[rows] for part, rows in parts.items()}
    np.savez(path, **arrays, **{f"labels_{part}": labels[rows] for part, rows in parts.items()})
    return {"data.path": str(path)}


def test_a_run_on_own_data_is_made_again_when_its_labels_change(tmp_path: Path) -> None:
    labels, out = np.arange(200) % 4, tmp_path / "runs"
    asked = RunRequest("itq", dataset="arrays", bits=(8,), settings=own_data(tmp_path / "a.npz", labels), out=out)
    (before,) = run(asked)
    assert run(asked) == [before]
    with np.load(tmp_path / "a.npz") as held:
        arrays = {name: array % 2 if name.startswith("labels") else array for name, array in held.items()}
    np.savez(tmp_path / "a.npz", **arrays)
    (after,) = run(asked)
    (fresh,) = run(replace(asked, out=tmp_path / "fresh"))
    assert after.metrics == fresh.metrics != before.metrics
    assert after.split_sha256 != before.split_sha256
    assert after.table_sha256 == before.table_sha256
    verdict = verify(next(out.rglob("record.json")).parent, train=True, device="cpu", reporter=Quiet())
    assert verdict.ok
    (tmp_path / "a.npz").unlink()
    own_data(tmp_path / "a.npz", labels)
    verdict = verify(next(out.rglob("record.json")).parent, train=True, device="cpu", reporter=Quiet())
    assert (verdict.ok, verdict.training) == (False, "not comparable")


def test_own_data_of_two_kinds_are_neither_pooled_nor_compared(tmp_path: Path) -> None:
    """Both have 200 items called 0 to 199."""
    folders = []
    for seed, shift in enumerate((0.0, 5.0)):
        settings = own_data(tmp_path / f"{seed}.npz", np.arange(200) % 4, shift)
        run(RunRequest("itq", dataset="arrays", bits=(8,), seeds=(seed,), settings=settings, out=tmp_path / str(seed)))
        folders.append(run_folder(tmp_path / str(seed)))
    records = [read_record(path) for path in sorted(tmp_path.rglob("record.json"))]
    assert [board.cells["seeds"].tolist() for board in boards(records)] == [[1], [1]]
    cells = [next(folder.glob("bits-008/seed-*")) for folder in folders]
    with pytest.raises(UsageError, match="split is"):
        compare_cells(*cells, "map")


def test_the_time_of_a_training_is_that_of_all_processes_that_took_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Resumed(Checkpoints):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.earlier = 1000.0  # as `latest` sets it for what it found

    monkeypatch.setattr(stages, "Checkpoints", Resumed)
    (record,) = run(RunRequest("lsh", bits=(8,), out=tmp_path))
    assert 1000.0 <= record.timings["train"] < 1100.0
    assert record.timings["encode"] < 1000.0
    assert CellFolder(next(tmp_path.glob("*/bits-008/seed-0"))).seconds()["train"] >= 1000.0
