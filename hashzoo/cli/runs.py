"""`hashzoo runs`, and `hashzoo show` of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        for line in _set_up(row):
            click.echo(f"    {line}")
        for metric, values in row["values"].items():
            shown = ", ".join(
                f"{value:.4f} ({bits} bits)" if bits else f"{value:.4f}" for bits, value in values.items()
            )
            click.echo(f"    {metric} {shown}")
    if not rows:
        click.echo(f"There are no runs in {out}; hashzoo run --method greedyhash makes one.")


def show_run(path: Path, as_json: bool) -> None:
    """Print what was run in a run directory, a cell or a record, and its values: `hashzoo show RUN`."""
    from hashzoo.runner.runs import read_run

    row, records = read_run(path)
    if as_json:
        click.echo(json.dumps({**row, "records": [record.model_dump(mode="json") for record in records]}, indent=2))
        return
    from hashzoo.results.summary import print_records

    for line in (str(path), *_set_up(row)):
        click.echo(line)
    print_records(records)
    for record in records:
        for note in record.notes:
            click.echo(f"{record.bits} bits, seed {record.seed}: {note}")


def _set_up(row: Mapping[str, Any]) -> list[str]:
    """Return in two lines what was run, what of it was changed, and how far it is."""
    changed = ", ".join(f"{name}={value}" for name, value in row["changed"].items()) or "nothing"
    begun = f", {row['begun']} begun" if row["begun"] else ""
    tuned = f", tuned ({row['tuned']})" if row["tuned"] else ""
    set_up = f"{row['method']} on {row['protocol']}, {row['backbone']} {row['regime']}{tuned}"
    return [f"{set_up}; changed: {changed}", f"{row['done']} done{begun}"]
