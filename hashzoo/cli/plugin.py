"""`hashzoo new` and `hashzoo check`: for authors of method plugins."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hashzoo.scaffold import KINDS_MADE


@click.command("new")
@click.argument("method")
@click.option("--into", type=click.Path(path_type=Path), default=Path(), help="Parent folder.  [default: here]")
@click.option("--author", default="", help="Name for licence and packaging.")
@click.option("--kind", default="method", show_default=True, help=f"What it brings: {', '.join(KINDS_MADE)}.")
@click.option("--title", default="", help="Title of the paper; the conformance kit asks for it.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def new_command(method: str, into: Path, author: str, kind: str, title: str, as_json: bool) -> None:
    """Write a complete plugin hashzoo-METHOD that works, passes its tests and can be published.

    \b
    Example:
      hashzoo new mymethod --title "My Method"
      pip install -e hashzoo-mymethod
      hashzoo run --method mymethod
    """
    from hashzoo.scaffold import new_plugin

    folder = new_plugin(method, into, author=author, kind=kind, title=title)
    message = f"Wrote {folder}. Next: pip install -e {folder}, then hashzoo check hashzoo-{method}."
    click.echo(json.dumps({"folder": str(folder)}) if as_json else message)


@click.command("check")
@click.argument("name")
@click.option("--kind", default="methods", show_default=True, help="methods, losses, hash_layers, backbones, ...")
@click.option("--only", help="Checks, comma-separated.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def check_command(name: str, kind: str, only: str | None, as_json: bool) -> None:
    """Check that a method (or a component) keeps the rules of the registry; exit code 1 if one is broken.

    NAME may also be a distribution: everything that it brings is checked.

    \b
    Examples:
      hashzoo check greedyhash
      hashzoo check smallcnn --kind backbones
      hashzoo check hashzoo-dcmh
    """
    from hashzoo.errors import unknown_name
    from hashzoo.plugins import KINDS
    from hashzoo.testing.kit import checks_of, run_checks

    chosen = tuple(part.strip() for part in only.split(",")) if only else None
    cases = _cases(name, kind)
    if len(cases) > 1:
        known = {check for one_kind, _ in cases for check in checks_of(one_kind)}
        for check in chosen or ():
            if check not in known:
                raise unknown_name("check", check, known)
    found = []
    for one_kind, one in cases:
        asked = chosen
        if chosen and len(cases) > 1:  # a check that this kind does not have
            asked = tuple(check for check in chosen if check in checks_of(one_kind))
            if not asked:
                continue
        results = run_checks(one_kind, one, asked)
        found += [{"kind": one_kind, "name": one, **result.as_dict()} for result in results]
        if as_json:
            continue
        if len(cases) > 1:
            click.echo(f"{KINDS[one_kind].singular} {one}")
        for result in results:
            click.echo(f"{result.status:8} {result.check}" + (f": {result.message}" if result.message else ""))
    if not cases and not as_json:
        click.echo(f"{name} brings nothing that the kit checks.")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    if any(row["status"] == "failed" for row in found):
        raise click.exceptions.Exit(1)


def _cases(name: str, kind: str) -> list[tuple[str, str]]:
    """Return (kind, name) of what is to be checked: one thing, or all that a distribution of this name brings."""
    from hashzoo.plugins import registry
    from hashzoo.plugins.items import item_name
    from hashzoo.plugins.sources import canonical
    from hashzoo.testing.kit import checks_of

    reg = registry()
    plugins = [plugin for plugin in reg.plugins if canonical(plugin.distribution) == canonical(name)]
    if kind != "methods" or not plugins or name in reg.names(kind):
        return [(kind, name)]
    return [
        (one, item_name(one, item))
        for plugin in plugins
        for one, items in plugin.items.items()
        if checks_of(one)
        for item in items
    ]
