"""How a run says what it is doing: a live display on a terminal, plain lines in a log, nothing in a program."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn


def duration(seconds: float) -> str:
    """Return seconds in words.

    >>> [duration(n) for n in (3.2, 59.6, 600, 9000)]
    ['3 s', '1 min', '10 min', '2.5 h']
    """
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Pace:
    """How long the rest of a stage of `total` steps takes if it goes on as it went; its clock runs from now."""

    def __init__(self, total: int) -> None:
        self._total, self._begin = total, time.monotonic()

    def left(self, done: int) -> str:
        """Return in words the time that is left after `done` steps; "" where that is nothing or not known."""
        seconds = (time.monotonic() - self._begin) / done * (self._total - done) if done else 0.0
        return f"about {duration(seconds)} left" if seconds >= 1 else ""


class Reporter(Protocol):
    """What a run calls; `total` is in steps of the stage (epochs, images, cells)."""

    def begin(self, stage: str, total: int) -> None:
        """A stage of `total` steps begins."""

    def advance(self, done: int, note: str = "") -> None:
        """`done` steps of the current stage are finished."""

    def say(self, text: str) -> None:
        """A line worth keeping: a finished cell, a warning."""


class Quiet:
    """Says nothing."""

    def begin(self, stage: str, total: int) -> None:
        """Do nothing."""

    def advance(self, done: int, note: str = "") -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""


class Lines:
    """Plain lines on standard error: the beginning of a stage, then at most one line in `seconds`."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._stage, self._total, self._last = "", 0, 0.0
        self._pace = Pace(0)

    def begin(self, stage: str, total: int) -> None:
        """Remember the stage; its first line comes when it has taken a while."""
        self._stage, self._total, self._last = stage, total, time.monotonic()
        self._pace = Pace(total)

    def advance(self, done: int, note: str = "") -> None:
        """Print a line if the last one is long enough ago."""
        if time.monotonic() - self._last >= self._seconds:
            self._last = time.monotonic()
            words = (f"{self._stage}: {done}/{self._total} {note}".rstrip(), self._pace.left(done))
            print(", ".join(filter(None, words)), file=sys.stderr, flush=True)  # noqa: T201 -- this class prints

    def say(self, text: str) -> None:
        """Print the line."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201 -- this class prints


class Live:
    """A bar with stage, count, note and time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._pace = Pace(0)

    def __enter__(self) -> Live:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, stage: str, total: int) -> None:
        """Show a new bar in place of the last one."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(stage, total=total, note="", left="")
        self._pace = Pace(total)

    def advance(self, done: int, note: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, note=note, left=self._pace.left(done))

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, highlight=False, markup=False)


def stage(reporter: Reporter, name: str) -> Callable[[int, int], None]:
    """Return progress(done, total), which begins a stage of the reporter at its first call."""
    begun: list[int] = []

    def progress(done: int, total: int) -> None:
        if begun != [total]:
            begun[:] = [total]
            reporter.begin(name, total)
        reporter.advance(done)

    return progress


@contextmanager
def terminal_reporter(quiet: bool = False) -> Iterator[Reporter]:
    """Yield the reporter that suits standard error: live on a terminal, lines in a log, nothing when quiet.

    Standard output is the command's answer, often read by a program: what a plugin or a library prints there while the
    work lasts goes to standard error.
    """
    console = Console(stderr=True)
    with redirect_stdout(sys.stderr):
        if quiet:
            yield Quiet()
        elif console.is_terminal:
            with Live(console) as live:
                yield live
        else:
            yield Lines()


@contextmanager
def own_reporter() -> Iterator[Reporter]:
    """Yield the reporter of a run from Python: live on a terminal and in a notebook, else nothing."""
    console = Console(stderr=True)
    if console.is_terminal or console.is_jupyter:
        with Live(console) as live:
            yield live
    else:
        yield Quiet()
