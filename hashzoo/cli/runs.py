"""`hashzoo runs`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("runs")
@click.argument("out", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def runs_command(out: Path, as_json: bool) -> None:
    """List the run directories below OUT (default: runs): what was changed in each, how far it is, its values.

    \b
    Example:
      hashzoo runs
    """
    from hashzoo.runner.runs import list_runs

    rows = list_runs(out)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(str(out / row["name"]))
        if "fault" in row:
            click.echo(f"    cannot be read: {row['fault']}")
            continue
        changed = ", ".join(f"{name}={value}" for name, value in row["changed"].items()) or "nothing"
        begun = f", {row['begun']} begun" if row["begun"] else ""
        tuned = f", tuned ({row['tuned']})" if row["tuned"] else ""
        set_up = f"{row['method']} on {row['protocol']}, {row['backbone']} {row['regime']}{tuned}"
        click.echo(f"    {set_up}; changed: {changed}")
        click.echo(f"    {row['done']} done{begun}")
        for metric, values in row["values"].items():
            shown = ", ".join(
                f"{value:.4f} ({bits} bits)" if bits else f"{value:.4f}" for bits, value in values.items()
            )
            click.echo(f"    {metric} {shown}")
    if not rows:
        click.echo(f"There are no runs in {out}; hashzoo run --method greedyhash makes one.")
