"""`hashzoo data`."""

from __future__ import annotations

import json

import click

from hashzoo.cli.main import warn_of_broken_plugins


@click.group("data")
def data_command() -> None:
    """List, prepare, locate and check datasets.

    \b
    Examples:
      hashzoo data list
      hashzoo data prepare cifar10-5k-disjoint
      hashzoo data check digits-1k
    """


@data_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def data_list(as_json: bool) -> None:
    """List datasets with their protocols.

    \b
    Example:
      hashzoo data list --json
    """
    from hashzoo.runner import data_commands

    warn_of_broken_plugins()
    rows = data_commands.list_datasets()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']}: {row['summary']}")
        click.echo(f"    {row['state']}; protocols {', '.join(row['protocols'])}")
        for file in row["files"]:
            click.echo(f"    {'found' if file['exists'] else 'not there'}: {file['path']}")


@data_command.command("prepare")
@click.argument("protocol")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Option of the dataset: path=photos.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def data_prepare(protocol: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Download (where the dataset can), verify and decode everything a protocol needs.

    \b
    Example:
      hashzoo data prepare imagefolder --set path=photos --set queries_per_class=10 --set train_per_class=50
    """
    _report(protocol, settings, as_json, "prepare")


@data_command.command("check")
@click.argument("protocol")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Option of the dataset: path=photos.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def data_check(protocol: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Check a split: sizes, overlaps, items without labels, equal items among queries and database.

    \b
    Example:
      hashzoo data check digits-1k
    """
    _report(protocol, settings, as_json, "check")


@data_command.command("path")
@click.argument("dataset", required=False)
def data_path(dataset: str | None) -> None:
    """Print the data folder, or where a dataset is looked for.

    \b
    Example:
      hashzoo data path cifar10
    """
    from hashzoo.runner import data_commands

    paths = data_commands.data_path(dataset)
    for path in paths:
        click.echo(path)
    if not paths:
        click.echo(f"Dataset {dataset!r} has no files in the data folder: it is embedded, or your own.", err=True)


def _report(protocol: str, settings: tuple[str, ...], as_json: bool, action: str) -> None:
    from hashzoo.runner import data_commands
    from hashzoo.runner.progress import terminal_reporter
    from hashzoo.runner.request import parse_assignments

    options = parse_assignments(settings)
    with terminal_reporter() as reporter:
        report = getattr(data_commands, action)(protocol, options, reporter)
    if as_json:
        click.echo(json.dumps(report, indent=2, default=str))
        return
    for key, value in report.items():
        click.echo(f"{key}: {json.dumps(value, default=str) if isinstance(value, (dict, list)) else value}")
