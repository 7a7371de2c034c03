"""The conformance kit: what every method and component must keep to, for pytest and for `hashzoo check`.

`CHECKS` are plain functions check(method name); `COMPONENT_CHECKS` the same for each other kind. Both are read-only.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from hashzoo.testing import (  # noqa: F401 -- importing the modules registers their checks
    checks_components,
    checks_engines,
    checks_modules,
    checks_space,
    checks_spec,
    checks_state,
    checks_training,
)
from hashzoo.testing.distribution import write_distribution
from hashzoo.testing.kit import CheckFailed, CheckResult, NotApplicable, NotChecked, checks_of, run_checks
from hashzoo.testing.pytest_front import conformance

CHECKS = checks_of("methods")
COMPONENT_CHECKS = MappingProxyType(
    {
        kind: checks_of(kind)
        for kind in (
            "backbones",
            "losses",
            "hash_layers",
            "fitters",
            "trainers",
            "evaluators",
            "datasets",
            "engines",
            "paper_tables",
        )
    }
)  # fmt: skip

__all__ = [
    "CHECKS",
    "COMPONENT_CHECKS",
    "CheckFailed",
    "CheckResult",
    "NotApplicable",
    "NotChecked",
    "check_component",
    "check_method",
    "conformance",
    "write_distribution",
]


def check_method(name: str, only: Sequence[str] | None = None) -> list[CheckResult]:
    """Run every check, or those named, on a method and return the results; an unknown name is a UsageError."""
    return run_checks("methods", name, only)


def check_component(kind: str, name: str, only: Sequence[str] | None = None) -> list[CheckResult]:
    """Run every check of a kind ("losses", "datasets", ...) on a component and return the results."""
    return run_checks(kind, name, only)
