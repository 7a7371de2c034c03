"""The records of a method on one set-up of a board, as its page shows them: by seed, in other measures, how made."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import NamedTuple

from markupsafe import Markup

from hashzoo.files import json_sha256
from hashzoo.results.boards import BOARD_METRICS
from hashzoo.results.record import Record
from hashzoo.results.text import plain
from hashzoo.site.board import Row

SHORT_LEVELS = {"reported only": "reported", "follows from codes": "codes", "made again": "made again"}
"""What stands behind a record, in a word that fits a column."""

NONE = "\N{EN DASH}"
"""What a cell has where there is no value."""

Columns = Sequence[tuple[int, Sequence[int]]]
"""Bit lengths, each with its seeds: the columns of a table of records."""


class Cell(NamedTuple):
    """A cell: its text, over how many columns it goes, and the places in links that it is."""

    text: str
    number: int = 1
    places: Sequence[str] = ()


Line = tuple[str, Sequence[Cell]]
"""A line of a table: its name and its cells."""


def columns_of(rows: Sequence[Row]) -> Columns:
    """Return the bit lengths of rows, each with the seeds that any of them has there."""
    seeds: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        for record in row.records:
            seeds[record.bits].add(record.seed)
    return [(bits, sorted(found)) for bits, found in sorted(seeds.items())]


def by_seed(row: Row, columns: Columns, lengths: Sequence[int]) -> list[Line]:
    """Return the headline metrics of a row's records and what stands behind each.

    The first cell of each bit length is the place of its links; `lengths` are those at which a row without codes is.
    """
    there = {(record.bits, record.seed): record for record in row.records}
    levels = dict(zip(there, (SHORT_LEVELS[standing.level] for standing in row.standings), strict=True))
    every = [(bits, seed) for bits, seeds in columns for seed in seeds]
    firsts = {key[0]: key for key in reversed(every) if key in there}
    places = {
        key: [f"{row.anchor}-{n}" for n in dict.fromkeys([bits, *([] if bits else lengths)])]
        for bits, key in firsts.items()
    }
    lines: list[Line] = []
    for name in row.records[0].headlines:
        values = {key: exact(record.metrics[name]) for key, record in there.items() if name in record.metrics}
        cells = [Cell(values.get(key, NONE), 1, () if lines else places.get(key, ())) for key in every]
        lines.append((name, cells))
    return [*lines, ("evidence", _runs(levels.get(key, NONE) for key in every))]


def others(row: Row, columns: Columns) -> list[Line]:
    """Return the metrics of a row that have no board of their own, and seconds: means over the seeds of each length."""
    groups = [[record for record in row.records if record.bits == bits] for bits, _ in columns]
    elsewhere = (*BOARD_METRICS, "items", "queries_without_relevant")
    names = [name for name in _main_first(row.metrics) if name.rpartition("/")[2] not in elsewhere]
    found = [(name, _means(groups, lambda record, name=name: record.metrics.get(name), _brief)) for name in names]  # type: ignore[misc] # mypy cannot infer a lambda's default argument
    seconds = _means(groups, lambda record: sum(record.timings.values()), "{:.1f}".format)
    return [(name, _alike(cells)) for name, cells in [*found, ("seconds", seconds)]]


def how_made(rows: Sequence[Row], root: str, folders: Callable[[Row], Sequence[str]]) -> list[Line]:
    """Return how the records of rows were made, a column a row: what is the same of all stands once."""
    found = [dict(_made(row.records[0])) for row in rows]
    names = dict.fromkeys(name for words in found for name in words)
    lines: list[tuple[str, list[str]]] = [(name, [words.get(name, NONE) for words in found]) for name in names]
    lines.append(("machine, versions", [_machines(row.records, root) for row in rows]))
    lines.append(("files bits-*-seed-*.json in", [", ".join(folders(row)) for row in rows]))
    return [(name, _alike(cells)) for name, cells in lines]


def exact(value: float) -> str:
    """Return a value as a page of records shows it."""
    return f"{value:.0f}" if value == int(value) else f"{value:.6f}"


def _brief(value: float) -> str:
    """Return a mean in three digits; of a larger count all before the point.

    >>> [_brief(value) for value in (0.26674, 16.667, 164.33, 53217.0)]
    ['0.267', '16.7', '164', '53217']
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def versions(record: Record) -> str:
    """Return the versions of everything but the plugins that a record names by itself."""
    own = {part.distribution for part in record.plugins.values()} - {"hashzoo"}
    return plain(", ".join(f"{name} {version}" for name, version in record.versions.items() if name not in own))


def machine_id(record: Record) -> str:
    """Return the place on the page of machines where a record's machine and versions stand, once for all records."""
    return f"m{json_sha256([versions(record), record.environment])[:6]}"


def machine_name(record: Record) -> str:
    """Return a name of the machine that a record was made on."""
    about = record.environment
    return plain(str(about.get("processor") or about.get("system") or "machine"))


def _runs(cells: Iterable[str]) -> list[Cell]:
    """Return cells that follow each other with the same text as one.

    >>> [(cell.text, cell.number) for cell in _runs(["codes", "reported", "reported"])]
    [('codes', 1), ('reported', 2)]
    """
    return [Cell(text, len(list(found))) for text, found in itertools.groupby(cells)]


def _alike(cells: Sequence[str]) -> list[Cell]:
    """Return one cell for all columns where they are alike, else one for each.

    >>> [len(_alike(texts)) for texts in (["1", "1"], ["1", "1", "2"])]
    [1, 3]
    """
    found = _runs(cells)
    return found if len(found) == 1 else [Cell(text) for text in cells]


def _main_first(names: set[str]) -> list[str]:
    """Return metrics with those of the boards first."""
    place = {metric: number for number, metric in enumerate(BOARD_METRICS)}
    return sorted(names - {"bits"}, key=lambda name: (place.get(name.rpartition("/")[2], len(place)), name))


def _means(
    groups: Sequence[Sequence[Record]], value: Callable[[Record], float | None], shown: Callable[[float], str]
) -> list[str]:
    """Return the mean of a value over the records of each group that have it."""
    found = [[number for record in records if (number := value(record)) is not None] for records in groups]
    return [shown(fmean(numbers)) if numbers else NONE for numbers in found]


def _machines(records: Sequence[Record], root: str) -> Markup:
    """Return links to the machines of records."""
    found = {machine_id(record): machine_name(record) for record in records}
    return Markup(", ").join(
        Markup('<a href="{}machines.html#{}">{}</a>').format(root, place, name) for place, name in found.items()
    )


def _short(value: object) -> str:
    """Return an option's value, a number to six digits.

    >>> _short(5.6567573481305296), _short(1.0), _short("sigmoid"), _short(True)
    ('5.65676', '1', 'sigmoid', 'True')
    """
    return f"{value:g}" if isinstance(value, float) else str(value)


def _made(record: Record) -> list[tuple[str, str]]:
    """Return how a record was made, in words."""
    config = record.config
    found: list[tuple[str, str]] = [("precision", config.precision)]
    for name in ("hash_layer", "loss", "trainer", "fitter"):
        part = getattr(config, name)
        if part is not None:
            options = ", ".join(f"{key} {_short(value)}" for key, value in part.options.items())
            found.append((name.replace("_", " "), f"{part.name}{f' ({options})' if options else ''}"))
    if config.recipe is not None:
        recipe = config.recipe
        found.append(
            (
                "recipe",
                f"{recipe.epochs} epochs of {recipe.batch_size}, {recipe.optimizer}, learning rate {recipe.lr:g}, "
                f"weight decay {recipe.weight_decay:g}, {recipe.schedule.name}",
            )
        )
    if config.settings_source:
        found.append(("settings", config.settings_source))
    plugins = {f"{p.distribution} {p.version}" for p in record.plugins.values()}
    found.append(("plugins", ", ".join(sorted(plugins))))
    found.append(("made (UTC)", f"{datetime.fromisoformat(record.created).astimezone(UTC):%Y-%m-%d %H:%M}"))
    return [(name, plain(str(value))) for name, value in found]
