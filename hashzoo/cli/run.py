"""`hashzoo run`."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hashzoo.cli.main import warn_of_broken_plugins


@click.command("run")
@click.option("--method", "-m", help="Method, for example greedyhash (hashzoo list methods); several as a,b, or all.")
@click.option("--dataset", "-d", help="Dataset; its first protocol is used.  [default: digits or digits-halves]")
@click.option(
    "--protocol",
    "-p",
    help="Protocol id or one of its names in the literature (hashzoo list protocols); several as a,b.",
)
@click.option("--bits", help="Bit lengths, for example 16,32,48,64.  [default: the protocol's]")
@click.option("--seeds", help="Seeds, for example 0,1,2 or 0-2.  [default: 0]")
@click.option("--backbone", "-b", multiple=True, help="Backbone, or modality=backbone (repeat it).")
@click.option("--freeze-backbone", is_flag=True, default=None, help="Compute features once, train what is on top.")
@click.option("--weights", help="Backbone weights: pretrained, random or a path to safetensors.")
@click.option("--loss", help="Use this loss instead of the method's.")
@click.option("--hash-layer", help="Use this hash layer instead of the method's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a number: lr=1e-4, loss.gamma=20.")
@click.option("--tuned", type=click.Path(path_type=Path), help="Use what this file of hashzoo tune chose.")
@click.option("--validation", type=float, help="Hold out this share of the train split and measure on it.")
@click.option("--metrics", help="Metrics, comma-separated, for example map,map@h2.  [default: all]")
@click.option("--evaluators", help="Evaluators, comma-separated.  [default: retrieval,code_quality]")
@click.option("--ties", type=click.Choice(["expected", "best", "worst"]), help="Order of ties.  [default: expected]")
@click.option("--convention", help="Evaluate as another tool would (docs/metrics.md).  [default: hashzoo]")
@click.option("--device", help="auto, cpu, cuda, cuda:1 or mps.  [default: auto]")
@click.option("--precision", help="auto, fp32, bf16 or fp16.  [default: auto]")
@click.option("--threads", type=int, help="Threads of training.  [default: 1 below 32 MB of weights, else torch's own]")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="TOML file with these options.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of run directories.  [default: runs]")
@click.option("--resume/--no-resume", default=None, help="Go on from an interrupted training.  [default: resume]")
@click.option("--overwrite", help="never, missing or always.  [default: missing]")
@click.option("--track", help="Experiment trackers of Accelerate, comma-separated, for example tensorboard.")
@click.option("--workers", type=int, help="Cells done at a time, each in a process of its own.")
@click.option(
    "--engine", metavar="NAME[:KEY=VALUE,...]", help="Who does the cells (hashzoo list engines).  [default: local]"
)
@click.option(
    "--keep-going", is_flag=True, default=None, help="Go on after a cell that failed; say at the end what and why."
)
@click.option("--dry-run", is_flag=True, help="Only list the cells, which are done, and how long the others may take.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def run_command(as_json: bool, quiet: bool, config: Path | None, dry_run: bool, **options: Any) -> None:
    """Train, encode and evaluate a method; one record per (bits, seed).

    Several methods or protocols are a study, whose cells --workers or --engine spread; the records do not depend on
    how. A TOML file may hold lists for method and protocol, workers, engine, keep_going, and settings of one method.

    Killed at any point, the same command goes on where it stopped.

    \b
    Examples:
      hashzoo run --method greedyhash
      hashzoo run -m dch -p cifar10-5k-disjoint --bits 16,32,48,64 --seeds 0,1,2 --set loss.gamma=20
      hashzoo run -m dch,hashnet,itq -p digits-1k --bits 16,32 --seeds 0-2 --workers 2 --keep-going
      hashzoo run -m hashnet -d imagefolder --set data.path=photos -b timm/resnet18.a1_in1k --freeze-backbone
    """
    from hashzoo.plugins import registry
    from hashzoo.runner.plan import resolve
    from hashzoo.runner.progress import terminal_reporter
    from hashzoo.runner.request import merge, read_config
    from hashzoo.studies.request import KEYS, SET_FOR, below_the_command_line, is_study

    given = given_options(options)
    base = read_config(config, KEYS) if config else {}
    both = {**base, **given, "settings": {**base.get("settings", {}), **given["settings"]}}
    if SET_FOR in base:
        both[SET_FOR] = below_the_command_line(base[SET_FOR], given)
    if is_study(both, dry_run):
        from hashzoo.cli.study import do_study

        do_study(both, dry_run=dry_run, as_json=as_json, quiet=quiet)
        return
    for name in ("method", "protocol"):  # a list of one in a file
        if isinstance(both.get(name), list):
            both[name] = both[name][0]
    request = merge({}, {key: value for key, value in both.items() if key not in KEYS})
    warn_of_broken_plugins()
    resolve(request, registry())  # a name that does not exist is said before torch is imported
    from hashzoo.runner.run import run

    main_process = os.environ.get("RANK", "0") == "0"  # set by `accelerate launch`
    with terminal_reporter(quiet or not main_process) as reporter:
        records = run(request, reporter)
    if not main_process:
        return
    if as_json:
        click.echo(json.dumps([record.model_dump(mode="json") for record in records], indent=2))
        return
    from hashzoo.results.summary import print_records

    print_records(records, request.metrics or ())


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, texts of several values taken apart, as a run request has them."""
    from hashzoo.runner.request import parse_assignments, take_apart

    given = take_apart({key: value for key, value in options.items() if value not in (None, ())})
    if "backbone" in given:
        given["backbone"] = _backbones(given["backbone"])
    given["settings"] = parse_assignments(given.pop("settings", ()))
    return given


def _backbones(values: tuple[str, ...]) -> str | dict[str, str]:
    if len(values) == 1 and "=" not in values[0]:
        return values[0]
    pairs = [value.partition("=") for value in values]
    if any(not separator for _, separator, _ in pairs):
        raise click.UsageError("Give one --backbone NAME for all modalities, or --backbone MODALITY=NAME for each.")
    for modality, times in Counter(modality for modality, _, _ in pairs).items():
        if times > 1:
            raise click.UsageError(f"--backbone {modality} is given {times} times; give it once.")
    return {modality: name for modality, _, name in pairs}
