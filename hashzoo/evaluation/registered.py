"""The evaluators that come with hashzoo, registered through the same hook as anybody else's."""

from __future__ import annotations

from hashzoo.hookspecs import hookimpl
from hashzoo.specs import Component

hashzoo_api = 2


@hookimpl
def hashzoo_register_evaluators() -> tuple[Component, ...]:
    """Return the ranking metrics and the statistics of the codes."""
    return (
        Component(
            "retrieval", "hashzoo.evaluation.evaluators:build_retrieval", "every ranking metric, exact under ties"
        ),
        Component(
            "code_quality",
            "hashzoo.evaluation.evaluators:build_code_quality",
            "constant bits, balance, correlation, collisions, entropy",
        ),
    )
