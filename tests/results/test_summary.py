from __future__ import annotations

import pytest

from hashzoo.results.record import Record
from hashzoo.results.summary import directions_of, print_records, shown_metrics


def record(metrics: dict[str, float]) -> Record:
    return Record(
        method="m", floor=False, protocol="p", dataset="d", backbone={"image": "b"}, frozen=False, regime="scratch",
        bits=16, seed=3, metrics=metrics, config={}, plugins={}, versions={}, environment={},
        timings={"train": 1.0, "encode": 0.5}, codes_sha256="", split_sha256="", convention="hashzoo",
        ties="expected", headline="map@h2", created="2030-01-31T12:00:00+00:00",
    )  # fmt: skip


def test_one_direction_is_one_row_with_the_headline_first(capsys: pytest.CaptureFixture[str]) -> None:
    records = [record({"map": 0.25, "map@h2": 0.5, "bit_entropy": 1.0})]
    assert directions_of(records) == [""]
    assert shown_metrics(records) == ["map@h2", "map"]
    print_records(records)
    row = next(line for line in capsys.readouterr().out.splitlines() if "0.5000" in line)
    assert [cell.strip() for cell in row.strip("│ ").split("│")] == ["16", "3", "0.5000", "0.2500", "1.5"]


def test_each_direction_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_records([record({"image-to-text/map": 0.1, "text-to-image/map": 0.2})])
    shown = capsys.readouterr().out
    assert "0.1000" in next(line for line in shown.splitlines() if "image-to-text" in line)
    assert "0.2000" in next(line for line in shown.splitlines() if "text-to-image" in line)
