"""What commands that do many cells share: the list of cells, their display, and what failed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hashzoo.cli.main import warn_of_broken_plugins

if TYPE_CHECKING:
    from hashzoo.results.record import Record
    from hashzoo.runner.request import RunRequest
    from hashzoo.studies.request import EngineChoice


def do_study(values: Mapping[str, Any], *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Do, or with `dry_run` list, what the options of `hashzoo run` ask for as a study."""
    from hashzoo.plugins import registry
    from hashzoo.studies.request import choose_engine, requests_of

    warn_of_broken_plugins()
    engine = choose_engine(values.get("engine"), values.get("workers"))
    requests = requests_of(values, registry())
    keep_going = bool(values.get("keep_going"))
    failed = do_requests(requests, engine, keep_going=keep_going, dry_run=dry_run, as_json=as_json, quiet=quiet)
    end_with(failed)


def do_requests(
    requests: Sequence[RunRequest],
    engine: EngineChoice,
    *,
    keep_going: bool,
    dry_run: bool,
    as_json: bool = False,
    quiet: bool = False,
) -> list[tuple[str, str]]:
    """Do the cells of requests, print their records, and return (what, why) of those that failed."""
    from hashzoo.plugins import registry
    from hashzoo.runner.progress import terminal_reporter
    from hashzoo.studies.grid import plan_study, run_study

    refuse_launchers("A study", ", or give one method and one protocol")
    built = engine.build(registry())
    study = plan_study(requests)
    if dry_run:
        _show_cells(requests, study, engine, as_json)
        return []
    with terminal_reporter(quiet) as reporter:
        records, failed = run_study(study, built, reporter, keep_going=keep_going)
    if as_json:
        click.echo(json.dumps([record.model_dump(mode="json") for record in records], indent=2))
    else:
        from hashzoo.results.summary import print_study

        print_study(records, next((request.metrics for request in requests if request.metrics), ()))
    return failed


def end_with(failed: Sequence[tuple[str, str]]) -> None:
    """List what failed and end with exit code 1, where anything did."""
    if failed:
        count = len(failed)
        click.echo(f"Error: {count} {'thing' if count == 1 else 'things'} could not be done:", err=True)
        for what, why in failed:
            click.echo(f"  {what}: {why}", err=True)
        raise click.exceptions.Exit(1)


def refuse_launchers(what: str, else_do: str = "") -> None:
    """Raise UsageError in a process of torchrun or accelerate launch, each of which would do all of it."""
    from hashzoo.errors import UsageError

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            f"{what} is spread by --workers or --engine and not by torchrun or accelerate launch, which share one cell "
            f"among processes; start it plainly{else_do}."
        )


def _show_cells(requests: Sequence[RunRequest], study: Any, engine: EngineChoice, as_json: bool) -> None:
    from hashzoo.studies.grid import duration, earlier_records, estimate, times_of

    todo = study.todo()
    outs: list[Path] = list(dict.fromkeys(request.out for request in requests))
    records: list[Record] = [record for out in outs for record in earlier_records(out)]
    times = times_of(records)
    total = estimate(todo, times)
    rows = []
    for task in study.tasks:
        alone = None if task.number in study.done else times.of(task)
        rows.append(
            {
                "method": task.request.method,
                "protocol": task.request.protocol or task.request.dataset or "(default)",
                "bits": task.request.bits[0] if task.request.bits else 0,
                "seed": task.request.seeds[0],
                "done": task.number in study.done,
                "seconds": None if alone is None else round(alone, 1),
            }
        )
    refused = [{"what": what, "why": why} for what, why in study.refused]
    if as_json:
        answer = {"cells": rows, "refused": refused, "todo": len(todo), "seconds": total}
        click.echo(json.dumps(answer, indent=2))
        return
    wide = [max([len(key), *(len(str(row[key])) for row in rows)]) for key in ("method", "protocol")]
    click.echo(f"{'method':{wide[0]}}  {'protocol':{wide[1]}}  bits  seed  state")
    for row in rows:
        state = "done" if row["done"] else "to do" + (f", about {duration(row['seconds'])}" if row["seconds"] else "")
        names = f"{row['method']:{wide[0]}}  {row['protocol']:{wide[1]}}"
        click.echo(f"{names}  {row['bits'] or '-':>4}  {row['seed']:>4}  {state}")
    for what, why in study.refused:
        click.echo(f"{what}: cannot be done ({why})")
    click.echo(f"{len(study.tasks)} cells, {len(study.tasks) - len(todo)} done, {len(todo)} to do.")
    if todo and total is None:
        click.echo(
            f"How long they take is not known: there are no records in {', '.join(map(str, outs))} to tell from."
        )
    elif todo and total is not None:
        share = (
            f", {duration(total / engine.processes)} with {engine.processes} workers" if engine.processes > 1 else ""
        )
        click.echo(f"By the {len(records)} earlier records: about {duration(total)} one after another{share}.")
