"""`hashzoo plugins`, `list`, `show` and `doctor`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from hashzoo.cli.main import warn_of_broken_plugins
from hashzoo.errors import UsageError

KINDS = (
    "methods", "datasets", "protocols", "backbones", "hash_layers", "losses", "fitters", "trainers", "evaluators",
    "metrics", "engines", "paper_tables", "claims", "commands",
)  # fmt: skip


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--strict", is_flag=True, help="Resolve every name that plugins state; exit 1 if any is not in order.")
@click.option("--probe", is_flag=True, help="Try each plugin in a process of its own, with a time limit.")
def plugins_command(as_json: bool, strict: bool, probe: bool) -> None:
    """List the plugins, what each brings, and what is wrong with those that are broken.

    \b
    Examples:
      hashzoo plugins
      HASHZOO_PLUGINS=dhn,dch hashzoo plugins --json
    """
    if probe:
        _probe(as_json)
        return
    from hashzoo.plugins.describe import plugin_rows

    rows = plugin_rows()
    names = _unresolved() if strict else {}
    for row in rows:
        row["unresolved"] = names.pop(row["distribution"], [])
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            brings = ", ".join(_counted(kind, len(names)) for kind, names in row["items"].items() if names)
            click.echo(
                f"{row['name']:14} {row['distribution']} {row['version']:10} {row['status']:8} {brings}".rstrip()
            )
            if row["error"]:
                click.echo(f"    {row['line']}")
            for line in row["unresolved"]:
                click.echo(f"    {line}")
            for line in row["notes"]:
                click.echo(f"    note: {line}")
    if strict and any(row["error"] or row["unresolved"] for row in rows):
        raise click.exceptions.Exit(1)


def _unresolved() -> dict[str, list[str]]:
    from hashzoo.plugins import registry
    from hashzoo.plugins.probe import unresolved

    return unresolved(registry())


def _probe(as_json: bool) -> None:
    """Load no plugin here: what does not come back must not stop this process."""
    from dataclasses import asdict

    from hashzoo.plugins.probe import probe
    from hashzoo.plugins.sources import find_sources

    found = probe(find_sources())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        for one in found:
            click.echo(f"{one.name:14} {one.distribution} {one.version:10} {one.fault or 'ok'}")
    if any(one.fault for one in found):
        raise click.exceptions.Exit(1)


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_command(kind: str, as_json: bool) -> None:
    """List what is registered of a kind, with where it comes from.

    \b
    Examples:
      hashzoo list methods
      hashzoo list protocols --json
    """
    from hashzoo.plugins.describe import list_rows

    warn_of_broken_plugins()
    rows = list_rows(kind)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['name']:{width}}  {row['distribution']:18}  {row['summary']}".rstrip())


@click.command("show")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="Needed only where one name is of several kinds.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--bibtex", "as_bibtex", is_flag=True, help="Print the paper of a method as BibTeX.")
def show_command(name: str, kind: str | None, as_json: bool, as_bibtex: bool) -> None:
    """Show one registered thing: a method's paper, recipe and options, a protocol's sizes and sha256, ...

    NAME may also be the path of a run directory, a cell or a record: what was run there, and its values.

    \b
    Examples:
      hashzoo show dch
      hashzoo show cifar10-5k-disjoint
      hashzoo show tanh --kind hash_layers
      hashzoo show dch --bibtex
      hashzoo show runs/digits-1k_greedyhash_smallcnn_scratch_31aab1a0
    """
    from hashzoo.plugins.describe import find_and_describe, is_registered

    if as_bibtex and (as_json or kind not in (None, "methods")):
        raise click.UsageError(f"--bibtex prints a method's paper; leave out {'--json' if as_json else '--kind'}.")
    warn_of_broken_plugins()
    if as_bibtex:
        from hashzoo.plugins import registry
        from hashzoo.results.bibtex import bibtex

        click.echo(bibtex(registry().get("methods", name).paper), nl=False)
        return
    if kind is None and Path(name).exists() and not is_registered(name):
        from hashzoo.cli.runs import show_run

        show_run(Path(name), as_json)
        return
    if kind is None and Path(name).name != name and not is_registered(name):
        raise UsageError(
            f"There is no file or folder {name}, and nothing registered has that name; `hashzoo runs` lists the runs."
        )
    found = find_and_describe(name, kind)
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    if found["kind"] == "paper_tables":
        from hashzoo.results.commands import show_table

        click.echo(show_table(found["id"], shutil.get_terminal_size().columns), nl=False)
        return
    from hashzoo.cli.describe import in_words

    click.echo(in_words(found, shutil.get_terminal_size().columns), nl=False)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def doctor_command(as_json: bool) -> None:
    """Print versions, device, threads, folders and broken plugins, ready to paste into a bug report.

    \b
    Example:
      hashzoo doctor
    """
    from hashzoo.runner.environment import doctor_report

    report = doctor_report()
    if as_json:
        click.echo(json.dumps(report, indent=2, default=str))
        return
    for sentence in _doctor_sentences(report):
        click.echo(sentence)


def _counted(kind: str, number: int) -> str:
    """Return "2 hash layers", "1 loss"."""
    from hashzoo.plugins import KINDS as PLUGIN_KINDS

    return f"{number} {PLUGIN_KINDS[kind].singular if number == 1 else kind.replace('_', ' ')}"


def _doctor_sentences(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the report as sentences: the program, its libraries, the machine, folders, plugins and their remedies."""
    versions, machine, plugins = dict(report["versions"]), report["environment"], report["plugins"]
    core, python = next(row["version"] for row in plugins if row["distribution"] == "hashzoo"), versions.pop("python")
    versions.pop("hashzoo", None)
    yield f"hashzoo {core} with Python {python} ({report['executable']})."
    yield f"Libraries: {', '.join(f'{name} {version}' for name, version in versions.items())}."
    if "error" in machine:
        yield f"The device is unknown, because torch does not work here: {machine['error']}."
    else:
        card = f" ({machine['accelerator']}, CUDA {machine['cuda']})" if "accelerator" in machine else ""
        yield (
            f"{machine['system']}, {machine['processor']}, {machine['cores']} cores, {machine['cpu_capability']}; "
            f"torch computes on {machine['device']}{card} with {_number(machine['threads'], 'thread')}."
        )
    for name, folder in report["folders"].items():
        state = f"holds {folder['megabytes']:,} MB" if folder["exists"] else "is not there yet"
        yield f"The {name} folder is {folder['path']} and {state}; HASHZOO_{name.upper()} puts it elsewhere."
    left_out = {row["distribution"] for row in plugins if row["status"] == "skipped"}
    others = {f"{r['distribution']} {r['version']}" for r in plugins if r["distribution"] not in {"hashzoo", *left_out}}
    faulty = [row for row in plugins if row["error"]]
    yield f"{_number(len(others), 'distribution')} with plugins beside the core" + (
        f": {', '.join(sorted(others))}." if others else "."
    )
    if left_out:
        yield f"HASHZOO_PLUGINS leaves out {', '.join(sorted(left_out))}."
    yield f"{_number(len(faulty), 'plugin')} not in order:" if faulty else "All plugins are in order."
    for row in faulty:
        yield f"  {row['distribution']} {row['version']} ({row['name']}): {row['error']}; {row['remedy']}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
