from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hashzoo.errors import WorkError
from hashzoo.results import record as module
from hashzoo.results.record import (
    MIGRATIONS,
    SCHEMA_VERSION,
    defined,
    migrate,
    now_utc,
    read_record,
    same_result,
    seal,
    write_record,
)

SAMPLES = Path(__file__).parent / "samples"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_round_trip_keeps_every_field(tmp_path, make_record):
    record = make_record(
        metrics={"map": 1 / 3, "image-to-text/map@h2": 0.1 + 0.2},
        curves={"pr_curve": [[0.0, 1.0], [0.5, None]]},
        config={"recipe": {"lr": 1e-4}, "loss": {"name": "dch", "options": {"steps": (1, 2)}}},
        plugins={"method": {"distribution": "hashzoo-dch", "version": "1.0", "sha256": "ab"}},
        notes=["one"],
    )
    written = write_record(tmp_path / "deep" / "record.json", record)
    read = read_record(tmp_path / "deep" / "record.json")
    assert read == written
    assert read.metrics == {"map": 1 / 3, "image-to-text/map@h2": 0.1 + 0.2}
    assert read.config.recipe.lr == 1e-4
    assert read.config.loss.options == {"steps": [1, 2]}
    assert read.model_dump(exclude={"record_sha256"}) == record.model_dump(exclude={"record_sha256"})
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "record.json"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), max_size=3))
def test_any_finite_metrics_survive_the_file(tmp_path, make_record, metrics):
    write_record(tmp_path / "record.json", make_record(metrics=metrics))
    assert read_record(tmp_path / "record.json").metrics == metrics


def test_seal_is_the_sha256_of_the_canonical_json_without_itself():
    import hashlib

    expected = hashlib.sha256('{"a":1.5,"é":[true,null]}'.encode()).hexdigest()
    assert seal({"é": [True, None], "a": 1.5, "record_sha256": "anything"}) == expected


def test_a_value_edited_by_hand_is_noticed(tmp_path, make_record):
    path = tmp_path / "record.json"
    write_record(path, make_record(metrics={"map": 0.8125}))
    edit(path, "0.8125", "0.9125")
    with pytest.raises(WorkError, match=re.escape(str(path)) + r" was changed after hashzoo wrote it"):
        read_record(path)


def test_reformatting_is_not_an_edit(tmp_path, make_record):
    path = tmp_path / "record.json"
    record = write_record(path, make_record())
    path.write_text(json.dumps(json.loads(path.read_text()), indent=8, sort_keys=True))
    assert read_record(path) == record


def test_every_proper_beginning_of_the_file_is_refused_with_a_sentence(tmp_path, make_record):
    path = tmp_path / "record.json"
    write_record(path, make_record())
    whole = path.read_text().rstrip()
    for size in range(0, len(whole), 37):
        path.write_text(whole[:size])
        with pytest.raises(WorkError, match="cut short or damaged"):
            read_record(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1, 2]", "holds no JSON object"),
        (b"{}", "not a record of hashzoo"),
        (b'{"schema_version": true, "record_sha256": ""}', "not a record of hashzoo"),
        (b'{"schema_version": 99, "record_sha256": ""}', "schema 99 .* upgrade hashzoo"),
        (b'{"metrics": {"map": NaN}}', "holds NaN"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_other_files_are_refused_with_a_sentence(tmp_path, content, message):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(WorkError, match=message) as caught:
        read_record(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(WorkError, match="cannot be read"):
        read_record(tmp_path / "none.json")


def test_a_sealed_file_without_a_field_is_named_with_the_field(tmp_path, make_record):
    path = tmp_path / "record.json"
    raw = write_record(path, make_record()).model_dump(mode="json")
    del raw["split_sha256"]
    raw["record_sha256"] = seal(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(WorkError, match="not a valid record: split_sha256: field required"):
        read_record(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"metrics": {"map": float("nan")}},
        {"metrics": {"map": float("inf")}},
        {"metrics": {"map": "0.5"}},
        {"curves": {"pr_curve": [[0.0, float("nan")]]}},
        {"curves": {"pr_curve": 0.5}},
        {"config": {"path": Path("x")}},
        {"bits": -1},
        {"bits": 16.0},
        {"seed": -1},
        {"regime": "partly"},
        {"created": "2030-01-31T12:00:00"},
        {"created": "2030-01-31T12:00:00+02:00"},
        {"method": ""},
        {"unknown": 1},
    ],
)
def test_values_that_do_not_fit_are_refused(make_record, changed):
    with pytest.raises((ValidationError, TypeError)):
        make_record(**changed)


def test_nan_put_in_afterwards_never_reaches_the_file(tmp_path, make_record):
    record = make_record()
    record.metrics["map"] = float("nan")
    with pytest.raises(WorkError, match=r"metrics\.map"):
        write_record(tmp_path / "record.json", record)
    assert list(tmp_path.iterdir()) == []


def test_defined_leaves_undefined_metrics_out():
    assert defined({"a": 0, "b": None, "c": float("nan"), "d": 0.25}) == {"a": 0.0, "d": 0.25}


def test_a_failed_write_keeps_the_old_record_and_leaves_nothing_behind(tmp_path, make_record, monkeypatch):
    path = tmp_path / "record.json"
    old = write_record(path, make_record())

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WorkError, match="No space left on device"):
        write_record(path, make_record(metrics={"map": 0.9}))
    assert read_record(path) == old
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_same_result_ignores_time_and_nothing_else(make_record):
    one = make_record()
    later = one.model_copy(update={"created": now_utc(), "timings": {"train": 9.0}}).sealed()
    assert same_result(one, later)
    assert not same_result(one, one.model_copy(update={"metrics": {"map": 0.5000000001}}))


def test_now_utc_is_accepted_by_the_record(make_record):
    assert make_record(created=now_utc()).created.endswith("+00:00")


def test_there_is_a_sample_of_every_schema_and_it_loads():
    samples = {path.name: path for path in SAMPLES.glob("schema-*.json")}
    assert sorted(samples) == [f"schema-{version}.json" for version in range(1, SCHEMA_VERSION + 1)]
    for path in samples.values():
        record = read_record(path)
        assert (record.method, record.bits, record.seed) == ("dch", 48, 0)
        assert record.metrics["map@h2"] == 0.5125
        assert record.plugins["method"].distribution == "hashzoo-dch"


def test_every_past_schema_has_a_migration():
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA_VERSION))


def test_migration_goes_through_every_step_and_seals_anew():
    steps = {
        1: lambda raw: {**raw, "name": raw["title"]},
        2: lambda raw: {**raw, "name": raw["name"].upper()},
    }
    done = migrate({"schema_version": 1, "title": "a", "record_sha256": "x"}, steps, 3)
    assert done is not None
    assert (done["schema_version"], done["name"]) == (3, "A")
    assert done["record_sha256"] == seal(done)
    assert migrate({"schema_version": 0}, steps, 3) is None


def test_an_old_record_is_migrated_when_read(tmp_path, make_record, monkeypatch):
    path = tmp_path / "record.json"
    raw = write_record(path, make_record()).model_dump(mode="json")
    raw["schema_version"] = 0
    raw["scores"] = raw.pop("metrics")
    raw["record_sha256"] = seal(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(WorkError, match="schema 0, which no release wrote"):
        read_record(path)
    renamed = {
        0: lambda old: {**{k: v for k, v in old.items() if k != "scores"}, "metrics": old["scores"]},
        1: lambda old: old,
    }
    monkeypatch.setattr(module, "MIGRATIONS", renamed)
    assert read_record(path).metrics == {"map": 0.5}


def test_backbones_of_several_modalities_make_one_name(make_record):
    both = make_record(backbone={"image": "cnn-f", "text": "text-mlp"})
    assert both.backbone_name == "cnn-f+text-mlp"
    assert make_record(backbone={"image": "identity", "text": "identity"}).backbone_name == "identity"
