"""The charts of a page: a small still drawing of each that holds its data.

A page's chart is an SVG in the page, drawn here for readers without scripts. Its lines are paths in the data's own
units, which a transformation puts in their place, so that the page's script reads the values off the drawing and no
chart stands on a page twice (`vega.py` has what it draws them from). Colours and fonts are in the style sheet
(`.still`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from markupsafe import Markup, escape

from hashzoo.site import charts
from hashzoo.site.charts import Points, colour_of, is_dashed

WIDTH, HEIGHT = 880, 560
"""Of a still in its own units, two to a pixel of a card."""

LEFT, RIGHT, TOP, BOTTOM = 92, 26, 14, 78
SCALE = 10_000
"""Values are kept in this part of one."""

RECALL = 1_000
"""Recall is kept in this part of one, where it is x."""

LOG = 1_000_000
"""Logarithms to the base ten are kept in this part of one, which gives ranks back as they were."""


@dataclass(frozen=True)
class Line:
    """One line: its name, the place of its colour (negative: a floor), x, y and the band's half width, as integers."""

    name: str
    place: int
    x: tuple[int, ...]
    y: tuple[int, ...]
    spread: tuple[int, ...]


@dataclass(frozen=True)
class Chart:
    """A chart of one kind ("pr", "precision", "radius", "recall", "bits", "distances") and its lines.

    `within` is the range of y, at whose ends bands end.
    """

    kind: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    within: charts.Range = (0.0, 1.0)

    @property
    def x_scale(self) -> int:
        """What one of x is kept as: recall in parts, all else counted."""
        return RECALL if self.kind == "pr" else 1

    @property
    def logarithmic(self) -> bool:
        """Whether x is a rank among many."""
        return self.kind == "precision" and max((line.x[-1] for line in self.lines), default=1) > 100

    @property
    def template(self) -> str:
        """What the page's script needs to know: "pr", "line", "log", "bits" or "distances"."""
        own = ("pr", "bits", "distances")
        return self.kind if self.kind in own else "log" if self.logarithmic else "line"


def chart(
    kind: str, points: Points, order: Mapping[str, int], *, y: str = "", within: charts.Range = (0.0, 1.0)
) -> Chart:
    """Return the chart of points (m, x, y, l, h); `order` gives its lines and the place of each colour."""
    x_title, y_title, _ = charts.KINDS[kind]
    by = RECALL if kind == "pr" else 1
    lines = []
    for name, place in order.items():
        own = [p for p in points if p["m"] == name]
        lines.append(
            Line(
                name, place, tuple(round(p["x"] * by) for p in own), tuple(round(p["y"] * SCALE) for p in own),
                tuple(round((p.get("h", 0.0) - p.get("l", 0.0)) / 2 * SCALE) for p in own),
            )
        )  # fmt: skip
    return Chart(kind, x_title, y or y_title, tuple(line for line in lines if line.x), within)


def distances(points: Points, order: Mapping[str, int]) -> Chart:
    """Return the histogram of points (m, x, y): the share of pairs at each Hamming distance."""
    lines = []
    for name, place in order.items():
        own = [p for p in points if p["m"] == name]
        ys = tuple(round(p["y"] * SCALE) for p in own)
        lines.append(Line(name, place, tuple(int(p["x"]) for p in own), ys, (0,) * len(own)))
    return Chart("distances", "Hamming distance to the query", "share of pairs", tuple(lines))


def style_of(place: int) -> str:
    """Return the class of a colour in the style sheet."""
    return f"f{(-1 - place) % len(charts.FLOORS)}" if is_dashed(place) else f"c{place % len(charts.PALETTE)}"


def apart(drawn: Chart) -> tuple[Chart, list[Line]]:
    """Return a chart without the floors that would take the most of its axis, and those floors.

    They are the floors that lie farther from the methods' values than these lie from each other.
    """
    values = [y for line in drawn.lines if not is_dashed(line.place) for y in line.y]
    if not values:
        return drawn, []
    low, high = min(values), max(values)
    reach = max(high - low, SCALE // 20)
    far = [
        line for line in drawn.lines
        if is_dashed(line.place) and (min(line.y) < low - reach or max(line.y) > high + reach)
    ]  # fmt: skip
    return replace(drawn, lines=tuple(line for line in drawn.lines if line not in far)), far


def outside(far: Sequence[Line]) -> str:
    """Return in words which floors a chart leaves out, with their values; "" where there is none."""
    return "outside the axis: " + ", ".join(f"{line.name} {ends(line)}" for line in far) if far else ""


def ends(line: Line) -> str:
    """Return a line's first and last value in words, one where they are the same to three digits."""
    first, last = (f"{y / SCALE:.3f}" for y in (line.y[0], line.y[-1]))
    return first if first == last else f"{first} to {last}"


def described(drawn: Chart) -> str:
    """Return a chart in a sentence for those who do not see it: its axes, its lines, and where each begins and ends.

    Of a histogram each line has its highest bar instead.
    """
    if drawn.kind == "distances":
        said = [f"{line.name} most often at {line.x[line.y.index(max(line.y))]}" for line in drawn.lines]
    else:
        said = [f"{line.name} {ends(line)}" for line in drawn.lines]
    start, end = (pick(line.x[n] for line in drawn.lines) / drawn.x_scale for pick, n in ((min, 0), (max, -1)))
    return f"{drawn.y_title} over {drawn.x_title}, {start:g} to {end:g}: {'; '.join(said)}"


# Stills


def still(drawn: Chart) -> Markup:
    """Return the chart as SVG for a page; the lines are in units of the data.

    Those who do not see it are told what `described` says; the title stands in the page's caption.
    """
    axis = _x_axis(drawn)
    bands = [edge for line in drawn.lines for edge in edges(drawn, line)]
    low = 0.0 if drawn.kind == "distances" else min(lower for lower, _ in bands) / SCALE
    high = max(upper for _, upper in bands) / SCALE
    step = nice_step(low, high)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    floor = HEIGHT - BOTTOM
    by = -(floor - TOP) / (last - first) / step / SCALE
    up = floor - first * step * SCALE * by
    y_ticks = [
        (round(up + n * step * SCALE * by), _label(n * step, step, drawn.kind == "distances"))
        for n in range(first, last + 1)
    ]
    grid = "".join(f"M{x} {TOP}V{floor}" for x, _ in axis.ticks)
    grid += "".join(f"M{LEFT} {y}H{WIDTH - RIGHT}" for y, _ in y_ticks)
    across = "".join(f'<text x="{x}">{label}</text>' for x, label in axis.ticks)
    upward = "".join(f'<text y="{y}">{label}</text>' for y, label in y_ticks)
    lines = "".join(
        f'<g class="{style_of(line.place)}"><title>{escape(line.name)}</title>{_drawn_line(drawn, line)}</g>'
        for line in drawn.lines
    )
    return Markup(
        f'<svg class="still" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(described(drawn))}">'
        f'<path d="{grid}"/><g class="x">{across}</g><g class="y">{upward}</g>'
        f'<text class="x-title">{escape(drawn.x_title)}</text><text class="y-title">{escape(drawn.y_title)}</text>'
        f'<g transform="translate({axis.start:.6g} {up:.6g})scale({axis.by:.6g} {by:.6g})">{lines}</g></svg>'
    )


class Axis(NamedTuple):
    """Where x is: at `start` plus `by` times its value; and the ticks with their labels."""

    start: float
    by: float
    ticks: Sequence[tuple[int, str]]


def _x_axis(drawn: Chart) -> Axis:
    found = sorted({_x_of(drawn, x) for line in drawn.lines for x in line.x})
    low, high = found[0], max(found[-1], found[0] + 1)
    pad = 16 if drawn.kind == "bits" else 0
    by = (WIDTH - LEFT - RIGHT - 2 * pad) / (high - low)
    start = LEFT + pad - low * by

    def ticks(values: Iterable[tuple[float, str]]) -> Axis:
        return Axis(start, by, [(round(start + x * by), label) for x, label in values])

    if drawn.logarithmic:
        tens = range(math.ceil(low / LOG), math.floor(high / LOG + 1e-6) + 1)
        return ticks((n * LOG, f"{10 ** (n - 3)}k" if n >= 3 else str(10**n)) for n in tens)
    if drawn.kind == "bits":
        return ticks((x, str(x)) for x in found)
    step = nice_step(low / drawn.x_scale, high / drawn.x_scale)
    steps = range(math.ceil(low / drawn.x_scale / step - 1e-9), math.floor(high / drawn.x_scale / step + 1e-9) + 1)
    return ticks((n * step * drawn.x_scale, _label(n * step, step)) for n in steps)


def _x_of(drawn: Chart, x: int) -> int:
    """Return x as it stands in a path: its logarithm where the axis is one."""
    return round(math.log10(max(x, 1)) * LOG) if drawn.logarithmic else x


def nice_step(low: float, high: float, number: int = 5) -> float:
    """Return the step of about `number` ticks: one, two or five times a power of ten.

    >>> nice_step(0, 1), nice_step(0, 48), nice_step(0.61, 0.68)
    (0.2, 10.0, 0.01)
    """
    rough = max((high - low) / number, 1e-6)
    power = 10.0 ** math.floor(math.log10(rough))
    return float(f"{power * min((1, 2, 5, 10), key=lambda n: abs(math.log(n * power / rough))):.6g}")


def _label(value: float, step: float, percent: bool = False) -> str:
    if percent:
        return f"{100 * value:.{max(0, -math.floor(math.log10(100 * step) + 1e-9))}f}%"
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _drawn_line(drawn: Chart, line: Line) -> str:
    if drawn.kind == "distances":
        return f'<path class="area" d="{_bars(line)}"/>'
    xs, found = [_x_of(drawn, x) for x in line.x], ""
    if any(line.spread):
        band = list(zip(xs, edges(drawn, line), strict=True))
        outline = [(x, high) for x, (_, high) in band] + [(x, low) for x, (low, _) in band[::-1]]
        found = f'<path class="band" d="{_path(outline)}"/>'
    there = list(zip(xs, line.y, strict=True))
    found += f'<path d="{_path(there)}"/>'
    if drawn.kind == "bits":
        found += f'<path class="dots" d="{"".join(f"M{x} {y}h0" for x, y in there)}"/>'
    return found


def _bars(line: Line) -> str:
    """Return the outline of bars at following whole numbers, half a bar wide at both ends; bars alike as one stroke."""
    found, wide = f"M{line.x[0]} 0V{line.y[0]}", 0.5
    for before, after in itertools.pairwise(line.y):
        if after != before:
            found, wide = f"{found}h{_short(wide)}v{after - before}", 0.0
        wide += 1
    return f"{found}h{_short(wide - 0.5)}V0"


def _short(number: float) -> str:
    """Return a number in the fewest characters.

    >>> [_short(number) for number in (0.5, 1.0, 12.5)]
    ['.5', '1', '12.5']
    """
    return f"{number:g}".removeprefix("0") or "0"


def edges(drawn: Chart, line: Line) -> list[tuple[int, int]]:
    """Return the lower and upper edge of a line's band at each point; they end where the range of y does."""
    bottom, top = (None if end is None else round(end * SCALE) for end in drawn.within)
    found = [(y - s, y + s) for y, s in zip(line.y, line.spread, strict=True)]
    return [
        (low if bottom is None else max(bottom, low), high if top is None else min(top, high)) for low, high in found
    ]


def _path(points: Sequence[tuple[int, int]]) -> str:
    """Return a path by relative steps, a pair of numbers for each point."""
    steps = [(x - from_x, y - from_y) for (from_x, from_y), (x, y) in itertools.pairwise(points)]
    drawn = "l" + " ".join(_pair(*step) for step in steps).replace(" -", "-") if steps else ""
    return f"M{points[0][0]} {points[0][1]}{drawn}"


def _pair(x: int, y: int) -> str:
    """Return two numbers of a path in the fewest characters."""
    return f"{x}{y}" if y < 0 else f"{x} {y}"


def bars(shares: Sequence[float]) -> str:
    """Return a path of one upright stroke per share, for a drawing that is one wide for each and 100 high.

    >>> bars([0.55, 0.0])
    'M.5 100v-55m1 55v-0m1 0'
    """
    heights = [f"{100 * share:.0f}" for share in shares]
    return "M.5 100" + "".join(f"v-{height}m1 {height}" for height in heights)


def plane(points: Points, order: Mapping[str, int], side: int = 560) -> str:
    """Return items in the plane as SVG: a dot each (one for items of a class at the same place), coloured by class."""
    across, down = [p["x"] for p in points], [p["y"] for p in points]
    span = max(max(across) - min(across), max(down) - min(down)) or 1.0
    left = (side - (max(across) - min(across)) / span * (side - 40)) / 2
    top = (side - (max(down) - min(down)) / span * (side - 40)) / 2
    parts = []
    for name, place in order.items():
        own = sorted({
            (
                round(left + (p["x"] - min(across)) / span * (side - 40)),
                round(top + (p["y"] - min(down)) / span * (side - 40)),
            )
            for p in points if p["m"] == name
        })  # fmt: skip
        steps = zip([(0, 0), *own], own, strict=False)
        dots = "".join(f"m{_pair(x - from_x, y - from_y)}h0" for (from_x, from_y), (x, y) in steps)
        parts.append(f'<path stroke="{colour_of(place)}" d="{dots}"/>')
    dots = "".join(parts)
    return _svg(f'<g stroke-width="11" stroke-linecap="round" stroke-opacity=".72">{dots}</g>', side, side)


def _svg(content: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width // 2}" '
        f'height="{height // 2}">{content}</svg>\n'
    )
