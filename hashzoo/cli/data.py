"""`hashzoo data`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

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
    from hashzoo.data import catalogue

    warn_of_broken_plugins()
    rows = catalogue.list_datasets()
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
    _exit(_report(protocol, settings, as_json, "prepare"), strict=False)


@data_command.command("check")
@click.argument("protocol")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Option of the dataset: path=photos.")
@click.option("--lists-only", is_flag=True, help="Check the lists alone, without opening an image.")
@click.option("--strict", is_flag=True, help="Exit with code 1 for warnings, too.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def data_check(protocol: str, settings: tuple[str, ...], lists_only: bool, strict: bool, as_json: bool) -> None:
    """Check a split: sizes, missing and damaged files, queries that are found elsewhere, labels, copies, chance level.

    Exits with code 1 where there are errors: what makes figures impossible. Warnings are flaws that change figures.

    \b
    Examples:
      hashzoo data check digits-1k
      hashzoo data check lists --set path=coco --lists-only --strict
    """
    report = _report(protocol, (*settings, "lists_only=true") if lists_only else settings, as_json, "check")
    _exit(report, strict)


@data_command.command("path")
@click.argument("dataset", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def data_path(dataset: str | None, as_json: bool) -> None:
    """Print the data folder, or where a dataset is looked for.

    \b
    Example:
      hashzoo data path cifar10
    """
    from hashzoo.data import catalogue
    from hashzoo.data.roots import data_root
    from hashzoo.plugins import registry

    if dataset is None:
        click.echo(json.dumps([str(data_root())]) if as_json else data_root())
        return
    files = catalogue.data_path(registry().get("datasets", dataset), data_root())["files"]
    if as_json:
        click.echo(json.dumps([file["path"] for file in files], indent=2))
        return
    for file in files:
        click.echo(file["path"])
    if not files:
        click.echo(f"Dataset {dataset!r} has no files in the data folder: it is embedded, or your own.", err=True)


def _report(protocol: str, settings: tuple[str, ...], as_json: bool, action: str) -> dict[str, Any]:
    """Print and return the report on a protocol's split, made by the named function of the catalogue."""
    from hashzoo.data import catalogue
    from hashzoo.data.checks import sentences
    from hashzoo.data.roots import data_root
    from hashzoo.runner.progress import stage, terminal_reporter
    from hashzoo.runner.request import parse_assignments

    options = parse_assignments(settings)
    dataset, chosen = catalogue.find(protocol)
    with terminal_reporter() as reporter:
        report: dict[str, Any] = getattr(catalogue, action)(
            dataset, chosen, data_root(), stage(reporter, "decode"), **options
        )
    if as_json:
        click.echo(json.dumps(report, indent=2, default=str))
    else:
        for sentence in sentences(report):
            click.echo(sentence)
    return report


def _exit(report: Mapping[str, Any], strict: bool) -> None:
    if report["problems"] or (strict and report["warnings"]):
        raise click.exceptions.Exit(1)
