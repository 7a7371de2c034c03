"""`hashzoo submit`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("submit")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("submission"), show_default=True)
@click.option("--other-parts", is_flag=True, help="Take runs with another loss or layer as rows apart.")
def submit_command(runs: tuple[Path, ...], output: Path, other_parts: bool) -> None:
    """Pack RUNS for the boards: records, values by query, codes and versions in one folder for a pull request.

    What is refused here would be refused there: a plugin that is no release, or runs from a working copy.

    \b
    Example:
      hashzoo submit runs/<run> -o submission
    """
    from hashzoo.results.commands import submit_runs

    click.echo(submit_runs(runs, output, other_parts))
