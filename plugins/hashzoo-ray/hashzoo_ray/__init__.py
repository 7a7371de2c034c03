"""Ray for hashzoo: the cells of a study on a Ray cluster."""

from __future__ import annotations

from hashzoo import Component, hookimpl

hashzoo_api = 2


@hookimpl
def hashzoo_register_engines() -> tuple[Component, ...]:
    """Return the engine of a Ray cluster."""
    return (Component("ray", "hashzoo_ray.engine:RayEngine", "tasks of a Ray cluster, one cell or part each"),)
