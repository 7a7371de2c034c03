"""`hashzoo evaluate` and `hashzoo compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from hashzoo.runner.progress import Reporter

FILES = ("query", "database", "query_labels", "database_labels", "bits", "names")
HOW = ("metrics", "ties", "per_query", "confidence")
RULE = ("convention", "ranking", "leave_self_out", "kernel")
MOST_PARTS = 100_000
GOES_WITH = {
    "--check": ("paths", "check"),
    "--merge": ("paths", "merge", *HOW),
    "--part": (*FILES, "leave_self_out", "kernel", "part", "output"),
    "--parts": (*FILES, *HOW, "leave_self_out", "kernel", "parts", "output", "engine", "workers"),
    "RUN": ("paths", *HOW, *RULE),
    "--query and --database": (*FILES, *HOW, *RULE),
}
"""What each way of using the command may be combined with; everything goes with --json."""


@click.command("evaluate")
@click.argument("paths", metavar="[RUN]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--query", type=click.Path(path_type=Path), help="Codes of the queries: .npz, .npy, .mat or HDF5.")
@click.option("--database", type=click.Path(path_type=Path), help="Codes of the database, likewise; may be one file.")
@click.option("--query-labels", type=click.Path(path_type=Path), help="Labels, where the code file has none.")
@click.option("--database-labels", type=click.Path(path_type=Path), help="Labels, where the code file has none.")
@click.option("--bits", type=click.IntRange(min=1), help="Bits of packed codes, where the last byte is padded.")
@click.option("--map", "names", multiple=True, metavar="NAME=NAME", help="Array of a file: codes=H, query_labels=qL.")
@click.option("--metrics", help="Metrics, comma-separated, for example map,map@5000,precision@h2.  [default: all]")
@click.option("--ties", type=click.Choice(["expected", "best", "worst", "stable"]), default="expected")
@click.option("--convention", help="Evaluate as this tool would (docs/metrics.md).")
@click.option(
    "--ranking", type=click.Choice(["hamming", "inner_product", "cosine"]), help="[default: the method's, or hamming]"
)
@click.option("--leave-self-out", is_flag=True, help="Leave the query's own item (same id) out of its list.")
@click.option("--per-query", is_flag=True, help="Add one value per query of every metric (with --json).")
@click.option("--confidence", is_flag=True, help="Add bootstrap intervals over queries.")
@click.option("--kernel", default="auto", help="What counts: auto, numpy, numba, torch or torch:DEVICE; all the same.")
@click.option("--part", metavar="I/N", help="Count part I of N of the database only and write it to --output.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where --part writes its counts, an .npz; of --parts the folder of counts.  [default: parts]",
)
@click.option("--merge", is_flag=True, help="Evaluate the sum of all parts, given as files in place of RUN.")
@click.option(
    "--parts", type=click.IntRange(1, MOST_PARTS), help="Count in so many parts, spread by --engine, and merge."
)
@click.option("--workers", type=int, help="Parts counted at a time, each in a process of its own.")
@click.option(
    "--engine", metavar="NAME[:KEY=VALUE,...]", help="Who counts the parts (hashzoo list engines).  [default: local]"
)
@click.option("--check", is_flag=True, help="RUN: fail unless the stored codes give the record bit for bit.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def evaluate_command(paths: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Evaluate the stored codes of RUN again, or codes from any tool.

    \b
    Examples:
      hashzoo evaluate runs/digits-1k_greedyhash_... --check
      hashzoo evaluate runs/digits-1k_greedyhash_... --convention deephash-pytorch
      hashzoo evaluate --query q.npz --database d.npz --metrics map,map@5000 --json
      hashzoo evaluate --query q.npz --database d.npy --database-labels l.npy --parts 16 --workers 2
      hashzoo evaluate --query q.npz --database d.npy --database-labels l.npy --parts 16 --engine ray
      hashzoo evaluate --query q.npz --database d.npy --database-labels l.npy --part 3/16 -o part-3.npz
      hashzoo evaluate --merge part-*.npz --metrics map
    """
    way = _way(click.get_current_context(), paths, options)
    from hashzoo.evaluation.names import name_list
    from hashzoo.runner import reevaluate as evaluating
    from hashzoo.runner.progress import stage, terminal_reporter

    options["names"] = dict(_pair_of_names(entry) for entry in options["names"])
    metrics = None if options["metrics"] is None else name_list(options["metrics"])
    if way == "--check":
        with terminal_reporter(quiet=True):
            message = evaluating.check_run(paths[0])
        click.echo(json.dumps({"run": str(paths[0]), "follows": True, "message": message}) if as_json else message)
        return
    if options["per_query"] and not as_json:
        raise click.UsageError("--per-query gives a value for every query, which is printed as JSON; add --json.")
    with terminal_reporter() as reporter:
        options["progress"] = stage(reporter, "count")
        if way == "--merge":
            result: dict[str, Any] = evaluating.evaluate_parts(paths, metrics, options)
        elif way == "--parts":
            result = _in_parts(metrics, options, reporter)
        elif way == "--part":
            result = evaluating.count_part(_part(options["part"]), options["output"], options)
        elif way == "RUN":
            result = evaluating.evaluate_run(paths[0], metrics, options)
        else:
            result = evaluating.evaluate_files(metrics, options)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    elif way == "RUN":
        for name, values in result.items():
            click.echo(name)
            _show(values)
    else:
        _show(result)


def _way(context: click.Context, paths: tuple[Path, ...], options: dict[str, Any]) -> str:
    """Return which of the ways in GOES_WITH is meant; a usage error where the options do not go together."""
    given = [name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    given += ["paths"] if paths else []
    if options["check"] or options["merge"]:
        way = "--check" if options["check"] else "--merge"
    elif any(options[name] is not None for name in ("parts", "workers", "engine")):
        way = "--parts"
    elif options["part"] or options["output"]:
        way = "--part"
    else:
        way = "RUN" if paths else "--query and --database"
    switches = {
        name: switch
        for parameter in context.command.params
        for name, switch in ((parameter.name, max(parameter.opts, key=len)),)
    }
    wrong = [switches[name] if name != "paths" else "RUN" for name in given if name not in GOES_WITH[way]]
    if wrong:
        raise click.UsageError(f"{' and '.join(wrong)} cannot be combined with {way}; leave one of them out.")
    if way in ("--check", "RUN") and len(paths) != 1:
        raise click.UsageError(f"Give one RUN, not {len(paths)}; --merge takes several files.")
    if way == "--merge" and not paths:
        raise click.UsageError("--merge needs the files that --part wrote.")
    if way == "--parts" and options["parts"] is None:
        raise click.UsageError("--workers and --engine spread the parts of a database; add --parts N.")
    if way in ("--part", "--parts", "--query and --database") and not (options["query"] and options["database"]):
        raise click.UsageError("Give RUN, or both --query and --database; hashzoo evaluate --help shows examples.")
    if way == "--part" and not (options["part"] and options["output"] and options["output"].suffix == ".npz"):
        raise click.UsageError("--part I/N and -o FILE.npz go together: give both.")
    if "ties" in given and options["convention"] not in (None, "hashzoo"):
        raise click.UsageError("--convention decides the order of ties; leave --ties out.")
    return way


def _in_parts(metrics: list[str] | None, options: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    from hashzoo.cli.study import refuse_launchers
    from hashzoo.plugins import registry
    from hashzoo.studies.parts import evaluate_in_parts
    from hashzoo.studies.request import choose_engine

    refuse_launchers("An evaluation in parts")
    engine = choose_engine(options["engine"], options["workers"]).build(registry())
    return evaluate_in_parts(options["parts"], metrics, options, engine, reporter)


def _part(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if not (number.isascii() and number.isdigit() and parts.isascii() and parts.isdigit() and len(text) < 20):
        raise click.UsageError(f"--part is {text!r}; it has the form I/N, for example 3/16.")
    return int(number), int(parts)


def _pair_of_names(entry: str) -> tuple[str, str]:
    ours, equals, theirs = entry.partition("=")
    if not (ours and equals and theirs):
        raise click.UsageError(f"--map is {entry!r}; it has the form NAME=NAME, for example query_codes=qB.")
    return ours.strip(), theirs.strip()


def _show(values: dict[str, Any]) -> None:
    """Print one line a value."""
    for key, value in values.items():
        if isinstance(value, float):
            shown = f"{value:.6f}"
        elif isinstance(value, dict):
            shown = ", ".join(f"{k} {v:.6f}" for k, v in value.items())
        elif isinstance(value, list):
            shown = f"{len(value)} points (--json lists them)"
        else:
            shown = "undefined" if value is None else str(value)
        click.echo(f"  {key}: {shown}" if isinstance(value, str) else f"  {key:28} {shown}")


@click.command("compare")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--metric", default="map", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def compare_command(first: Path, second: Path, metric: str, as_json: bool) -> None:
    """Compare two runs (or cells) on the same queries: difference, interval and paired test.

    \b
    Examples:
      hashzoo compare runs/digits-1k_dch_... runs/digits-1k_dhn_...
      hashzoo compare runs/digits-1k_dch_.../bits-032/seed-0 runs/digits-1k_dch_.../bits-064/seed-0
    """
    from hashzoo.runner import reevaluate as evaluating

    results = evaluating.compare_runs(first, second, metric)
    if as_json:
        click.echo(json.dumps(results, indent=2))
        return
    for result in results:
        for key, value in result.items():
            click.echo(f"{key:12} {value:.6f}" if isinstance(value, float) else f"{key:12} {value}")
        click.echo()
