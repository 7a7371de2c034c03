"""What `--dry-run` shows: the cells, which are done, how long the others may take, and what stands in their way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hashzoo.studies.grid import Study
    from hashzoo.studies.request import EngineChoice

UNKNOWN = "not known"


def show_cells(study: Study, engine: EngineChoice, outs: Sequence[Path], as_json: bool) -> None:
    """Print the cells of a study; times are told from the records of the same set-up in the folders `outs`."""
    from hashzoo.studies.times import earlier_records, times_of

    times = times_of([record for out in outs for record in earlier_records(out)])
    todo = study.todo()
    seconds = {task.number: times.of(study.configs[task.number]) for task in todo}
    rows = [
        {
            "method": task.request.method,
            "protocol": task.request.protocol or task.request.dataset or "(default)",
            "bits": task.request.bits[0] if task.request.bits else 0,
            "seed": task.request.seeds[0],
            "done": task.number in study.done,
            "seconds": _rounded(seconds.get(task.number)),
        }
        for task in study.tasks
    ]
    known = [alone for alone in seconds.values() if alone is not None]
    if as_json:
        answer = {
            "cells": rows,
            "refused": [{"what": what, "why": why} for what, why in study.refused],
            "missing": list(study.missing),
            "todo": len(todo),
            "seconds": _rounded(sum(known)) if known else None,
            "unknown": len(todo) - len(known),
        }
        click.echo(json.dumps(answer, indent=2))
        return
    _show_rows(rows)
    for why, what in by_reason(study.refused).items():
        click.echo(f"{'; '.join(what)}: cannot be done ({why})")
    for sentence in study.missing:
        click.echo(f"Missing: {sentence}")
    number = len(study.tasks)
    click.echo(f"{number} cell{'s' if number != 1 else ''}, {number - len(todo)} done, {len(todo)} to do.")
    if todo:
        click.echo(_total(known, len(todo), engine, outs))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _show_rows(rows: Sequence[dict[str, Any]]) -> None:
    from hashzoo.runner.progress import duration

    wide = [max([len(key), *(len(str(row[key])) for row in rows)]) for key in ("method", "protocol")]
    click.echo(f"{'method':{wide[0]}}  {'protocol':{wide[1]}}  bits  seed  state")
    for row in rows:
        time = UNKNOWN if row["seconds"] is None else f"about {duration(row['seconds'])}"
        state = "done" if row["done"] else f"to do, {time}"
        names = f"{row['method']:{wide[0]}}  {row['protocol']:{wide[1]}}"
        click.echo(f"{names}  {row['bits'] or '-':>4}  {row['seed']:>4}  {state}")


def by_reason(failed: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return each reason once, with all that it stands in the way of.

    >>> by_reason([("a", "no file"), ("b", "no name"), ("c", "no file")])
    {'no file': ['a', 'c'], 'no name': ['b']}
    """
    found: dict[str, list[str]] = {}
    for what, why in failed:
        found.setdefault(why, []).append(what)
    return found


def _total(known: Sequence[float], todo: int, engine: EngineChoice, outs: Sequence[Path]) -> str:
    """Return in a sentence how long what is to do takes."""
    from hashzoo.runner.progress import duration

    where = ", ".join(map(str, outs))
    if not known:
        return f"How long they take is not known: {where} has no records of the same method, data and backbone."
    total = sum(known)
    words = f"By the records in {where}: about {duration(total)} one after another"
    if engine.name != "local":
        words += f" (how many the engine {engine.name} does at a time is not counted in)"
    elif engine.processes > 1:
        words += f", {duration(total / engine.processes)} with {engine.processes} workers"
    unknown = f"; {todo - len(known)} of {todo} cells: {UNKNOWN}" if len(known) < todo else ""
    return f"{words}{unknown}."
