"""The charts of boards and of methods, from the rows that stand on them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from hashzoo.results.record import Record
from hashzoo.site import charts, drawing
from hashzoo.site.content import Board, Row, Setup, View

SHOWN = 8
"""The most lines of a chart beside the floors."""

USUAL = 48
"""The bit length of curves where a board has it, else its middle one."""

FEW_POINTS = 10
"""The most points of a curve where many small charts stand."""

FEW_CURVES = 4
"""The most precision-recall curves of a method's page that are of all bit lengths; more rows have the usual one."""

BOARDS = 1
"""The most boards of which a method's page has charts; the others are a link away."""


class Entry(NamedTuple):
    """A line of a legend: its name and the class that has its colour."""

    name: str
    style: str


class Figure(NamedTuple):
    """A chart as the templates take it: its drawing, the kind of it, and a legend unless a group has one."""

    title: str
    note: str
    kind: str
    still: Markup
    legend: Sequence[Entry] = ()


class Place(NamedTuple):
    """A row of a method where it stands first: the board, the set-up and the view."""

    board: Board
    setup: Setup
    view: View
    row: Row


def figure(title: str, note: str, chart: drawing.Chart, legend: bool = True) -> Figure:
    """Return a chart as the templates take it."""
    entries = [Entry(line.name, drawing.style_of(line.place)) for line in chart.lines] if legend else []
    return Figure(title, note, chart.template, drawing.still(chart), entries)


def board_charts(setup: Setup) -> tuple[list[Figure], list[Entry]]:
    """Return the charts of a set-up and the legend that they share: of the rows with the highest mean, and floors."""
    view = setup.headline
    prefix = view.metric.rpartition("/")[0]
    rows = [*(row for row in view.rows if not row.floor)][:SHOWN] + [row for row in view.rows if row.floor]
    names = _names(rows)
    places = _places(rows, names)
    found = []
    if len(view.bits) > 1:
        found.append(_over_bits(f"{view.metric} over bit lengths", "", view, rows, names, places, legend=False))
    bits = usual_length(view.bits)
    where = f"{bits} bits" + (f", {prefix}" if prefix else "")
    for kind in ("pr", "precision", "radius", "recall"):
        points = [p for row in rows for p in curve_points(row.records, kind, bits, prefix, names[row.key])]
        if points:
            found.append(figure(charts.KINDS[kind][2], where, drawing.chart(kind, points, places), False))
    return found, [Entry(name, drawing.style_of(place)) for name, place in places.items()] if found else []


def method_charts(places: Sequence[Place]) -> list[Figure]:
    """Return the charts of a method, in which all its rows on a board and set-up are lines.

    Over bit lengths on the boards with the largest databases, at most `BOARDS`, and precision-recall on the first.
    """
    groups: dict[tuple[str, str, str], list[Place]] = {}
    for place in places:
        groups.setdefault((place.board.label, place.setup.id, place.view.metric), []).append(place)
    found = sorted(groups.values(), key=_size, reverse=True)[:BOARDS]
    return [chart for group in found for chart in _over_lengths(group)] + [
        chart for group in found[:1] for chart in _precision_recall(group)
    ]


def _size(places: Sequence[Place]) -> float:
    """Return how many items the codes on a board are of, by any of its rows: one without codes does not say."""
    metrics = [item for row in places[0].view.rows for item in row.records[0].metrics.items()]
    return max((value for name, value in metrics if name.rpartition("/")[2] == "items"), default=0)


def _where(place: Place) -> str:
    return f"on {place.board.label}" + (f", {place.setup.label}" if len(place.board.setups) > 1 else "")


def _over_lengths(places: Sequence[Place]) -> list[Figure]:
    """Return the chart over bit lengths of a method's rows on one board, where it has several lengths."""
    view = places[0].view
    if len(view.bits) < 2:
        return []
    own = [place.row for place in places][:SHOWN]
    best = [row for row in view.best()[:1] if row not in own]
    others = [*best, *(row for row in view.rows if row.floor and row not in own)]
    names = _names([*own, *others])
    order = charts.numbered([names[row.key] for row in own])
    order |= {name: n + len(own) if n >= 0 else n for name, n in _places(others, names).items()}
    beside = " and ".join(["the highest"] * bool(best) + ["the floors"] * any(row.floor for row in others))
    settings = own[0].settings if len(own) == 1 else ""
    note = ", ".join(part for part in (settings, f"beside {beside}" if beside else "") if part)
    return [
        _over_bits(f"{view.metric} over bit lengths {_where(places[0])}", note, view, [*own, *others], names, order)
    ]


def _precision_recall(places: Sequence[Place]) -> list[Figure]:
    """Return the precision-recall chart of a method's rows on one board, where they have the curves."""
    own = [place.row for place in places][:SHOWN]
    prefix = places[0].view.metric.rpartition("/")[0]
    lengths = sorted({record.bits for row in own for record in row.records} - {0})
    if len(lengths) * len(own) > FEW_CURVES:
        lengths = [usual_length(lengths)]
    names = _names(own)
    points: charts.Points = []
    for row, bits in itertools.product(own, lengths):
        name = f"{bits} bits" if len(own) == 1 else f"{names[row.key]}, {bits} bits"
        points += curve_points(row.records, "pr", bits, prefix, name, FEW_POINTS)
    if not points:
        return []
    settings = own[0].settings if len(own) == 1 else ""
    drawn = drawing.chart("pr", points, charts.numbered(list(dict.fromkeys(p["m"] for p in points))))
    title = f"{charts.KINDS['pr'][2]} {_where(places[0])}"
    return [figure(title, ", ".join(part for part in (settings, prefix) if part), drawn)]


def _over_bits(
    title: str, note: str, view: View, rows: Sequence[Row], names: Mapping[Any, str], order: Mapping[str, int],
    legend: bool = True,
) -> Figure:  # fmt: skip
    """Return the chart of a view over bit lengths; floors that would take most of its axis are named in the note."""
    points = [
        point for row in rows
        for point in charts.over_bits({b: (f.value, f.sd) for b, f in view.of(row).items()}, names[row.key])
    ]  # fmt: skip
    drawn = drawing.chart("bits", points, order, y=view.metric, within=charts.range_of(view.metric))
    drawn, far = drawing.apart(drawn)
    return figure(title, "; ".join(part for part in (note, drawing.outside(far)) if part), drawn, legend)


def usual_length(lengths: Sequence[int]) -> int:
    """Return the bit length of curves: 48, or the middle one."""
    return USUAL if USUAL in lengths else lengths[len(lengths) // 2]


def curve_points(
    records: Sequence[Record], kind: str, bits: int, prefix: str, name: str, most: int = charts.MOST_POINTS
) -> charts.Points:
    """Return the points of one kind of curve of records that differ in seed, mean and band."""
    curve, axes = {
        "pr": ("pr_curve", (0, 1)), "precision": ("precision_curve", (0, 1)), "radius": ("pr_curve_lookup", (0, 2)),
        "recall": ("pr_curve_lookup", (0, 1)),
    }[kind]  # fmt: skip
    full = f"{prefix}/{curve}" if prefix else curve
    found = [record.curves[full] for record in records if record.bits in (0, bits) and full in record.curves]
    return charts.band(found, axes, name, counted=kind != "pr", most=most)


def in_short(name: str, settings: str) -> str:
    """Return the name of a row with its settings, as every chart has it."""
    return f"{name} ({settings})" if settings else name


def _names(rows: Sequence[Row]) -> dict[tuple[str, str, str, str], str]:
    """Return a name of each row: with its settings, and "own" where a row of the same method has some."""
    several = {row.name for row in rows if sum(other.name == row.name for other in rows) > 1}
    return {row.key: in_short(row.name, row.settings or ("own" if row.name in several else "")) for row in rows}


def _places(rows: Sequence[Row], names: Mapping[Any, str]) -> dict[str, int]:
    """Return the place of each row's colour: from 0 for methods, from -1 down for floors."""
    methods = [names[row.key] for row in rows if not row.floor]
    floors = [names[row.key] for row in rows if row.floor]
    return charts.numbered(methods) | {name: -1 - place for place, name in enumerate(floors)}
