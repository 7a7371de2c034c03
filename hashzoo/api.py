"""The Python interface: what the command line does, as functions that return data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hashzoo.errors import UsageError
from hashzoo.plugins import registry
from hashzoo.specs import Problem

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from hashzoo.results.record import Record
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


def run(method: str, *, reporter: Reporter | None = None, **options: Any) -> list[Record]:
    """Run a method as `hashzoo run` does and return its records, one per (bits, seed).

    `options` are the fields of `hashzoo.runner.request.RunRequest`, for example dataset="digits", bits=(16, 32),
    seeds=(0, 1, 2), settings={"lr": 1e-4, "loss.gamma": 20}. Raises UsageError and WorkError.
    """
    from hashzoo.runner.request import merge
    from hashzoo.runner.run import run as do_run

    bits, seeds = options.get("bits"), options.get("seeds")
    if isinstance(bits, int):
        options["bits"] = (bits,)
    if isinstance(seeds, int):
        options["seeds"] = (seeds,)
    unknown = set(options) - _request_fields()
    if unknown:
        from hashzoo.errors import unknown_name

        raise unknown_name("option of run", sorted(unknown)[0], _request_fields())
    return do_run(merge({}, {"method": method, **options}), reporter)


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


def load_model(cell: str | Path) -> nn.Module:
    """Return the trained model of a cell folder (<run>/bits-048/seed-0), called as model(modality, inputs).

    Only safetensors are read, so loading runs no code from the file. With frozen features the backbone is put back in
    front of the hash layer, so that the model takes the dataset's inputs.
    """
    from hashzoo.runner.cell import Cell

    if not Path(cell).is_dir():
        raise UsageError(f"{cell} is no folder; give one cell of a run such as runs/<name>/bits-048/seed-0.")
    return Cell(cell).model()


def _request_fields() -> set[str]:
    from hashzoo.runner.request import RunRequest

    return set(RunRequest.__dataclass_fields__) - {"method"}
