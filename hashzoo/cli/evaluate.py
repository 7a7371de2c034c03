"""`hashzoo evaluate` and `hashzoo compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command("evaluate")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--query", type=click.Path(path_type=Path), help="Codes of the queries: .npz, .npy or .mat.")
@click.option("--database", type=click.Path(path_type=Path), help="Codes of the database: .npz, .npy or .mat.")
@click.option("--query-labels", type=click.Path(path_type=Path), help="Labels, where the code file has none.")
@click.option("--database-labels", type=click.Path(path_type=Path), help="Labels, where the code file has none.")
@click.option("--bits", type=int, help="Bits of packed codes, where the last byte is padded.")
@click.option("--metrics", help="Metrics, comma-separated, for example map,map@5000,precision@h2.  [default: all]")
@click.option("--ties", type=click.Choice(["expected", "best", "worst", "stable"]), default="expected")
@click.option("--convention", help="Evaluate as this tool would (docs/metrics.md).")
@click.option("--ranking", type=click.Choice(["hamming", "inner_product", "cosine"]), default="hamming")
@click.option("--leave-self-out", is_flag=True, help="Leave the query's own item (same id) out of its list.")
@click.option("--per-query", is_flag=True, help="Add one value per query of every metric (JSON).")
@click.option("--confidence", is_flag=True, help="Add bootstrap intervals over queries.")
@click.option("--check", is_flag=True, help="RUN: fail unless the stored codes give the record bit for bit.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def evaluate_command(run: Path | None, as_json: bool, check: bool, **options: Any) -> None:
    """Evaluate the stored codes of RUN again, or codes from any tool.

    \b
    Examples:
      hashzoo evaluate runs/digits-1k_greedyhash_... --check
      hashzoo evaluate runs/digits-1k_greedyhash_... --convention deephash-pytorch
      hashzoo evaluate --query q.npz --database d.npz --metrics map,map@5000 --json
    """
    from hashzoo.runner import reevaluate as evaluating

    if run is not None and (options["query"] or options["database"]):
        raise click.UsageError("Give either RUN or --query and --database.")
    if run is None and not (options["query"] and options["database"]):
        raise click.UsageError("Give RUN, or both --query and --database; hashzoo evaluate --help shows examples.")
    metrics = options.pop("metrics")
    names = tuple(part.strip() for part in metrics.split(",")) if metrics else None
    if check:
        if run is None:
            raise click.UsageError("--check compares a RUN with its records; give RUN.")
        click.echo(evaluating.check_run(run))
        return
    from hashzoo.runner.progress import stage, terminal_reporter

    with terminal_reporter() as reporter:
        options["progress"] = stage(reporter, "count")
        if run is not None:
            result = evaluating.evaluate_run(run, names, options)
        else:
            result = evaluating.evaluate_files(names, options)
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    for name, values in result.items():
        if name:
            click.echo(name)
        for key, value in values.items():
            if isinstance(value, (int, float)):
                click.echo(f"  {key:28} {value:.6f}" if isinstance(value, float) else f"  {key:28} {value}")
            elif isinstance(value, dict):
                shown = ", ".join(f"{k} {v:.6f}" for k, v in value.items())
                click.echo(f"  {key:28} {shown}")
            elif isinstance(value, str):
                click.echo(f"  {key}: {value}")


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
