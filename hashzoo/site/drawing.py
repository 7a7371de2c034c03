"""The charts of a page: their data in few bytes, a small still drawing of each, and what a browser draws them from.

A page's chart is its data (`Chart.json`), an SVG drawn here for readers without scripts, and one of four Vega
specifications that all pages share, compiled from the same Altair charts as those of `hashzoo plot`. The stills are
drawn here because Vega's own take five times the bytes, and a site has hundreds of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from hashzoo.site import charts
from hashzoo.site.charts import FAINT, GREY, Points, colour_of, is_dashed, need

WIDTH, HEIGHT = 880, 560
"""Of a still in its own units, two to a pixel of a card."""

LEFT, RIGHT, TOP, BOTTOM = 92, 26, 14, 78
SCALE = 10_000
"""Values are kept in this part of one."""


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
    """A chart of one kind ("pr", "precision", "radius", "recall", "bits", "distances") and its lines."""

    kind: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]

    @property
    def x_scale(self) -> int:
        """What one of x is kept as: recall in parts, all else counted."""
        return SCALE if self.kind == "pr" else 1

    @property
    def logarithmic(self) -> bool:
        """Whether x is a rank among many."""
        return self.kind == "precision" and max((line.x[-1] for line in self.lines), default=1) > 100

    @property
    def template(self) -> str:
        """Which of the shared specifications it is drawn from."""
        return self.kind if self.kind in ("bits", "distances") else "log" if self.logarithmic else "line"

    @property
    def json(self) -> Markup:
        """Its data for a script element: x and y as differences, since those have fewer digits."""
        found = {
            "kind": self.kind, "of": self.template, "x": self.x_title, "y": self.y_title, "lines": [
                [line.name, line.place, _steps(line.x), _steps(line.y), *([line.spread] if any(line.spread) else [])]
                for line in self.lines
            ],
        }  # fmt: skip
        text = json.dumps(found, separators=(",", ":"), ensure_ascii=True)
        for character in "<>&":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return Markup(text)


def chart(kind: str, points: Points, order: Mapping[str, int], *, y: str = "") -> Chart:
    """Return the chart of points (m, x, y, l, h); `order` gives its lines and the place of each colour."""
    x_title, y_title, _ = charts.KINDS[kind]
    by = SCALE if kind == "pr" else 1
    lines = []
    for name, place in order.items():
        own = [p for p in points if p["m"] == name]
        lines.append(
            Line(
                name, place, tuple(round(p["x"] * by) for p in own), tuple(round(p["y"] * SCALE) for p in own),
                tuple(round((p.get("h", 0.0) - p.get("l", 0.0)) / 2 * SCALE) for p in own),
            )
        )  # fmt: skip
    return Chart(kind, x_title, y or y_title, tuple(line for line in lines if line.x))


def distances(points: Points, order: Mapping[str, int]) -> Chart:
    """Return the histogram of points (m, x, y): the share of pairs at each Hamming distance."""
    lines = []
    for name, place in order.items():
        own = [p for p in points if p["m"] == name]
        ys = tuple(round(p["y"] * SCALE) for p in own)
        lines.append(Line(name, place, tuple(int(p["x"]) for p in own), ys, (0,) * len(own)))
    return Chart("distances", "Hamming distance to the query", "share of pairs", tuple(lines))


def _steps(values: Sequence[int]) -> list[int]:
    return [value - before for before, value in zip((0, *values), values, strict=False)]


# Stills


def still(drawn: Chart) -> str:
    """Return the chart as SVG, coordinates in half pixels."""
    x_of, x_ticks = _x_axis(drawn)
    bands = [edge for line in drawn.lines for edge in edges(drawn, line)]
    low = 0.0 if drawn.kind == "distances" else min(lower for lower, _ in bands) / SCALE
    high = max(upper for _, upper in bands) / SCALE
    step = nice_step(low, high)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    height = HEIGHT - TOP - BOTTOM

    def y_of(value: float) -> int:
        return round(HEIGHT - BOTTOM - (value / SCALE / step - first) / (last - first) * height)

    percent = drawn.kind == "distances"
    y_ticks = [(y_of(n * step * SCALE), _label(n * step, step, percent)) for n in range(first, last + 1)]
    grid = "".join(f"M{x} {TOP}V{HEIGHT - BOTTOM}" for x, _ in x_ticks)
    grid += "".join(f"M{LEFT} {y}H{WIDTH - RIGHT}" for y, _ in y_ticks)
    parts = [f'<path stroke="{FAINT}" stroke-width="2" d="{grid}"/>', f'<g font-size="22" fill="{GREY}">']
    parts += [f'<text x="{x}" y="{HEIGHT - 48}" text-anchor="middle">{label}</text>' for x, label in x_ticks]
    parts += [f'<text x="{LEFT - 10}" y="{y + 8}" text-anchor="end">{label}</text>' for y, label in y_ticks]
    middle = (LEFT + WIDTH - RIGHT) // 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">{escape(drawn.x_title)}</text>')
    across = (TOP + HEIGHT - BOTTOM) // 2
    parts.append(
        f'<text transform="translate(20 {across})rotate(-90)" text-anchor="middle">{escape(drawn.y_title)}</text></g>'
    )
    draw = _steps_of_bars if percent else _line_and_band
    parts += [draw(drawn, line, x_of, y_of) for line in drawn.lines]
    return _svg("".join(parts), WIDTH, HEIGHT)


def _x_axis(drawn: Chart) -> tuple[Any, list[tuple[int, str]]]:
    """Return x to coordinate, and the ticks with their labels."""
    found = sorted({x for line in drawn.lines for x in line.x})
    low, high = found[0], max(found[-1], found[0] + 1)
    width, pad = WIDTH - LEFT - RIGHT, 16 if drawn.kind == "bits" else 0
    if drawn.logarithmic:
        low, top = max(low, 1), math.log(high / max(low, 1))

        def by_log(x: float) -> int:
            return round(LEFT + math.log(max(x, low) / low) / top * width)

        tens = [10**n for n in range(math.ceil(math.log10(high)) + 1) if low <= 10**n <= high]
        return by_log, [(by_log(n), f"{n // 1000}k" if n >= 1000 else str(n)) for n in tens]

    def linear(x: float) -> int:
        return round(LEFT + pad + (x - low) / (high - low) * (width - 2 * pad))

    if drawn.kind == "bits":
        return linear, [(linear(x), str(x)) for x in found]
    by = drawn.x_scale
    step = nice_step(low / by, high / by)
    ticks = range(math.ceil(low / by / step - 1e-9), math.floor(high / by / step + 1e-9) + 1)
    return linear, [(linear(n * step * by), _label(n * step, step)) for n in ticks]


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


def _line_and_band(drawn: Chart, line: Line, x_of: Any, y_of: Any) -> str:
    colour, found = colour_of(line.place), ""
    there = [(x_of(x), y_of(y)) for x, y in zip(line.x, line.y, strict=True)]
    if any(line.spread):
        band = list(zip(line.x, edges(drawn, line), strict=True))
        above, below = [(x, high) for x, (_, high) in band], [(x, low) for x, (low, _) in band[::-1]]
        outline = [(x_of(x), y_of(y)) for x, y in above + below]
        found = f'<path fill="{colour}" fill-opacity=".16" d="{_path(outline)}z"/>'
    dashed = ' stroke-dasharray="10 8"' if is_dashed(line.place) else ""
    found += f'<path fill="none" stroke="{colour}" stroke-width="4"{dashed} d="{_path(there)}"/>'
    if drawn.kind == "bits":
        round_ones = "".join(f"M{x} {y}h0" for x, y in there)
        found += f'<path stroke="{colour}" stroke-width="12" stroke-linecap="round" d="{round_ones}"/>'
    return found


def _steps_of_bars(_: Chart, line: Line, x_of: Any, y_of: Any) -> str:
    corners: list[tuple[int, int]] = []
    for number, (x, y) in enumerate(zip(line.x, line.y, strict=True)):
        left = x_of(x) if number == 0 else round((x_of(line.x[number - 1]) + x_of(x)) / 2)
        right = x_of(x) if number == len(line.x) - 1 else round((x_of(x) + x_of(line.x[number + 1])) / 2)
        corners += [(left, y_of(y)), (right, y_of(y))]
    outline = [(corners[0][0], y_of(0)), *corners, (corners[-1][0], y_of(0))]
    colour = colour_of(line.place)
    return f'<path fill="{colour}" fill-opacity=".4" stroke="{colour}" stroke-width="3" d="{_path(outline)}"/>'


def edges(drawn: Chart, line: Line) -> list[tuple[int, int]]:
    """Return the lower and upper edge of a line's band at each point; shares end at nought and one."""
    top = SCALE if drawn.kind != "bits" else 10 * SCALE**2
    bottom = 0 if drawn.kind != "bits" else -top
    return [(max(bottom, y - s), min(top, y + s)) for y, s in zip(line.y, line.spread, strict=True)]


def _path(points: Iterable[tuple[int, int]]) -> str:
    """Return a path by relative steps; points that do not move it are left out."""
    found, at = "", (0, 0)
    for number, (x, y) in enumerate(points):
        across, down = x - at[0], y - at[1]
        if number == 0:
            found = f"M{x} {y}"
        elif down == 0 and across:
            found += f"h{across}"
        elif across == 0 and down:
            found += f"v{down}"
        elif across:
            found += f"l{across}{down}" if down < 0 else f"l{across} {down}"
        at = (x, y)
    return found


def plane(points: Points, order: Mapping[str, int], side: int = 560) -> str:
    """Return items in the plane as SVG: a dot each, coloured by its class."""
    across, down = [p["x"] for p in points], [p["y"] for p in points]
    span = max(max(across) - min(across), max(down) - min(down)) or 1.0
    left = (side - (max(across) - min(across)) / span * (side - 40)) / 2
    top = (side - (max(down) - min(down)) / span * (side - 40)) / 2
    parts = []
    for name, place in order.items():
        own = sorted(
            (
                round(left + (p["x"] - min(across)) / span * (side - 40)),
                round(top + (p["y"] - min(down)) / span * (side - 40)),
            )
            for p in points if p["m"] == name
        )  # fmt: skip
        dots, at = "", (0, 0)
        for x, y in own:
            dots += f"m{x - at[0]} {y - at[1]}h0" if dots else f"M{x} {y}h0"
            at = (x, y)
        parts.append(f'<path stroke="{colour_of(place)}" d="{dots}"/>')
    dots = "".join(parts)
    return _svg(f'<g stroke-width="11" stroke-linecap="round" stroke-opacity=".72">{dots}</g>', side, side)


def _svg(content: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width // 2}" '
        f'height="{height // 2}" font-family="system-ui,sans-serif">{content}</svg>\n'
    )


# What a browser draws them from


def script() -> str:
    """Return Vega as one script, `window.vega` with what draws a compiled specification: two thirds of the bundle.

    vl-convert keeps Vega under the address that its bundle imports; where another release keeps it elsewhere, the whole
    bundle does the same.
    """
    tool = need("vl_convert")
    address = f"https://cdn.jsdelivr.net/npm/vega@{tool.get_vega_version()}/+esm"
    try:
        bundle: str = tool.javascript_bundle(f'import {{View, parse}} from "{address}"; window.vega = {{View, parse}};')
    except ValueError:
        return charts.script() + "window.vega=vegaEmbed.vega;\n"
    return bundle.replace("</script", "<\\/script")


def templates() -> str:
    """Return a script with the four specifications without data, and the colours."""
    made = {name: _compiled(name) for name in ("line", "log", "bits", "distances")}
    colours = {"palette": charts.PALETTE, "floors": charts.FLOORS}
    return (
        f"window.hashzooCharts={json.dumps(made, separators=(',', ':'), sort_keys=True)};\n"
        f"window.hashzooColours={json.dumps(colours, separators=(',', ':'))};\n"
    )


def _compiled(name: str) -> dict[str, Any]:
    spec = charts.shared(name)
    made: dict[str, Any] = need("vl_convert").vegalite_to_vega(spec)
    made.pop("$schema", None)
    return made
