"""Files that are not those of their cell: a model, a record or weights from elsewhere are named, never used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hashzoo.errors import WorkError
from hashzoo.runner.cell import Cell
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run


def cells(out: Path) -> tuple[Path, Path]:
    first, second = sorted(out.glob("*/bits-012/seed-*"))
    return first, second


def test_a_model_or_record_of_another_seed_is_named(tmp_path: Path) -> None:
    request = RunRequest(method="lsh", bits=(12,), seeds=(0, 1), out=tmp_path / "runs", device="cpu")
    run(request)
    first, second = cells(tmp_path / "runs")
    model, record = (first / "model.safetensors").read_bytes(), (first / "record.json").read_bytes()
    (first / "model.safetensors").write_bytes((second / "model.safetensors").read_bytes())
    with pytest.raises(WorkError, match=r"model\.safetensors is not the file that was written"):
        Cell(first).model()
    (first / "model.safetensors").write_bytes(model)
    Cell(first).model()
    (first / "record.json").write_bytes((second / "record.json").read_bytes())
    with pytest.raises(WorkError, match=r"is the record of 12 bits, seed 1, copied from elsewhere"):
        run(request)
    (first / "record.json").write_bytes(record)
    assert len(run(request)) == 2


def test_an_overwritten_weights_file_is_another_run_and_no_encoder(tmp_path: Path) -> None:
    from hashzoo.plugins import registry
    from hashzoo.results.config import Part
    from hashzoo.runner.build import build_backbone

    weights = tmp_path / "w.pth"
    torch.manual_seed(0)
    network = build_backbone(registry(), Part(name="smallcnn", options={}), (8, 8, 3))
    state = {name.removeprefix("network."): value for name, value in network.state_dict().items()}
    torch.save(state, weights)
    request = RunRequest(
        method="lsh", backbone="smallcnn", freeze_backbone=True, bits=(12,), out=tmp_path / "runs", device="cpu",
        settings={"backbone.weights": str(weights)},
    )  # fmt: skip
    before = run(request)[0]
    (cell,) = (tmp_path / "runs").glob("*/bits-012/seed-0")
    torch.save({name: value + 0.1 if value.is_floating_point() else value for name, value in state.items()}, weights)
    with pytest.raises(WorkError, match=r"not those that the record was made with"):
        Cell(cell).model()
    after = run(request)[0]
    assert before.weights != after.weights
    assert before.codes_sha256 != after.codes_sha256
    assert len(list(cell.glob("record-*.json"))) == 1, "the former record is kept beside the new one"
