"""`hashzoo verify`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("verify")
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--no-train", is_flag=True, help="Only evaluate the stored codes again.")
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def verify_command(record: Path, no_train: bool, device: str, as_json: bool) -> None:
    """Make the result of RECORD again and say: reproduced, within the spread of seeds, or not.

    The stored codes (beside the record) are evaluated again, then the method is trained again from the record's own
    configuration. Exit code 1 if it is not reproduced.

    \b
    Example:
      hashzoo verify leaderboards/records/digits-1k/dch/smallcnn-scratch/bits-032-seed-0.json
    """
    from hashzoo.runner.progress import terminal_reporter
    from hashzoo.runner.verify import verify

    with terminal_reporter() as reporter:
        verdict = verify(record, train=not no_train, device=device, reporter=reporter)
    click.echo(json.dumps(verdict.as_dict(), indent=2) if as_json else verdict.text())
    if not verdict.ok:
        raise SystemExit(1)
