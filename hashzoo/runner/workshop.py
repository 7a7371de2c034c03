"""What all cells of a run share, and of what each stage of a cell is made."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hashzoo.files import json_sha256
from hashzoo.plugins import PARTS, Plugin, Registry, is_editable, plugin_file_hash
from hashzoo.runner.environment import versions
from hashzoo.runner.plan import Plan, problem_of

if TYPE_CHECKING:
    import numpy as np
    from accelerate import Accelerator

    from hashzoo.runner.progress import Reporter
    from hashzoo.specs import Problem, Splits


@dataclass
class Workshop:
    """What all cells of a run share: plan, data, what the models see, device and where progress goes.

    `weights` are the sha256 of the weights that backbones start from, by modality; `described` is the content of
    `split.json`.
    """

    plan: Plan
    registry: Registry
    splits: Splits
    inputs: Mapping[str, np.ndarray]
    accelerator: Accelerator
    precision: str
    reporter: Reporter
    weights: Mapping[str, str] = field(default_factory=dict)
    described: Mapping[str, Any] = field(default_factory=dict)
    resume: bool = True
    threads: int = 0
    logged: int = 0

    @property
    def device(self) -> str:
        """The torch device of the run."""
        return str(self.accelerator.device)

    @property
    def main(self) -> bool:
        """Whether this process writes; with several, the others train along and wait."""
        return bool(self.accelerator.is_main_process)

    def agree(self, value: Any) -> Any:
        """Return the main process's value in every process."""
        if self.accelerator.num_processes == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def log(self, values: Mapping[str, float]) -> None:
        """Send values to the experiment trackers asked for; the step counts over all cells, as some trackers need."""
        if self.accelerator.trackers:
            self.accelerator.log(dict(values), step=self.logged)
            self.logged += 1

    def problem(self, bits: int) -> Problem:
        """Return what builders may know of a cell with this many bits."""
        return problem_of(self.plan, bits, self.splits)

    @functools.cached_property
    def owners(self) -> dict[str, dict[str, Any]]:
        """Distribution, version and file hash of the plugin behind each part, and whether it is editable; read once."""
        return owners_of(self.plan, self.registry)

    def upstream(self, bits: int, seed: int) -> dict[str, dict[str, str]]:
        """Return for each stage a digest of each thing upstream of it, under names that people understand."""
        owners = self.owners
        config = self.plan.config
        training = {
            "configuration": json_sha256(config.upstream()),
            "cell": f"{bits} bits, seed {seed}",
            **data_digests(self.splits, self.weights),
            "precision": self.precision,
            "device": self.accelerator.device.type,
            "processes": str(self.accelerator.num_processes),
            "hashzoo": versions()["hashzoo"],
            **_plugins({part: owner for part, owner in owners.items() if not part.startswith("evaluator.")}),
        }
        evaluation = config.evaluation
        evaluators = {part: owner for part, owner in owners.items() if part.startswith("evaluator.")}
        return {
            "train": training,
            "encode": {"trained model": json_sha256(training)},
            "evaluate": {
                **training,
                "evaluators": ", ".join(evaluation.evaluators),
                "ties": evaluation.ties,
                "convention": evaluation.convention,
                **_plugins(evaluators),
            },
        }


def owners_of(plan: Plan, registry: Registry) -> dict[str, dict[str, Any]]:
    """Return distribution, version and file hash of the plugin behind each part of a plan; files are read."""
    config = plan.config
    named = {"method": ("methods", config.method), "dataset": ("datasets", config.dataset.name)}
    for role, kind in PARTS.items():
        part = getattr(config, role)
        if part is not None:
            named[role] = (kind, part.name)
    named |= {f"backbone.{modality}": ("backbones", part.name) for modality, part in config.backbones.items()}
    named |= {f"evaluator.{name}": ("evaluators", name) for name in config.evaluation.evaluators}
    owners = {part: registry.owner(kind, name) for part, (kind, name) in named.items()}
    hashed = {_code(owner): owner for owner in owners.values()}
    known = {
        code: {
            "distribution": owner.distribution,
            "version": owner.version,
            "sha256": plugin_file_hash(owner),
            "editable": is_editable(owner.distribution),
        }
        for code, owner in hashed.items()
    }
    return {part: known[_code(owner)] for part, owner in owners.items()}


def data_digests(splits: Splits, weights: Mapping[str, str]) -> dict[str, str]:
    """Return digests of the split, of the table that it is of and of the weights that backbones start from."""
    return {"split": splits.sha256, "data": splits.table.fingerprint, "weights": json_sha256(dict(weights))}


def shapes(inputs: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Return the shape of one item, by modality."""
    return {modality: tuple(int(n) for n in array.shape[1:]) for modality, array in inputs.items()}


def _code(owner: Plugin) -> tuple[str, str]:
    """Return what tells one set of plugin files from another: the core's parts are all one."""
    return owner.distribution, "" if owner.builtin else owner.entry_point


def _plugins(owners: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return who is behind each part, without the core, whose version is in every fingerprint."""
    return {
        f"plugin of the {part}": f"{owner['distribution']} {owner['version']} {owner['sha256']}"
        for part, owner in owners.items()
        if owner["distribution"] != "hashzoo"
    }
