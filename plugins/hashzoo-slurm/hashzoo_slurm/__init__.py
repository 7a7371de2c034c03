"""Slurm for hashzoo: the cells of a study as jobs of a Slurm cluster."""

from __future__ import annotations

from hashzoo import Component, hookimpl

hashzoo_api = 2


@hookimpl
def hashzoo_register_engines() -> tuple[Component, ...]:
    """Return the engine of a Slurm cluster."""
    return (Component("slurm", "hashzoo_slurm.engine:SlurmEngine", "jobs of a Slurm cluster, one cell or part each"),)
