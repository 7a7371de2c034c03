"""What a run says on a terminal and in a log: one estimate of the time that is left, by the mean step."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hashzoo.runner import progress
from hashzoo.runner.progress import Lines, Live


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_lines_say_what_is_left(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.begin("study of 4 cells", 4)
    clock[0] += 45
    lines.advance(3, "itq")
    clock[0] += 15
    lines.advance(4, "lsh")
    assert capsys.readouterr().err.splitlines() == [
        "study of 4 cells: 3/4 itq, about 15 s left", "study of 4 cells: 4/4 lsh",
    ]  # fmt: skip


def test_the_bar_says_the_same(clock: list[float]) -> None:
    live = Live(Console(file=io.StringIO(), width=120, force_terminal=True))
    live.begin("study of 4 cells", 4)
    clock[0] += 45
    live.advance(3, "itq")
    (task,) = live._progress.tasks
    assert task.fields["left"] == "about 15 s left"
    shown = Console(file=io.StringIO(), width=120)
    shown.print(live._progress)
    assert "about 15 s left itq" in shown.file.getvalue()  # type: ignore[attr-defined] # it is the StringIO of above
    assert "0:00" not in shown.file.getvalue()  # type: ignore[attr-defined] # as above
