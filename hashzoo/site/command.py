"""`hashzoo site`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("site")
@click.argument("boards", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--no-codes", is_flag=True, help="Leave out the pictures of codes, which take most of the time.")
@click.option("--quiet", "-q", is_flag=True, help="Say only what was written.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def site_command(boards: Path, out: Path, no_codes: bool, quiet: bool, as_json: bool) -> None:
    """Write the boards of the folder BOARDS as a static site to OUT.

    The folder opens from disk and needs no network. Pictures of images are there where the data set is.

    \b
    Example:
      hashzoo site leaderboards site
    """
    from hashzoo.site.build import build

    say = (lambda _: None) if quiet else lambda text: click.echo(text, err=True)
    message = build(boards, out, say, codes=not no_codes)
    click.echo(json.dumps({"folder": str(out), "message": message}) if as_json else message)
