"""`hashzoo leaderboard`."""

from __future__ import annotations

from pathlib import Path

import click

FORMATS = ("table", "csv", "markdown", "latex", "html", "json")


@click.command("leaderboard")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--protocol", "-p", help="Only this protocol.")
@click.option("--metric", help="Only this metric.  [default: the protocol's headline]")
@click.option("--backbone", help="Only this backbone.")
@click.option("--regime", help="Only frozen, finetune, scratch or none.")
@click.option("--compare", is_flag=True, help="Published value, measured value and gap side by side, with source.")
@click.option("--table", "paper_table", help="Lay our results out as this published table, e.g. dch-2018-table1.")
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--accept", is_flag=True, help="Copy the records of RUNS into the board folder and rewrite its boards.")
@click.option("--replace", is_flag=True, help="With --accept: replace records that say the same was measured.")
@click.option("--write", is_flag=True, help="Rewrite the boards from the board folder's records.")
@click.option("--check", is_flag=True, help="Fail if the committed boards differ from their records.")
@click.option(
    "--boards", type=click.Path(path_type=Path), default=Path("leaderboards"), show_default=True, help="Board folder."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write to this file instead of the screen.")
def leaderboard_command(
    runs: tuple[Path, ...],
    protocol: str | None,
    metric: str | None,
    backbone: str | None,
    regime: str | None,
    compare: bool,
    paper_table: str | None,
    fmt: str,
    accept: bool,
    replace: bool,
    write: bool,
    check: bool,
    boards: Path,
    output: Path | None,
) -> None:
    """Show the leaderboard of the records under RUNS (default: runs, else leaderboards/records).

    \b
    Examples:
      hashzoo leaderboard
      hashzoo leaderboard leaderboards/records --protocol cifar10-jpeg-5k-disjoint --metric map@h2
      hashzoo leaderboard --compare --format markdown
      hashzoo leaderboard --table dch-2018-table1
      hashzoo leaderboard --check
    """
    from hashzoo.results import commands

    if check or write or accept:
        if accept:
            click.echo(commands.accept_runs(runs, boards, replace))
        elif write:
            click.echo(commands.write(boards))
        else:
            click.echo(commands.check(boards))
        return
    text = commands.show(
        runs,
        protocol=protocol,
        metric=metric,
        backbone=backbone,
        regime=regime,
        compare=compare,
        paper_table=paper_table,
        fmt=fmt,
        boards=boards,
    )
    if output is not None:
        from hashzoo.files import write_text

        write_text(output, text)
        click.echo(f"Wrote {output}.")
    else:
        click.echo(text, nl=not text.endswith("\n"))
