"""The record of a cell, put together from what its stages gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hashzoo.evaluation.codes import Codes, codes_sha256
from hashzoo.results.config import CellConfig
from hashzoo.results.record import PluginInfo, Record, defined, now_utc
from hashzoo.runner.environment import describe, versions
from hashzoo.runner.workshop import Workshop, shapes


def make_record(
    shop: Workshop,
    bits: int,
    seed: int,
    codes: Mapping[str, Codes],
    results: tuple[dict[str, float], dict[str, list[Any]], list[str]],
    seconds: Mapping[str, float],
) -> Record:
    """Put together the record of one cell."""
    plan, config = shop.plan, shop.plan.config
    metrics, curves, notes = results
    owners = shop.owners
    distributions = {owner["distribution"] for owner in owners.values()} - {"hashzoo"}
    return Record(
        method=plan.method.name,
        floor=plan.method.floor,
        protocol=config.protocol_label,
        dataset=plan.dataset.name,
        backbone={modality: part.name for modality, part in config.backbones.items()},
        frozen=config.freeze_backbone,
        regime=config.regime,
        bits=bits,
        seed=seed,
        metrics=defined(metrics),
        curves=curves,
        config=CellConfig(
            **dict(config),
            precision=shop.precision,  # type: ignore[arg-type] # checked when the run began
            bits=bits,
            seed=seed,
            problem=shop.problem(bits),
            input_shapes=shapes(shop.splits.table.inputs),
        ),
        plugins={part: PluginInfo(**owner) for part, owner in owners.items()},
        versions=versions(tuple(sorted(distributions))),
        environment={**describe(shop.device), "processes": shop.accelerator.num_processes},
        timings={name: round(value, 3) for name, value in seconds.items()},
        codes_sha256=codes_sha256(codes),
        split_sha256=shop.splits.sha256,
        table_sha256=shop.splits.table.fingerprint,
        weights=dict(shop.weights),
        convention=config.evaluation.convention,
        ties=config.evaluation.ties,
        headline=plan.protocol.headline,
        created=now_utc(),
        notes=notes,
    )


def with_metrics(old: Record, new: Record, metrics: tuple[str, ...]) -> Record:
    """Return the old record with the metrics, curves and notes of the new one added."""
    evaluation = old.config.evaluation.model_copy(update={"metrics": metrics})
    return old.model_copy(
        update={
            "metrics": {**old.metrics, **new.metrics},
            "curves": {**old.curves, **new.curves},
            "notes": list(dict.fromkeys([*old.notes, *new.notes])),
            "config": old.config.model_copy(update={"evaluation": evaluation}),
        }
    )
