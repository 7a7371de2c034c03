"""`hashzoo tune`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hashzoo.cli.main import warn_of_broken_plugins
from hashzoo.cli.run import given_options


@click.command("tune")
@click.option("--method", "-m", required=True, help="Methods, comma-separated, or all.")
@click.option("--protocol", "-p", required=True, help="Protocol; trials see a held-out part of its train split only.")
@click.option("--trials", type=int, default=30, show_default=True, help="Trials of each method.")
@click.option("--metric", default="map", show_default=True, help="What the choice is by: map, or a plugin's.")
@click.option("--bits", default="32", show_default=True, help="Bit lengths of a trial.")
@click.option("--seeds", default="0", show_default=True, help="Seeds of a trial.")
@click.option("--validation", type=float, default=0.2, show_default=True, help="Share of the train split held out.")
@click.option("--backbone", "-b", multiple=True, help="Backbone, or modality=backbone (repeat it).")
@click.option("--freeze-backbone", is_flag=True, default=None, help="Compute features once, train what is on top.")
@click.option("--weights", help="Backbone weights: pretrained, random or a path to safetensors.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="What all trials share: epochs=20.")
@click.option("--device", help="auto, cpu, cuda, cuda:1 or mps.  [default: auto]")
@click.option("--precision", help="auto, fp32, bf16 or fp16.  [default: auto]")
@click.option("--threads", type=int, help="Threads of training, as for hashzoo run.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("tuning"), show_default=True, help="Folder.")
@click.option("--workers", type=int, help="Trials measured at a time, each in a process of its own.")
@click.option("--engine", metavar="NAME[:KEY=VALUE,..]", help="Who does the trials.  [default: local]")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def tune_command(
    trials: int,
    metric: str,
    out: Path,
    workers: int | None,
    engine: str | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Search settings of methods, equally, on validation data; the file holds every trial.

    Every method gets the same number of trials, the same seeds and the same rule; its plugin states what may be tried
    (hashzoo show METHOD), and the first trial is its own setting. Stopped at any point, the same command goes on.

    \b
    Examples:
      hashzoo tune -m dch,hashnet,greedyhash -p digits-1k --trials 30 --workers 2
      hashzoo run -m dch -p digits-1k --tuned tuning/digits-1k_1a2b3c4d.json
    """
    from hashzoo.errors import UsageError, WorkError
    from hashzoo.plugins import registry
    from hashzoo.runner.progress import terminal_reporter
    from hashzoo.studies.request import choose_engine, names_of, study_of
    from hashzoo.studies.task import let_speak
    from hashzoo.studies.tune import Tuning, tune

    values = given_options(options)
    tuning = Tuning(trials, metric, out)
    if len(names_of(values["protocol"], "protocol")) != 1:
        raise UsageError("A study of tuning is of one protocol; repeat the command for each.")
    if values["validation"] <= 0:
        raise UsageError("Tuning is on a held-out part of the train split; --validation must be above 0, such as 0.2.")
    warn_of_broken_plugins()
    requests, note = study_of(values, registry())
    if note:
        click.echo(note, err=True)
    built = choose_engine(engine, workers).build(registry())
    with terminal_reporter(quiet) as reporter:
        let_speak(built, reporter.say)
        tuned = tune(requests, tuning, built, registry(), reporter)
    path = tuned.path
    study = json.loads(path.read_text(encoding="utf-8"))
    names = [registry().listed("methods", request.method) for request in requests]
    wide = max(map(len, names))
    if as_json:
        click.echo(json.dumps({"file": str(path), "unfinished": tuned.unfinished, **study}, indent=2))
    for name in () if as_json else names:
        click.echo(f"{name:{wide}}  {_line(study, name, tuned.unfinished.get(name))}")
    without = [name for name in names if name in tuned.unfinished or study["methods"][name]["chosen"] is None]
    if without:
        again = "the same command tries what is open again" if tuned.unfinished else "mend that, tune in another --out"
        raise WorkError(f"There is no choice for {', '.join(without)}; {again}. Every finished trial is in {path}.")
    if not as_json:
        click.echo(f"Every trial is in {path}; hashzoo run --tuned {path} uses what was chosen.")


def _line(study: Mapping[str, Any], name: str, unfinished: str | None) -> str:
    """Return what was found for a method, in a line."""
    found = study["methods"][name]
    trials, chosen = found["trials"], found["chosen"]
    if unfinished is not None:
        of = study["trials"] if found["space"] else 1
        return f"{len(trials)} of {of} trials are done; {unfinished}"
    if chosen is None:
        return f"every trial failed: {trials[0]['error']}"
    first = trials[0]["mean"]
    own = "failed" if first is None else f"{first:.4f}"
    words = ", ".join(f"{key}={_short(value)}" for key, value in chosen["options"].items()) or "its own setting"
    return f"{study['metric']} {chosen['mean']:.4f} (own setting {own}), trial {chosen['number']}: {words}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
