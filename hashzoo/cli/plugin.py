"""`hashzoo new` and `hashzoo check`: for authors of method plugins."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("new")
@click.argument("method")
@click.option("--into", type=click.Path(path_type=Path), default=Path(), help="Parent folder.  [default: here]")
@click.option("--author", default="", help="Name for licence and packaging.")
def new_command(method: str, into: Path, author: str) -> None:
    """Write a complete plugin hashzoo-METHOD that trains, passes its tests and can be published.

    \b
    Example:
      hashzoo new mymethod
      pip install -e hashzoo-mymethod
      hashzoo run --method mymethod
    """
    from hashzoo.scaffold import new_plugin

    folder = new_plugin(method, into, author=author)
    click.echo(f"Wrote {folder}. Next: pip install -e {folder}, then hashzoo check {method}.")


@click.command("check")
@click.argument("name")
@click.option("--kind", default="methods", show_default=True, help="methods, losses, hash_layers, backbones, ...")
@click.option("--only", help="Checks, comma-separated.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def check_command(name: str, kind: str, only: str | None, as_json: bool) -> None:
    """Check that a method (or a component) keeps the rules of the registry; exit code 1 if one is broken.

    \b
    Examples:
      hashzoo check greedyhash
      hashzoo check smallcnn --kind backbones
    """
    from hashzoo.testing import check_component, check_method

    chosen = tuple(part.strip() for part in only.split(",")) if only else None
    results = check_method(name, only=chosen) if kind == "methods" else check_component(kind, name, only=chosen)
    if as_json:
        click.echo(json.dumps([result.as_dict() for result in results], indent=2))
    else:
        for result in results:
            click.echo(f"{result.status:8} {result.check}" + (f": {result.message}" if result.message else ""))
    if any(result.status == "failed" for result in results):
        raise SystemExit(1)
