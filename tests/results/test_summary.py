from __future__ import annotations

import pytest

from hashzoo.results.summary import print_records


def test_both_directions_are_readable_on_a_terminal_of_80_columns(make_record, capsys: pytest.CaptureFixture[str]):
    names = ("map", "map@h2", "precision@h2", "precision@1000")
    directions = ("image-to-text", "text-to-image")
    metrics = {f"{way}/{name}": 0.1234 for way in directions for name in names}
    print_records([make_record("dcmh", protocol="wiki-2173", metrics=metrics)])
    text = capsys.readouterr().out
    assert all(word in text for word in (*directions, *names[:3]))
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_one_direction_shows_the_usual_metrics(make_record, capsys: pytest.CaptureFixture[str]):
    print_records([make_record("dch", metrics={"map": 0.25, "precision@1000": 0.125})])
    text = capsys.readouterr().out
    assert all(word in text for word in ("map", "precision@1000", "0.2500", "0.1250"))
    assert "direction" not in text
