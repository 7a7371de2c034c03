"""What the cells of one process share is made once, and made anew where another is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hashzoo.plugins import plugin_file_hash
from hashzoo.plugins.loading import Plugin
from hashzoo.results.record import Record, read_record, same_result
from hashzoo.runner import run as running
from hashzoo.runner import workshop
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run
from hashzoo.runner.shelf import Shelf


def test_the_last_of_each_kind_is_held() -> None:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    shelf = Shelf()
    for kind, name in (("splits", "a"), ("features", "a"), ("splits", "a"), ("splits", "b"), ("splits", "a")):
        assert shelf.get(kind, {"name": name}, lambda name=name: make(name)) == name  # type: ignore[misc] # bound at once
    assert made == ["a", "a", "b", "a"]


def test_a_thing_that_could_not_be_made_is_not_held() -> None:
    shelf = Shelf()
    shelf.get("splits", "a", lambda: 1)
    with pytest.raises(ZeroDivisionError):
        shelf.get("splits", "b", lambda: 1 // 0)
    assert shelf.get("splits", "b", lambda: 2) == 2


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    found = {"load_data": 0, "frozen_features": 0, "starting_weights": 0}
    for name in found:
        plain = getattr(running, name)

        def counted(*args: Any, _plain: Any = plain, _name: str = name, **options: Any) -> Any:
            found[_name] += 1
            return _plain(*args, **options)

        monkeypatch.setattr(running, name, counted)
    return found


def cell(out: Path, bits: int, **options: Any) -> RunRequest:
    return RunRequest(
        "greedyhash",
        protocol="digits-1k",
        freeze_backbone=True,
        bits=(bits,),
        settings={"epochs": 1},
        out=out,
        **options,
    )


def test_cells_of_one_shelf_share_data_features_and_digests(tmp_path: Path, calls: dict[str, int]) -> None:
    shelf = Shelf()
    wanted = [cell(tmp_path / "shared", 8, backbone="pixels"), cell(tmp_path / "shared", 16, backbone="pixels")]
    shared = [run(request, shelf=shelf)[0] for request in wanted]
    assert calls == {"load_data": 1, "frozen_features": 1, "starting_weights": 1}
    alone = [run(cell(tmp_path / "alone", bits, backbone="pixels"))[0] for bits in (8, 16)]
    assert calls == {"load_data": 3, "frozen_features": 3, "starting_weights": 3}
    assert all(same_result(one, two) for one, two in zip(shared, alone, strict=True))
    splits = [next((tmp_path / name).glob("*/split.json")).read_bytes() for name in ("shared", "alone")]
    assert splits[0] == splits[1]


def test_other_backbones_precisions_data_and_caches_are_not_mixed(
    tmp_path: Path, calls: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()

    def once(**options: Any) -> Record:
        return run(cell(tmp_path, 8, **{"backbone": "pixels", "precision": "fp32", **options}), shelf=shelf)[0]

    once()
    other = once(backbone="smallcnn")
    assert (calls["load_data"], calls["frozen_features"]) == (1, 2)
    assert other.metrics == run(cell(tmp_path / "alone", 8, backbone="smallcnn", precision="fp32"))[0].metrics
    calls.update(load_data=0, frozen_features=0)
    once(precision="bf16")
    once(precision="bf16", validation=0.2)
    assert (calls["load_data"], calls["frozen_features"]) == (1, 2)
    monkeypatch.setenv("HASHZOO_CACHE", str(tmp_path / "elsewhere"))
    once(precision="bf16", validation=0.2)
    assert (calls["load_data"], calls["frozen_features"]) == (1, 3)
    assert (tmp_path / "elsewhere" / "features").is_dir()


def test_the_files_of_a_distribution_are_read_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(plugin: Plugin) -> str:
        read.append(plugin.distribution)
        return plugin_file_hash(plugin)

    monkeypatch.setattr(workshop, "plugin_file_hash", counted)
    run(RunRequest("greedyhash", protocol="digits-1k", bits=(8, 16), settings={"epochs": 1}, out=tmp_path))
    assert sorted(read) == ["hashzoo", "hashzoo-greedyhash"]
    record = read_record(next(tmp_path.glob("*/bits-008/seed-0/record.json")))
    assert record.plugins["loss"] == record.plugins["method"] != record.plugins["dataset"] == record.plugins["trainer"]
