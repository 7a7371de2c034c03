"""What commands that do many cells share: the list of cells, their display, and what failed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hashzoo.cli.dry_run import by_reason, show_cells
from hashzoo.cli.main import warn_of_broken_plugins

if TYPE_CHECKING:
    from hashzoo.runner.request import RunRequest
    from hashzoo.studies.request import EngineChoice


def do_study(values: Mapping[str, Any], *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Do, or with `dry_run` list, what the options of `hashzoo run` ask for as a study."""
    from hashzoo.plugins import registry
    from hashzoo.studies.request import choose_engine, study_of

    warn_of_broken_plugins()
    engine = choose_engine(values.get("engine"), values.get("workers"))
    requests, note = study_of(values, registry())
    if note:
        click.echo(note, err=True)
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
    """Do the cells of requests, print their records, and return (what, why) of those that failed.

    With `dry_run` they are only listed; exit code 1 where any cannot be done.
    """
    from hashzoo.plugins import registry
    from hashzoo.runner.progress import terminal_reporter
    from hashzoo.studies.grid import plan_study, run_study

    refuse_launchers("A study", ", or give one method and one protocol")
    built = engine.build(registry())
    study = plan_study(requests)
    if dry_run:
        show_cells(study, engine, list(dict.fromkeys(request.out for request in requests)), as_json)
        if study.refused or (study.missing and engine.name == "local"):
            raise click.exceptions.Exit(1)
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
    """List what failed, each reason once, and end with exit code 1, where anything did."""
    if failed:
        count = len(failed)
        click.echo(f"Error: {count} {'thing' if count == 1 else 'things'} could not be done:", err=True)
        for why, (first, *others) in by_reason(failed).items():
            more = f" (and {len(others)} more for the same reason)" if others else ""
            click.echo(f"  {first}{more}: {why}", err=True)
        raise click.exceptions.Exit(1)


def refuse_launchers(what: str, else_do: str = "") -> None:
    """Raise UsageError in a process of torchrun or accelerate launch, each of which would do all of it."""
    from hashzoo.errors import UsageError

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            f"{what} is spread by --workers or --engine and not by torchrun or accelerate launch, which share one cell "
            f"among processes; start it plainly{else_do}."
        )
