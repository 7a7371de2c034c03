"""`hashzoo claims`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("claims")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--method", "-m", help="Only claims about this method.")
@click.option("--protocol", "-p", help="Only this protocol.")
@click.option("--findings", is_flag=True, help="Each finding with its interval, not only the verdicts.")
@click.option(
    "--boards",
    type=click.Path(path_type=Path),
    help="Board folder, with the evidence.  [default: that of RUNS, else leaderboards]",
)
@click.option("--format", "fmt", type=click.Choice(["table", "markdown", "json"]), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write to this file instead of the screen.")
def claims_command(
    runs: tuple[Path, ...],
    method: str | None,
    protocol: str | None,
    findings: bool,
    boards: Path | None,
    fmt: str,
    as_json: bool,
    output: Path | None,
) -> None:
    """Say of each claim of the papers whether the records under RUNS bear it out (default: runs, else accepted ones).

    A claim holds, does not hold, is decided in part, differs from place to place, is undecided, or was not measured,
    not judged (collapsed codes) or not comparable (one method saw the database).

    \b
    Examples:
      hashzoo claims leaderboards/records
      hashzoo claims leaderboards/records --method dch --findings
      hashzoo claims leaderboards/records --format markdown --output leaderboards/claims.md
    """
    from hashzoo.files import write_text
    from hashzoo.results.commands import show_claims

    text = show_claims(
        list(runs), boards, method=method, protocol=protocol, findings=findings, fmt="json" if as_json else fmt
    )
    if output is None:
        click.echo(text.rstrip("\n"))
    else:
        write_text(output, text)
        click.echo(f"Wrote {output}.")
