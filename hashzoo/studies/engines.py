"""The engines that come with hashzoo, registered through the same hook as anybody else's."""

from __future__ import annotations

from hashzoo.hookspecs import hookimpl
from hashzoo.specs import Component

hashzoo_api = 2


@hookimpl
def hashzoo_register_engines() -> tuple[Component, ...]:
    """Return the engine of one machine."""
    return (
        Component("local", "hashzoo.studies.local:LocalEngine", "processes of this machine, one cell or part each"),
    )
