"""What the installed plugins say that a board depends on: methods' own settings, and which metrics head a board."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashzoo.errors import WorkError
from hashzoo.evaluation.names import base_of
from hashzoo.files import read_text
from hashzoo.plugins import registry
from hashzoo.results.record import Record
from hashzoo.results.settings import Own, own_settings

UNREGISTERED: Mapping[str, bool] = {"map": True, "precision": True, "recall": True, "ndcg": True}
"""Direction of the ranking metrics where no plugin says it."""


@dataclass(frozen=True)
class Known:
    """`own` settings of methods; `higher` maps a metric's base name to whether more is better (absent: neither)."""

    own: Own = field(default_factory=dict)
    higher: Mapping[str, bool] = field(default_factory=lambda: UNREGISTERED)

    def direction(self, metric: str) -> bool | None:
        """Return whether more is better of a metric such as "image-to-text/map@h2"; None where no best is marked."""
        return self.higher.get(base_of(metric))

    def over(self, other: Known) -> Known:
        """Return both; what this one says wins."""
        methods = {*self.own, *other.own}
        own = {name: {**other.own.get(name, {}), **self.own.get(name, {})} for name in sorted(methods)}
        return Known(own, {**other.higher, **self.higher})

    def of(self, records: Iterable[Record]) -> Known:
        """Return what concerns these records."""
        pairs = {(record.method, record.regime) for record in records}
        own = {
            name: {regime: setting for regime, setting in regimes.items() if (name, regime) in pairs}
            for name, regimes in self.own.items()
        }
        return Known({name: regimes for name, regimes in own.items() if regimes}, self.higher)

    def text(self) -> str:
        """Return the content of a file that `read_known` reads."""
        return json.dumps({"own": self.own, "higher": self.higher}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def installed(records: Sequence[Record]) -> Known:
    """Return what the installed plugins say of the methods and metrics of the records."""
    found = registry()
    bases = {base_of(name) for record in records for name in record.metrics}
    return Known(own_settings(records, found), {**UNREGISTERED, **_directions(found.names("metrics"), bases)})


def _directions(names: Iterable[str], bases: set[str]) -> dict[str, bool]:
    metrics = [registry().get("metrics", name) for name in names if name in bases]
    return {m.name: m.higher_is_better for m in metrics if m.on_board and m.higher_is_better is not None}


def read_known(path: Path) -> Known:
    """Return what was kept in a board folder; nothing where there is no such file."""
    if not path.exists():
        return Known()
    try:
        found: dict[str, Any] = json.loads(read_text(path))
        return Known({name: dict(regimes) for name, regimes in found["own"].items()}, dict(found["higher"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WorkError(
            f"{path} is damaged ({error}); restore it, or move it away and run hashzoo leaderboard --write with the "
            "plugins of its methods installed."
        ) from error
