"""`hashzoo submit`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("submit")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("submission"), show_default=True)
@click.option("--other-parts", is_flag=True, help="Take runs with another loss or layer as rows apart.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def submit_command(runs: tuple[Path, ...], output: Path, other_parts: bool, as_json: bool) -> None:
    """Pack RUNS for the boards: records, values by query, codes and versions in one folder for a pull request.

    What is refused here would be refused there: a plugin that is no release, or runs from a working copy.

    \b
    Example:
      hashzoo submit runs/<run> -o submission
    """
    from hashzoo.results.commands import submit_runs

    message = submit_runs(runs, output, other_parts)
    click.echo(json.dumps({"folder": str(output), "message": message}) if as_json else message)
