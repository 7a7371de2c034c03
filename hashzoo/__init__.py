"""hashzoo: benchmark registry for deep hashing. Names are loaded on first use; importing this imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashzoo.api import (
        build_backbone,
        build_hash_layer,
        build_loss,
        compare,
        encode,
        export,
        leaderboard,
        load_model,
        run,
        study,
    )
    from hashzoo.errors import HashzooError, UsageError, WorkError, unknown_name
    from hashzoo.evaluation.api import evaluate
    from hashzoo.evaluation.codes import Codes
    from hashzoo.hookspecs import hookimpl
    from hashzoo.results.paper_tables import paper_tables_from_package
    from hashzoo.runner.cell import Cell
    from hashzoo.runner.progress import Quiet
    from hashzoo.specs import (
        Batch,
        Claim,
        Command,
        Component,
        Dataset,
        HashOutput,
        Method,
        Metric,
        Paper,
        PaperRow,
        PaperTable,
        Problem,
        Protocol,
        Range,
        Recipe,
        Retrieval,
        Schedule,
        Setting,
        Splits,
        Table,
    )
    from hashzoo.studies.task import Outcome, Task, do_task, placed

__version__ = "0.2.0"

_HOMES = {
    "hashzoo.api": (
        "build_backbone", "build_hash_layer", "build_loss", "compare", "encode", "export", "leaderboard", "load_model",
        "run", "study",
    ),
    "hashzoo.errors": ("HashzooError", "UsageError", "WorkError", "unknown_name"),
    "hashzoo.evaluation.api": ("evaluate",),
    "hashzoo.evaluation.codes": ("Codes",),
    "hashzoo.hookspecs": ("hookimpl",),
    "hashzoo.results.paper_tables": ("paper_tables_from_package",),
    "hashzoo.runner.cell": ("Cell",),
    "hashzoo.runner.progress": ("Quiet",),
    "hashzoo.specs": (
        "Batch", "Claim", "Command", "Component", "Dataset", "HashOutput", "Method", "Metric", "Paper",
    "PaperRow", "PaperTable", "Problem",
        "Protocol", "Range", "Recipe", "Retrieval", "Schedule", "Setting", "Splits", "Table",
    ),
    "hashzoo.studies.task": ("Outcome", "Task", "do_task", "placed"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 -- grouped by module, as the imports above
    "build_backbone", "build_hash_layer", "build_loss", "compare", "encode", "export", "leaderboard", "load_model",
    "run", "study",
    "HashzooError", "UsageError", "WorkError", "unknown_name", "evaluate", "Codes", "hookimpl",
    "paper_tables_from_package", "Cell", "Quiet",
    "Batch", "Claim", "Command", "Component", "Dataset", "HashOutput", "Method", "Metric", "Paper",
    "PaperRow", "PaperTable", "Problem",
    "Protocol", "Range", "Recipe", "Retrieval", "Schedule", "Setting", "Splits", "Table",
    "Outcome", "Task", "do_task", "placed",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'hashzoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
