"""How long cells will take, told from records of the same set-up; where there is none, that is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from hashzoo.errors import WorkError
from hashzoo.files import canonical_json
from hashzoo.results.config import RunConfig
from hashzoo.results.record import Record, read_record
from hashzoo.runner.cell import RunDirectory

TRAINING = "train"
"""The timing of a record that grows with its epochs; the others do not depend on them."""


class SetUp(NamedTuple):
    """What cells must have in common for the time of one to say anything of the other; data and backbones as JSON."""

    method: str
    data: str
    backbones: str
    regime: str


class Taken(NamedTuple):
    """The seconds that a cell took: in training, and in all else."""

    training: float
    rest: float


@dataclass(frozen=True)
class Times:
    """How long cells took on average, by set-up and epochs."""

    known: Mapping[SetUp, Mapping[int, Taken]]

    def of(self, config: RunConfig) -> float | None:
        """Return the seconds that a cell will take; None where no cell of its set-up was measured.

        Where only the epochs differ, training is scaled from the most epochs that were measured.
        """
        found, epochs = self.known.get(set_up_of(config)), epochs_of(config)
        if not found:
            return None
        measured = epochs if epochs in found else max(found)
        taken = found[measured]
        return taken.training * epochs / max(1, measured) + taken.rest


def times_of(records: Sequence[Record]) -> Times:
    """Return how long the cells of records took."""
    found: dict[SetUp, dict[int, list[Taken]]] = {}
    for record in records:
        training = record.timings.get(TRAINING, 0.0)
        taken = Taken(training, sum(record.timings.values()) - training)
        found.setdefault(set_up_of(record.config), {}).setdefault(epochs_of(record.config), []).append(taken)
    return Times(
        {
            set_up: {epochs: Taken(*map(mean, zip(*some, strict=True))) for epochs, some in by_epochs.items()}
            for set_up, by_epochs in found.items()
        }
    )


def set_up_of(config: RunConfig) -> SetUp:
    """Return the set-up of a run."""
    data = {"protocol": config.protocol_label, **config.dataset.model_dump(mode="json")}
    backbones = {modality: part.model_dump(mode="json") for modality, part in config.backbones.items()}
    return SetUp(config.method, canonical_json(data), canonical_json(backbones), config.regime)


def epochs_of(config: RunConfig) -> int:
    """Return how many epochs a run trains; 1 for what is not trained by gradients."""
    return config.recipe.epochs if config.recipe is not None else 1


def earlier_records(out: Path) -> list[Record]:
    """Return the readable records below a folder of runs, from which times are estimated."""
    found = []
    for path in (path for folder in sorted(out.glob("*")) for path in RunDirectory(folder).records()):
        try:
            found.append(read_record(path))
        except WorkError:
            continue  # an unreadable record says nothing of how long its cell took
    return found
