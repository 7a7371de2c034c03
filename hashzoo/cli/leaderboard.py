"""`hashzoo leaderboard`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

WIDTH = 160
"""Columns of what is not written to a terminal."""

FORMATS = ("table", "csv", "markdown", "latex", "html", "json")
ENDINGS = {
    ".txt": "table", ".csv": "csv", ".md": "markdown", ".tex": "latex", ".html": "html", ".htm": "html",
    ".json": "json",
}  # fmt: skip
BESIDE = {
    "--accept": ("RUNS", "--replace", "--other-parts", "--write"), "--write": (), "--check": (), "--bundle": ("RUNS",),
    "--bibtex": ("RUNS", "--protocol", "--output"),
}  # fmt: skip
"""What may stand beside the options that do not show a board; --accept writes too."""


@click.command("leaderboard")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--protocol", "-p", help="Only this protocol.")
@click.option("--metric", help="Only this metric.  [default: the protocol's headline]")
@click.option("--backbone", help="Only this backbone.")
@click.option("--regime", help="Only frozen, finetune, scratch or none.")
@click.option("--compare", is_flag=True, help="Published value, measured value and gap side by side, with source.")
@click.option("--table", "paper_table", help="Lay our results out as this published table, e.g. dch-2018-table1.")
@click.option("--format", "fmt", type=click.Choice(FORMATS), help="[default: by the ending of --output, else table]")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--accept", is_flag=True, help="Copy the records of RUNS into the board folder and rewrite its boards.")
@click.option("--replace", is_flag=True, help="With --accept: replace records that say the same was measured.")
@click.option("--other-parts", is_flag=True, help="With --accept: take runs with another loss or layer as rows apart.")
@click.option("--write", is_flag=True, help="Rewrite the boards from the board folder's records.")
@click.option("--check", is_flag=True, help="Fail if the committed boards differ from their records.")
@click.option(
    "--bundle", type=click.Path(path_type=Path), help="Write the codes of the accepted records among RUNS to a folder."
)
@click.option("--bibtex", is_flag=True, help="Print the BibTeX entries of the methods on the board.")
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
    fmt: str | None,
    as_json: bool,
    accept: bool,
    replace: bool,
    other_parts: bool,
    write: bool,
    check: bool,
    bundle: Path | None,
    bibtex: bool,
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
    if as_json and fmt not in (None, "json"):
        raise click.UsageError(f"--json is --format json; leave out --format {fmt}, or --json.")
    fmt = "json" if as_json else fmt
    given = {
        "--accept": accept, "--write": write, "--check": check, "RUNS": runs, "--protocol": protocol,
        "--metric": metric, "--backbone": backbone, "--regime": regime, "--compare": compare, "--table": paper_table,
        "--json" if as_json else "--format": fmt, "--output": output, "--replace": replace,
        "--other-parts": other_parts, "--bundle": bundle, "--bibtex": bibtex,
    }  # fmt: skip
    _refuse_odd_pairs([name for name, value in given.items() if value])
    from hashzoo.results import commands

    if check or write or accept:
        if accept:
            click.echo(commands.accept_runs(runs, boards, replace, other_parts))
        elif write:
            click.echo(commands.write(boards))
        else:
            click.echo(commands.check(boards))
        return
    if bundle is not None:
        click.echo(commands.bundle(runs, boards, bundle))
        return
    if bibtex:
        text = commands.show_bibtex(runs, boards, protocol)
    else:
        text = commands.show(
            runs,
            protocol=protocol,
            metric=metric,
            backbone=backbone,
            regime=regime,
            compare=compare,
            paper_table=paper_table,
            fmt=fmt or _format_of(output),
            boards=boards,
            width=shutil.get_terminal_size().columns if output is None and sys.stdout.isatty() else WIDTH,
        )
    if output is not None:
        from hashzoo.files import write_text

        write_text(output, text)
        click.echo(f"Wrote {output}.")
    else:
        click.echo(text, nl=not text.endswith("\n"))


def _format_of(output: Path | None) -> str:
    """Return the format that a file's ending means, "table" for the screen; another ending is a UsageError."""
    if output is None:
        return "table"
    ending = output.suffix.lower()
    if ending not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise click.UsageError(f"{output} ends in {ending or 'nothing'}; end it in one of {known}, or add --format.")
    return ENDINGS[ending]


def _refuse_odd_pairs(given: list[str]) -> None:
    """Raise UsageError for options that say two things at once, or that say nothing without another."""
    action = next((name for name in BESIDE if name in given), None)
    if action is None:
        odd = [name for name in given if name in ("--replace", "--other-parts")]
        if odd:
            raise click.UsageError(f"{' and '.join(odd)} says how to accept; add --accept, or leave it out.")
        return
    odd = [name for name in given if name not in (action, *BESIDE[action])]
    if odd:
        what = "prints papers" if action == "--bibtex" else "is about the whole board folder"
        raise click.UsageError(f"{action} {what}; leave out {' and '.join(odd)}.")
