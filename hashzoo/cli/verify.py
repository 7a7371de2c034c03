"""`hashzoo verify`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("verify")
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--no-train", is_flag=True, help="Only evaluate the stored codes again.")
@click.option("--codes", "published", is_flag=True, help="Evaluate the codes published with an accepted record.")
@click.option("--bundle", type=click.Path(path_type=Path), help="With --codes: a folder that holds the other codes.")
@click.option("--note", is_flag=True, help="Keep beside the accepted records that this one was made again.")
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def verify_command(
    record: Path, no_train: bool, published: bool, bundle: Path | None, note: bool, device: str, as_json: bool
) -> None:
    """Make the result of RECORD again and say: reproduced, within the spread of seeds, or not.

    The stored codes (beside the record) are evaluated again, then the method is trained again from the record's own
    configuration. Exit code 1 if it is not reproduced, and with --codes where there are no codes.

    A plugin is a program: train records of strangers' plugins again only where there are no secrets and no way out.

    \b
    Examples:
      hashzoo verify leaderboards/records/digits-1k/dch/pixels-frozen/bits-032-seed-0.json
      hashzoo verify --codes leaderboards/records/digits-1k/dch/pixels-frozen/bits-048-seed-0.json
    """
    if published and (no_train or note):
        raise click.UsageError("--codes trains nothing; leave out --no-train and --note.")
    if no_train and note:
        raise click.UsageError("--note keeps that a record was made again, and --no-train does not; leave one out.")
    if bundle is not None and not published:
        raise click.UsageError("--bundle says where published codes are; add --codes.")
    from hashzoo.runner.progress import terminal_reporter
    from hashzoo.runner.verify import verify, verify_codes

    with terminal_reporter() as reporter:
        if published:
            verdict = verify_codes(record, bundle=bundle, reporter=reporter)
        else:
            verdict = verify(record, train=not no_train, device=device, reporter=reporter, note=note)
    click.echo(json.dumps(verdict.as_dict(), indent=2) if as_json else verdict.text())
    if note and verdict.ok:
        click.echo("The boards say so after hashzoo leaderboard --write.", err=True)
    if not verdict.ok:
        raise click.exceptions.Exit(1)
