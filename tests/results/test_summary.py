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


def test_what_was_asked_for_is_shown(make_record, capsys: pytest.CaptureFixture[str]):
    print_records([make_record("dch", metrics={"map": 0.25, "precision@500": 0.125})], ["precision@500"])
    lines = capsys.readouterr().out.splitlines()
    assert "precision@500" in "".join(lines)
    assert "0.1250" in "".join(lines)
    assert "0.2500" not in "".join(lines)


def test_names_do_not_steer_the_terminal(make_record, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", "60")
    names = ("map", "map@h2", "precision@h2", "precision@1000")
    print_records([make_record("[red]x[/red]\x1b[2J", metrics=dict.fromkeys(names, 0.1234))])
    text = capsys.readouterr().out
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert text.count("0.1234") == 4
    assert max(map(len, text.splitlines())) <= 60
