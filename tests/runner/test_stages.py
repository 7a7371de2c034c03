"""Runs of a toy method on a file of vectors: fit of the parts, stages, loading, export, encoding."""

from __future__ import annotations

import errno
import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
import pytest
import torch
from PIL import Image

from hashzoo.data import images
from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import load_codes
from hashzoo.plugins import Registry
from hashzoo.runner import build
from hashzoo.runner import export as exporting
from hashzoo.runner.cell import Cell
from hashzoo.runner.export import export_codes, write_encoded
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run

ON_CPU = {"device": "cpu", "precision": "fp32"}


@pytest.fixture
def toy(tmp_path: Path, vectors: dict[str, object]) -> RunRequest:
    return RunRequest(
        "toy", "arrays", backbone="identity", bits=(12,), settings=vectors, out=tmp_path / "runs", **ON_CPU
    )  # type: ignore[arg-type] # both are texts


def cell_of(request: RunRequest) -> Path:
    (cell,) = request.out.glob("*/bits-*/seed-*")
    return cell


@pytest.fixture
def own(reg: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Loading asks for the registry of the process; here it is the one with the toy method."""
    monkeypatch.setattr(build, "registry", lambda: reg)
    return reg


def test_other_metrics_change_the_record_alone(reg: Registry, toy: RunRequest) -> None:
    (first,) = run(toy, reg=reg)
    cell = cell_of(toy)
    before = {p.name: p.stat().st_mtime_ns for p in cell.iterdir() if p.is_file()}
    (second,) = run(replace(toy, metrics=("map@10",), ties="worst"), reg=reg)
    assert cell_of(toy) == cell  # and no second run directory
    after = {p.name: p.stat().st_mtime_ns for p in cell.iterdir() if p.is_file()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert {name for name in changed if not name.startswith("record-")} == {"record.json", "stages.json"}
    assert len(changed) == 3  # the record with the other order of ties is kept
    assert second.codes_sha256 == first.codes_sha256
    assert "map@10" in second.metrics
    assert second.metrics["map"] < first.metrics["map"]  # the worst order of ties
    assert second.timings["train"] == first.timings["train"]


def test_history_has_a_line_for_each_epoch(reg: Registry, toy: RunRequest) -> None:
    run(toy, reg=reg)
    lines = [json.loads(line) for line in (cell_of(toy) / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(set(line) == {"epoch", "classification", "size"} for line in lines)
    assert lines[-1]["classification"] < lines[0]["classification"]


def test_overwrite_always_keeps_finished_cells_until_their_turn(reg: Registry, toy: RunRequest, tmp_path: Path) -> None:
    run(toy, reg=reg)
    (tmp_path / "vectors.npz").write_bytes(b"no longer what it was")
    with pytest.raises(WorkError):
        run(replace(toy, overwrite="always"), reg=reg)
    assert (cell_of(toy) / "record.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "constant"}, "nothing can be trained"),
        ({"method": "toy-blind", "loss": "reads"}, "it reads labels, and the method is unsupervised"),
        ({"method": "toy-blind", "loss": "masks"}, "it reads labels, and the method is unsupervised"),
        ({"settings": {"batch_size": 41}}, r"batch size 41 is larger than the train split \(40 items\)"),
        (
            {"backbone": "mlp", "settings": {"backbone.hidden": 0, "batch_size": 20}},
            "hidden must be an integer of at least 1",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    reg: Registry, toy: RunRequest, options: dict[str, object], message: str
) -> None:
    small = {} if "method" not in options else {"batch_size": 20}
    settings = {**toy.settings, **small, **options.pop("settings", {})}  # type: ignore[dict-item] # a dict
    with pytest.raises(UsageError, match=message):
        run(replace(toy, settings=settings, **options), reg=reg)  # type: ignore[arg-type] # by keyword
    assert not list(toy.out.glob("*/bits-*/seed-*/record.json"))


def test_a_wrong_value_for_the_builder_is_named(reg: Registry, toy: RunRequest) -> None:
    request = replace(toy, dataset="digits", backbone="smallcnn", settings={"backbone.width": -3})
    with pytest.raises(UsageError, match="'smallcnn' cannot be built with width=-3"):
        run(request, reg=reg)


def test_a_run_directory_that_is_a_file_is_a_sentence(reg: Registry, toy: RunRequest, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(WorkError, match=r"Could not write in .*taken"):
        run(replace(toy, out=tmp_path / "taken"), reg=reg)


def signs_of(model: torch.nn.Module, modality: str, inputs: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        relaxed = model(modality, torch.from_numpy(inputs)).relaxed.numpy()
    return np.where(relaxed >= 0, 1, -1)


def test_a_loaded_model_gives_the_codes_of_the_run(own: Registry, toy: RunRequest, tmp_path: Path) -> None:
    run(toy, reg=own)
    codes = load_codes(cell_of(toy) / "codes.npz")["database.vector"]
    inputs = np.load(tmp_path / "vectors.npy")[[int(i) for i in codes.ids]]
    found = signs_of(Cell(cell_of(toy)).model(), "vector", inputs)
    assert np.array_equal(found, codes.signs())


@pytest.mark.parametrize("method", ["toy", "lsh"])
def test_a_model_on_frozen_features_is_loaded_with_its_backbone_in_front(
    own: Registry, toy: RunRequest, method: str
) -> None:
    from hashzoo.data import load_splits
    from hashzoo.data.datasets import DIGITS

    settings = {"batch_size": 100, "epochs": 1} if method == "toy" else {}
    request = replace(
        toy, method=method, dataset="digits", backbone="smallcnn", freeze_backbone=True, settings=settings
    )
    run(request, reg=own)
    codes = load_codes(cell_of(toy) / "codes.npz")["query.image"]
    splits = load_splits(DIGITS, DIGITS.protocols[0], Path())
    torch.manual_seed(99)  # the frozen backbone was never trained: it has to be that of the run all the same
    model = Cell(cell_of(toy)).model()
    found = signs_of(model, "image", np.array(splits.table.inputs["image"][splits.query]))
    assert np.array_equal(found, codes.signs())


def test_loading_a_model_leaves_the_random_state(own: Registry, toy: RunRequest) -> None:
    run(toy, reg=own)

    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    drawn = []
    for load in (False, True):
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)
        if load:
            Cell(cell_of(toy)).model()
        drawn.append(draws())
    assert drawn[0] == drawn[1]


def test_packed_codes_have_the_distances_of_the_signs(own: Registry, toy: RunRequest, tmp_path: Path) -> None:
    run(toy, reg=own)  # 12 bits: the second byte is padded
    paths = export_codes(cell_of(toy), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in paths)
    stored = load_codes(cell_of(toy) / "codes.npz")
    query, database = (np.load(tmp_path / "out" / f"{part}.vector.npy") for part in ("query", "database"))
    assert query.dtype == np.uint8
    assert query.shape == (30, 2)
    distances = np.unpackbits(query[:, None] ^ database[None], axis=2).sum(2)  # as a binary index counts them
    signs = stored["query.vector"].signs().astype(int), stored["database.vector"].signs().astype(int)
    assert np.array_equal(distances, (12 - signs[0] @ signs[1].T) // 2)
    assert np.array_equal(distances[:, 0] == 0, (signs[0] == signs[1][0]).all(1))
    ids = (tmp_path / "out" / "query.vector.ids.txt").read_text().splitlines()
    assert ids == [str(i) for i in stored["query.vector"].ids]


def test_an_export_that_fails_leaves_nothing_behind(
    own: Registry, toy: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(toy, reg=own)

    def full(stream: BinaryIO, array: np.ndarray) -> None:
        stream.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(WorkError, match="No space left on device"):
        export_codes(cell_of(toy), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_codes_of_another_cell_are_not_exported(own: Registry, toy: RunRequest, tmp_path: Path) -> None:
    run(replace(toy, seeds=(0, 1)), reg=own)
    zero, one = sorted(toy.out.glob("*/bits-*/seed-*"))
    (zero / "codes.npz").write_bytes((one / "codes.npz").read_bytes())
    with pytest.raises(WorkError, match="not the file that the record was made from"):
        export_codes(zero, tmp_path / "out")


def test_vectors_are_encoded_to_the_codes_of_the_run(own: Registry, toy: RunRequest, tmp_path: Path) -> None:
    run(toy, reg=own)
    cell = cell_of(toy)
    count = write_encoded(cell, tmp_path / "vectors.npy", tmp_path / "new.npz", modality=None, device="cpu")
    assert count == 120
    new = load_codes(tmp_path / "new.npz")["vector"]
    stored = load_codes(cell / "codes.npz")["database.vector"]
    rows = [int(i) for i in stored.ids]
    assert np.array_equal(new.packed[rows], stored.packed)


def test_images_are_encoded_to_the_codes_of_the_run(
    own: Registry, toy: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(12):
            size = (20 + i, 24, 3)  # of different sizes: they are resized as the dataset does it
            Image.fromarray(draw.integers(0, 256, size, dtype=np.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    settings = {
        "data.path": str(tmp_path / "photos"), "data.queries_per_class": 3, "data.train_per_class": 4,
        "data.stored_size": 16, "backbone.width": 4, "epochs": 1, "batch_size": 4,
    }  # fmt: skip
    run(replace(toy, dataset="imagefolder", backbone="smallcnn", settings=settings), reg=own)
    held = []  # how many images are decoded at a time
    decode_any = images.decode_any
    monkeypatch.setattr(images, "decode_any", lambda some, *form: held.append(len(some)) or decode_any(some, *form))
    monkeypatch.setattr(exporting, "AT_ONCE", 10)
    write_encoded(cell_of(toy), tmp_path / "photos", tmp_path / "new.npz", modality=None, device="cpu")
    assert held == [10, 10, 4]
    new = load_codes(tmp_path / "new.npz")["image"]
    place = {str(name): row for row, name in enumerate(new.ids)}
    for part in load_codes(cell_of(toy) / "codes.npz").values():
        rows = [place[str(name)] for name in part.ids]
        assert np.array_equal(new.packed[rows], part.packed)


def test_encoding_uses_the_run_s_precision() -> None:
    config = {"precision": "bf16", "freeze_backbone": False, "input_shapes": {"image": [8, 8, 3]}}

    def of(**changes: object) -> str:
        return exporting._precision(SimpleNamespace(config=SimpleNamespace(**{**config, **changes})), "cpu")

    assert of() == "bf16"
    assert of(precision="fp16") == "fp32"  # the processor has none
    assert of(input_shapes={"text": [7]}) == "fp32"  # models of vectors are trained in fp32
    assert of(input_shapes={"text": [7]}, freeze_backbone=True) == "bf16"  # but frozen features are not


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 5), np.float32), r"shape \(5,\); the model takes \(3,\)"),
        (np.zeros((4, 5, 5, 3), np.float32), "to be uint8"),
        (np.zeros((0, 3), np.float32), "has shape"),
        (np.array([["a", "b", "c"]]), "vectors are numbers"),
    ],
)
def test_inputs_that_the_model_cannot_take_are_refused(
    own: Registry, toy: RunRequest, tmp_path: Path, array: np.ndarray, message: str
) -> None:
    run(toy, reg=own)
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(UsageError, match=message):
        write_encoded(cell_of(toy), tmp_path / "x.npy", tmp_path / "new.npz", modality=None, device="cpu")


def test_a_modality_that_the_model_has_not_is_refused(own: Registry, toy: RunRequest, tmp_path: Path) -> None:
    run(toy, reg=own)
    with pytest.raises(UsageError, match="no modality 'text'; it has vector"):
        write_encoded(cell_of(toy), tmp_path / "vectors.npy", tmp_path / "n.npz", modality="text", device="cpu")
