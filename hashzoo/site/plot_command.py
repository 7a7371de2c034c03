"""`hashzoo plot`."""

from __future__ import annotations

import json
from pathlib import Path

import click

KINDS = ("pr", "precision", "radius", "recall", "bits", "tsne", "neighbours")


@click.command("plot")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--kind", "-k", type=click.Choice(KINDS), default="pr", show_default=True, help="What to draw.")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="FILE.svg, .png or .html.")
@click.option("--bits", type=int, help="Not with --kind bits.  [default: 48, or the middle length]")
@click.option("--metric", help="With --kind bits.  [default: the protocol's headline]")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def plot_command(
    runs: tuple[Path, ...], kind: str, output: Path, bits: int | None, metric: str | None, as_json: bool
) -> None:
    """Draw RUNS: curves over recall, rank, radius or bits; the codes of one in the plane; nearest items.

    Of more than eight methods, those with the highest mean are drawn; to choose others, give the folders of their
    records alone.

    \b
    Examples:
      hashzoo plot runs/<run> runs/<other> --kind pr -o pr.svg
      hashzoo plot leaderboards/records/cifar10-jpeg-5k-disjoint --kind bits --metric map@h2 -o bits.html
      hashzoo plot runs/<run> --kind neighbours -o nearest.png
    """
    from hashzoo.site.plot import plot

    message = plot(runs, kind, output, bits=bits, metric=metric)
    click.echo(json.dumps({"output": str(output), "message": message}) if as_json else message)
