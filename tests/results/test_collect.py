from __future__ import annotations

import os
import re

import pytest

from hashzoo.errors import UsageError, WorkError
from hashzoo.results.boards import accept
from hashzoo.results.collect import collect


def test_records_are_found_in_run_directories_accepted_records_and_by_name(tmp_path, make_record, store):
    runs = store(make_record(seed=0), make_record(seed=1))
    (accepted,) = accept(collect([store(make_record(seed=2), folder="other")]), tmp_path / "accepted")
    (runs / "run-0" / "split.json").write_text("{}")
    (runs / "run-0" / "config.json").write_text("{")
    found = collect([runs, accepted])
    assert [item.record.seed for item in found] == [2, 0, 1]
    assert found[0].path == accepted
    assert [item.record.seed for item in collect([tmp_path / "accepted"])] == [2]


def test_a_file_reached_twice_is_one_record(make_record, store):
    runs = store(make_record())
    assert len(collect([runs, runs / "run-0", runs / "run-0" / "record.json"])) == 1


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UsageError, match="There is no file or folder"):
        collect([tmp_path / "none"])


def test_duplicates_name_both_files(make_record, store):
    runs = store(make_record(), make_record(metrics={"map": 0.75}))
    with pytest.raises(WorkError) as caught:
        collect([runs])
    for number in (0, 1):
        assert str(runs / f"run-{number}" / "record.json") in str(caught.value)
    assert "dch, cifar10-5k-disjoint, alexnet finetune, 16 bits, seed 0" in str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"bits": 32},
        {"method": "dhn"},
        {"protocol": "cifar10-5k"},
        {"regime": "scratch"},
        {"frozen": True},
        {"backbone": {"image": "vgg16"}},
        {"ties": "best"},
        {"convention": "hashnet"},
        {"split_sha256": "e" * 64},
        {"config": {"method": "dch", "recipe": {"lr": 0.01}}},
    ],
)
def test_records_that_differ_in_what_was_measured_are_no_duplicates(make_record, store, changed):
    assert len(collect([store(make_record(), make_record(**changed))])) == 2


def test_more_metrics_asked_for_are_still_the_same_measurement(make_record, store):
    config = {"method": "dch", "recipe": {"lr": 0.001}}
    runs = store(
        make_record(config={**config, "evaluation": {"metrics": ["map"]}}),
        make_record(config={**config, "evaluation": {"metrics": None}}),
    )
    with pytest.raises(WorkError, match="records of the same run"):
        collect([runs])


def test_every_unreadable_record_is_named_at_once(make_record, store):
    runs = store(make_record(seed=0), make_record(seed=1), make_record(seed=2))
    cut, edited = runs / "run-0" / "record.json", runs / "run-2" / "record.json"
    cut.write_text(cut.read_text()[:100])
    edited.write_text(edited.read_text().replace('"map": 0.5', '"map": 0.6'))
    with pytest.raises(WorkError) as caught:
        collect([runs])
    assert re.search(re.escape(str(cut)) + " is not complete JSON", str(caught.value))
    assert re.search(re.escape(str(edited)) + " was changed", str(caught.value))
    assert "run-1" not in str(caught.value)


def test_an_accepted_copy_gives_way_to_its_own_run_only(tmp_path, make_record, store):
    runs = store(make_record())
    accept(collect([runs]), tmp_path / "accepted")
    (found,) = collect([tmp_path / "accepted", runs])
    assert found.path == runs / "run-0" / "record.json"
    again = store(make_record(metrics={"map": 0.75}), folder="again")
    with pytest.raises(WorkError, match="records of the same run"):
        collect([tmp_path / "accepted", again])


def test_a_folder_with_the_name_of_a_record_is_named_and_counted(make_record, store):
    runs = store(make_record(seed=0), make_record(seed=1))
    (runs / "run-2" / "record.json").mkdir(parents=True)
    (runs / "run-3").mkdir()
    (runs / "run-3" / "record.json").symlink_to("nowhere")
    with pytest.raises(WorkError) as caught:
        collect([runs])
    assert str(caught.value).startswith("2 of 4 records cannot be read:")
    for number in (2, 3):
        assert f"{runs / f'run-{number}' / 'record.json'} has the name of a record" in str(caught.value)


def test_a_folder_that_cannot_be_listed_is_named(make_record, store, monkeypatch):
    runs = store(make_record(seed=0), make_record(seed=1))
    listing = os.scandir

    def refuse(path):
        if str(path).endswith("run-1"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(WorkError, match=r"run-1 cannot be listed \(Permission denied\)"):
        collect([runs])
