"""The Python interface: what the command line does, as functions that return data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hashzoo.errors import UsageError, unknown_name
from hashzoo.plugins import registry
from hashzoo.specs import Problem

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from hashzoo.evaluation.codes import Codes
    from hashzoo.results.record import Record
    from hashzoo.runner.build import EndToEnd
    from hashzoo.runner.export import Inputs
    from hashzoo.runner.progress import Reporter


def build_loss(name: str, problem: Problem, **options: Any) -> nn.Module:
    """Build a registered loss: a module called as loss(output, batch) that returns {term: scalar}."""
    loss: nn.Module = registry().build("losses", name, problem, options=options)
    return loss


def build_hash_layer(name: str, feature_dim: int, problem: Problem, **options: Any) -> nn.Module:
    """Build a registered hash layer: a module from features (N, D) to (relaxed (N, K), codes (N, K))."""
    layer: nn.Module = registry().build("hash_layers", name, feature_dim, problem, options=options)
    return layer


def build_backbone(name: str, **options: Any) -> nn.Module:
    """Build a registered backbone: a module from inputs to features (N, D), with `feature_dim`."""
    backbone: nn.Module = registry().build("backbones", name, options=options)
    return backbone


def run(
    method: str,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    bits: int | Iterable[int] | None = None,
    seeds: int | Iterable[int] = (0,),
    backbone: str | Mapping[str, str] | None = None,
    freeze_backbone: bool = False,
    weights: str | None = None,
    loss: str | None = None,
    hash_layer: str | None = None,
    settings: Mapping[str, Any] | None = None,
    tuned: str | Path | None = None,
    validation: float = 0.0,
    metrics: str | Iterable[str] | None = None,
    evaluators: str | Iterable[str] | None = None,
    ties: str = "expected",
    convention: str = "hashzoo",
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    threads: int = 0,
    out: str | Path = "runs",
    resume: bool = True,
    overwrite: Literal["never", "missing", "always"] = "missing",
    track: str | Iterable[str] = (),
    reporter: Reporter | None = None,
    **others: Any,
) -> list[Record]:
    """Run a method as `hashzoo run` does and return its records, one per (bits, seed).

    The arguments are the options of the command, under the same names; `settings` are those of `--set`, dotted as
    there ({"lr": 1e-4, "loss.gamma": 20}) or nested as in a TOML file ({"loss": {"gamma": 20}}). Progress shows on a
    terminal and in a notebook; `reporter=hashzoo.Quiet()` keeps it off. Raises UsageError and WorkError.
    """
    from hashzoo.runner.progress import own_reporter
    from hashzoo.runner.request import RunRequest, flatten
    from hashzoo.runner.run import run as do_run

    if others:
        known = set(RunRequest.__dataclass_fields__) - {"method"}
        raise unknown_name("option of run", sorted(others)[0], known)
    given: dict[str, Any] = {"bits": bits, "seeds": seeds, "metrics": metrics, "evaluators": evaluators}
    given |= {"track": track, "tuned": tuned, "out": out}  # one value or several, a text or a path: made alike there
    request = RunRequest(
        method=method,
        dataset=dataset,
        protocol=protocol,
        backbone=backbone,
        freeze_backbone=freeze_backbone,
        weights=weights,
        loss=loss,
        hash_layer=hash_layer,
        settings=flatten(settings or {}),
        validation=validation,
        ties=ties,
        convention=convention,
        device=device,
        precision=precision,
        threads=threads,
        resume=resume,
        overwrite=overwrite,
        **given,
    )
    if reporter is not None:
        return do_run(request, reporter)
    with own_reporter() as shown:
        return do_run(request, shown)


def study(
    methods: str | Iterable[str],
    protocols: str | Iterable[str] | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    keep_going: bool = False,
    reporter: Reporter | None = None,
    **options: Any,
) -> list[Record]:
    """Run methods (names, or "all") on protocols as a study and return the records that are there, in its order.

    `engine` is written as on the command line ("ray:cpus=2"); `options` are those of `run`. With `keep_going` a cell
    that fails is named on the reporter and the others go on. With workers, call it below `if __name__ == "__main__":`,
    since each worker imports the calling program.
    """
    from hashzoo.runner.progress import own_reporter
    from hashzoo.runner.request import RunRequest, flatten, listed
    from hashzoo.studies.grid import plan_study, run_study
    from hashzoo.studies.request import choose_engine, study_of

    for name in options:
        if name not in RunRequest.__dataclass_fields__ or name in ("method", "protocol"):
            raise unknown_name("option of study", name, set(RunRequest.__dataclass_fields__) - {"method", "protocol"})
    several = {k: listed(v) for k, v in options.items() if k in ("bits", "seeds", "metrics", "evaluators", "track")}
    values = {**options, **several, "settings": flatten(options.get("settings") or {})}
    names = [methods] if isinstance(methods, str) else list(methods)
    places = [protocols] if isinstance(protocols, str) else protocols and list(protocols)
    requests, note = study_of({**values, "method": names, "protocol": places}, registry())
    built = choose_engine(engine, workers).build(registry())

    def do(shown: Reporter) -> list[Record]:
        if note:
            shown.say(note)
        records, failed = run_study(plan_study(requests), built, shown, keep_going=keep_going)
        for what, why in failed:
            shown.say(f"{what}: {why}")
        return records

    if reporter is not None:
        return do(reporter)
    with own_reporter() as shown:
        return do(shown)


def leaderboard(
    runs: str | Path | Iterable[str | Path] = "runs",
    *,
    protocol: str | None = None,
    metric: str | None = None,
    compare: bool = False,
    paper_table: str | None = None,
) -> pd.DataFrame:
    """Return the leaderboard of the records under `runs`: rows methods, column groups dataset x bit length.

    Means over seeds; with `compare` the published value, the measured one and their gap stand side by side; with
    `paper_table` (an id such as "dch-2018-table1") our results are laid out as that table.
    """
    from hashzoo.results.commands import frame, load
    from hashzoo.results.measure import Selection

    folders = [runs] if isinstance(runs, (str, Path)) else list(runs)
    selection = Selection(protocol, (metric,) if metric else None)
    return frame(load([Path(folder) for folder in folders]), selection, compare=compare, paper_table=paper_table)


def encode(cell: str | Path, inputs: Inputs, *, modality: str | None = None, device: str = "auto") -> Codes:
    """Return the codes of new inputs by the model of a cell.

    `inputs`: a folder of images, an image file, an .npy file, an array of vectors (n, D) or of images (n, H, W, 3)
    uint8, an image of Pillow, or a list of image files, PIL images and arrays. Ids of the codes are file names or row
    numbers.
    """
    from hashzoo.runner.export import encode_inputs

    return encode_inputs(Path(cell), inputs, modality=modality, device=device)


def export(cell: str | Path, folder: str | Path) -> list[Path]:
    """Write the codes of a cell as packed uint8 .npy files with ids, as FAISS's binary indexes take them."""
    from hashzoo.runner.export import export_codes

    return export_codes(Path(cell), Path(folder))


def compare(first: str | Path, second: str | Path, metric: str = "map") -> pd.DataFrame:
    """Compare two runs (or cells) on the same queries: a row per (bits, seed) with difference, interval and p value."""
    import pandas as pd

    from hashzoo.runner.reevaluate import compare_runs

    return pd.DataFrame(compare_runs(Path(first), Path(second), metric))


def load_model(cell: str | Path) -> EndToEnd:
    """Return the trained model of a cell folder (<run>/bits-048/seed-0), called as model(modality, inputs).

    `model.encode(images)` takes what `encode` takes and gives codes. Only safetensors are read, so
    loading runs no code from the file. With frozen features the backbone is put back in front of the hash layer, so
    that the model takes the dataset's inputs.
    """
    from hashzoo.runner.cell import Cell

    if not Path(cell).is_dir():
        raise UsageError(f"{cell} is no folder; give one cell of a run such as runs/<name>/bits-048/seed-0.")
    return Cell(cell).model()
