"""`hashzoo reproduce`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hashzoo.cli.main import warn_of_broken_plugins
from hashzoo.cli.run import given_options


@click.command("reproduce")
@click.argument("table")
@click.option("--protocol", "-p", help="Protocols, comma-separated, in place of the table's on their data sets.")
@click.option("--seeds", help="Seeds, for example 0,1,2 or 0-2.  [default: 0]")
@click.option("--backbone", "-b", multiple=True, help="Backbone, or modality=backbone (repeat it).")
@click.option("--freeze-backbone", is_flag=True, default=None, help="Compute features once, train what is on top.")
@click.option("--weights", help="Backbone weights: pretrained, random or a path to safetensors.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a number, for example data.path=x.")
@click.option("--device", help="auto, cpu, cuda, cuda:1 or mps.  [default: auto]")
@click.option("--precision", help="auto, fp32, bf16 or fp16.  [default: auto]")
@click.option("--threads", type=int, help="Threads of training, as for hashzoo run.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of run directories.  [default: runs]")
@click.option("--workers", type=int, help="Cells done at a time, each in a process of its own.")
@click.option("--engine", metavar="NAME[:KEY=VALUE,..]", help="Who does the cells.  [default: local]")
@click.option("--keep-going", is_flag=True, help="Go on after a cell that failed; name it at the end.")
@click.option("--dry-run", is_flag=True, help="Only list the cells and say what is missing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def reproduce_command(
    table: str,
    protocol: str | None,
    workers: int | None,
    engine: str | None,
    keep_going: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure what the published TABLE needs with what is installed, say what is missing, and lay it out as it was.

    Cells that are done are not done again. A row whose set-up is none of ours is left out, unless -p names a protocol
    of the same data set to stand in; rows on that data set are then measured on it alone.

    \b
    Examples:
      hashzoo reproduce dch-2018-table1 --dry-run
      hashzoo reproduce dch-2018-table1 -p cifar10-jpeg-5k-disjoint --freeze-backbone --workers 2
    """
    from hashzoo.cli.study import do_requests, end_with
    from hashzoo.errors import WorkError
    from hashzoo.plugins import registry
    from hashzoo.results import commands
    from hashzoo.studies.reproduce import plan_table
    from hashzoo.studies.request import choose_engine, names_of

    warn_of_broken_plugins()
    chosen = choose_engine(engine, workers)
    found = plan_table(table, given_options(options), names_of(protocol, "protocol"), registry())
    click.echo(f"{found.table.id}: {found.table.paper.title} ({found.table.paper.year}), {found.table.title}", err=True)
    for sentence in found.missing:
        click.echo(f"Missing: {sentence}", err=True)
    if not found.requests:
        if as_json:
            click.echo(json.dumps({"cells": [], "missing": list(found.missing)} if dry_run else [], indent=2))
        raise WorkError(f"Nothing of {found.table.id} can be measured here; what is missing stands above.")
    failed = do_requests(found.requests, chosen, keep_going=keep_going, dry_run=dry_run, as_json=as_json, quiet=quiet)
    if not dry_run and not as_json:
        click.echo(commands.show((found.requests[0].out,), paper_table=found.table.id))
    end_with(failed)
