"""The charts, once as Vega-Lite (through Altair) and drawn from that as SVG or PNG; they suit light and dark pages."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import HashzooError, WorkError
from hashzoo.evaluation.names import base_of
from hashzoo.plugins import registry

Points = list[dict[str, Any]]
"""Points of a chart: m (the line), x, y and the band's l and h."""

GREY = "#80868d"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
FAINT = "rgba(128,134,141,0.22)"
PALETTE = (
    "#2068bc", "#d47420", "#389874", "#985080", "#8080ec", "#746820", "#d474b0", "#80bcec",
    "#bcbc2c", "#eca498", "#98a468", "#2ca4d4",
)  # fmt: skip
"""Colours that show on white and on near-black; the first ten are told apart without red or green cones too."""

FLOORS = ("#80868d", "#a8917c", "#5f7a90")
"""Colours of floors, whose lines are dashed; their places are -1, -2, ..."""

DASHES = ((5, 4), (1.5, 3), (9, 3, 2, 3))
"""Dashes of floors, in the order of their colours; they stand in the style sheet too."""

KINDS: Mapping[str, tuple[str, str, str]] = {
    "pr": ("recall", "precision", "Precision-recall"),
    "precision": ("N", "precision of the first N", "Precision at N"),
    "radius": ("Hamming radius", "precision", "Precision within a radius"),
    "recall": ("Hamming radius", "recall", "Recall within a radius"),
    "bits": ("bits", "", "Over bit lengths"),
}
"""Axes and titles of the line charts."""

MOST_POINTS = 16


def need(what: str = "altair") -> Any:
    """Import Altair or vl-convert; WorkError with the command that installs both where they are absent."""
    import importlib

    try:
        return importlib.import_module(what)
    except ImportError as error:
        raise WorkError(
            f"{what} is not installed, which draws the charts; install it: pip install 'hashzoo[site]'."
        ) from error


def lines(
    kind: str, points: Points, order: Mapping[str, int], *, y: str = "", title: Sequence[str] = (), height: int = 260
) -> dict[str, Any]:
    """Return the specification of lines with bands under a title of one line or more.

    `order` gives the lines of the legend and the colour of each; floors, at negative places, are dashed.
    """
    alt = need()
    x_title, y_title, _ = KINDS[kind]
    bits = kind == "bits"
    x_axis = alt.Axis(values=sorted({p["x"] for p in points})) if bits else alt.Axis(tickCount=6)
    logarithmic = kind == "precision" and _is_long(points)
    x_scale = alt.Scale(type="log", nice=False) if logarithmic else alt.Scale(nice=False, zero=False, padding=8 * bits)
    scale = alt.Scale(domain=list(order), range=[colour_of(n) for n in order.values()])
    legend = alt.Legend(
        title=None,
        orient="bottom",
        columns=2 if max(map(len, order)) > 18 else 4,
        symbolType="stroke",
        symbolSize=400,
        symbolOpacity=1,
        labelLimit=260,
    )
    colour = alt.Color("m:N", scale=scale, legend=legend)
    dashes = alt.Scale(domain=list(order), range=[dash_of(n) for n in order.values()])
    pick = alt.selection_point(name="pick", fields=["m"], bind="legend")
    base = alt.Chart(alt.Data(values=points)).encode(x=alt.X("x:Q", title=x_title, scale=x_scale, axis=x_axis))
    y_scale = alt.Scale(zero=False, nice=True)
    band = base.mark_area().encode(
        y=alt.Y("l:Q", title=y or y_title, scale=y_scale), y2="h:Q", color=colour,
        opacity=alt.condition(pick, alt.value(0.16), alt.value(0)),
    )  # fmt: skip
    line = base.mark_line(strokeWidth=1.8, point={"size": 28} if bits else False).encode(
        y=alt.Y("y:Q", scale=y_scale), color=colour, strokeDash=alt.StrokeDash("m:N", scale=dashes, legend=legend),
        opacity=alt.condition(pick, alt.value(1.0), alt.value(0.12)),
        tooltip=[
            alt.Tooltip("m:N", title="method"),
            alt.Tooltip("x:Q", title=x_title, format=".3~f"),
            alt.Tooltip("y:Q", title=y or y_title, format=".4f"),
        ],
    )  # fmt: skip
    return _finished((band + line).add_params(pick), height, title=title)


def shared(name: str) -> dict[str, Any]:
    """Return the specification without data of a page's charts: "line", "log" (x), "bits" or "distances".

    Titles of the axes are "@x" and "@y"; a page's script puts in titles, colours, data and, in `pick`, the line chosen.
    """
    alt = need()
    pick = alt.param(name="pick", value="")
    chosen = "pick == '' || datum.m == pick"
    colour = alt.Color("m:N", scale=alt.Scale(domain=["@m"], range=["@c"]), legend=None)
    bits, bars = name == "bits", name == "distances"
    axis = alt.Axis(values=[0]) if bits else alt.Axis(tickCount=6)
    if name == "log":
        axis = alt.Axis(values=[10**n for n in range(7)], format="~s")
    scale = alt.Scale(type="log", nice=False) if name == "log" else alt.Scale(nice=False, zero=False, padding=8 * bits)
    base = alt.Chart(alt.Data(values=[])).encode(x=alt.X("x:Q", title="@x", scale=scale, axis=axis), color=colour)
    says = [
        alt.Tooltip("m:N", title="m"), alt.Tooltip("x:Q", title="x", format=".3~f"),
        alt.Tooltip("y:Q", title="y", format=".2%" if bars else ".4f"),
    ]  # fmt: skip
    if bars:
        y_axis = alt.Y("y:Q", title="@y", stack=None, axis=alt.Axis(tickCount=4, format=".0%"))
        layers = [base.mark_area(interpolate="step", line=True).encode(
            y=y_axis, tooltip=says, opacity=alt.condition(chosen, alt.value(0.45), alt.value(0.08)),
        )]  # fmt: skip
    else:
        y_scale = alt.Scale(zero=False, nice=True)
        y = alt.Y("y:Q", title="@y", scale=y_scale)
        seen = alt.condition(chosen, alt.value(1), alt.value(0.12))
        # the page's script says of a point only that it is a floor's (f): its colour says which
        dash = alt.StrokeDashValue([], condition=[
            {"test": f"datum.f && scale('color', datum.m) == '{colour}'", "value": list(dash)}
            for colour, dash in zip(FLOORS, DASHES, strict=True)
        ])  # fmt: skip
        layers = [
            base.mark_area().encode(
                y=alt.Y("l:Q", title="@y", scale=y_scale), y2="h:Q",
                opacity=alt.condition(chosen, alt.value(0.16), alt.value(0)),
            ),
            base.mark_line(strokeWidth=1.8).encode(y=y, opacity=seen, strokeDash=dash),
            base.mark_circle(size=30 if bits else 110, **({} if bits else {"opacity": 0})).encode(
                y=y, tooltip=says, **({"opacity": seen} if bits else {})
            ),
        ]  # fmt: skip
    spec = _finished(alt.layer(*layers).add_params(pick).configure(aria=False, font=FONT), "container")
    spec["autosize"] = {"type": "fit", "contains": "padding"}
    return spec


def is_dashed(place: int) -> bool:
    """Whether the line at a place is a floor's."""
    return place < 0


def colour_of(place: int) -> str:
    """Return a colour of the palette, of floors for a negative place; it begins anew where there are more lines."""
    return PALETTE[place % len(PALETTE)] if place >= 0 else FLOORS[(-1 - place) % len(FLOORS)]


def dash_of(place: int) -> list[float]:
    """Return the dashes of a line: none for methods, those of a floor for a negative place."""
    return list(DASHES[(-1 - place) % len(DASHES)]) if is_dashed(place) else []


def numbered(names: Sequence[str]) -> dict[str, int]:
    """Return the place of each name, by which it has its colour."""
    return {name: place for place, name in enumerate(names)}


def _is_long(points: Points) -> bool:
    return max((p["x"] for p in points), default=1) > 100


def scatter(points: Points, classes: Sequence[str], *, title: Sequence[str] = (), size: int = 340) -> dict[str, Any]:
    """Return items in the plane, coloured by class, under a title of one line or more; points: x, y, m."""
    alt = need()
    colour = alt.Color(
        "m:N",
        scale=alt.Scale(domain=list(classes), range=[PALETTE[n % len(PALETTE)] for n in range(len(classes))]),
        legend=alt.Legend(title=None, orient="right", symbolType="circle", symbolOpacity=1, labelLimit=90),
    )
    made = (
        alt.Chart(alt.Data(values=points))
        .mark_circle(size=26, opacity=0.75)
        .encode(x=alt.X("x:Q", axis=None), y=alt.Y("y:Q", axis=None), color=colour)
    )
    return _finished(made, size, size, title)


def _finished(
    chart: Any, height: int | str, width: int | str = "container", title: Sequence[str] = ()
) -> dict[str, Any]:
    if title:
        first, *rest = title
        heading = {"text": first, "subtitle": rest, "anchor": "start", "fontSize": 14, "subtitleFontSize": 12}
        chart = chart.properties(title=need().TitleParams(**heading, subtitleColor=GREY, offset=12))
    made = chart.properties(width=width, height=height, background="transparent").configure(font=FONT)
    made = made.configure_axis(
        labelColor=GREY, titleColor=GREY, gridColor=FAINT, domainColor=FAINT,
        tickColor=FAINT, titleFontWeight="normal", labelFontSize=11, titleFontSize=12, titlePadding=8,
    )  # fmt: skip
    made = made.configure_legend(labelColor=GREY, titleColor=GREY, labelFontSize=12, symbolStrokeWidth=2.5)
    made = made.configure_view(stroke=None).configure_title(color=GREY, fontWeight="normal")
    spec: dict[str, Any] = made.to_dict()
    spec["autosize"] = {"type": "fit-x", "contains": "padding"} if width == "container" else {"type": "pad"}
    return spec


def svg(spec: Mapping[str, Any], width: int = 560) -> str:
    """Return the drawing as SVG, coordinates to a tenth of a pixel."""
    drawn: str = need("vl_convert").vegalite_to_svg(_sized(spec, width), show_warnings=False)
    drawn = re.sub(r"<[^>]+>", _shortened, drawn)
    for idle in ('<path d="M0,0h0v0h0Z"/>', '<path d="" display="none"/>', "<g></g>"):
        drawn = drawn.replace(idle, "")
    return drawn.replace("<svg ", f'<svg font-family="{FONT}" ', 1)


def _shortened(tag: re.Match[str]) -> str:
    """Return a tag of an SVG without what only live charts need, its numbers with one decimal."""
    text = re.sub(r'\s+(?:aria-[a-z]+|role|pointer-events|class|font-family)="[^"]*"', "", tag[0])
    text = re.sub(r'\s+(?:opacity|stroke-width|stroke-opacity|fill-opacity)="1"', "", text)
    text = text.replace("rgba(128,134,141,0.22)", "#80868d38").replace("translate(0,0)", "")
    text = text.replace(' transform=""', "")
    return re.sub(r"(\d+\.\d)\d+", r"\1", text)


def png(spec: Mapping[str, Any], width: int = 560, scale: float = 2.0) -> bytes:
    """Return the drawing as PNG."""
    drawn: bytes = need("vl_convert").vegalite_to_png(_sized(spec, width), scale=scale, show_warnings=False)
    return drawn


def html(spec: Mapping[str, Any], title: str) -> str:
    """Return a page of its own that works without a network."""
    bundle = script()
    content = json.dumps(spec, ensure_ascii=True).replace("<", "\\u003c")
    safe = title.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{safe}</title>\n'
        "<style>:root{color-scheme:light dark}body{font:16px system-ui;margin:2rem auto;"
        "max-width:50rem}#c{width:100%}</style>\n"
        f'<div id="c"></div>\n<script>{bundle}</script>\n'
        f'<script>vegaEmbed("#c",{content},{{actions:false,renderer:"svg"}});</script></html>\n'
    )


def script() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script."""
    bundle: str = need("vl_convert").javascript_bundle()
    return bundle.replace("</script", "<\\/script")


def _sized(spec: Mapping[str, Any], width: int) -> dict[str, Any]:
    return {**spec, "width": width} if spec.get("width") == "container" else dict(spec)


# Points from the curves of records


def band(
    curves: Sequence[Sequence[Sequence[float]]], axes: tuple[int, int], name: str, *, counted: bool = False,
    most: int = MOST_POINTS,
) -> Points:  # fmt: skip
    """Return the mean of one curve per seed with a band of one standard deviation, thinned to the most points.

    `axes` are the places of x and y in a point. Where `x` is counted (radius, rank), points of one x belong together;
    else, along precision and recall, points of one place.
    """
    if not curves:
        return []
    if counted:
        shared = set.intersection(*({point[axes[0]] for point in curve} for curve in curves))
        curves = [[point for point in curve if point[axes[0]] in shared] for curve in curves]
    shortest = min(map(len, curves))
    if not shortest:
        return []
    values = np.array([[[point[axis] for axis in axes] for point in curve[:shortest]] for curve in curves])
    mean, spread = values.mean(axis=0), values[:, :, 1].std(axis=0, ddof=1) if len(curves) > 1 else np.zeros(shortest)
    rows = _spread_out(mean, most)
    return [{"m": name, "x": _short(mean[n, 0]), "y": _short(mean[n, 1]), **_band(mean[n, 1], spread[n])} for n in rows]


def _spread_out(mean: NDArray[np.float64], most: int) -> list[int]:
    """Return at most so many places of a curve (n, 2), evenly spread along its drawn length, both ends among them."""
    if len(mean) <= most:
        return list(range(len(mean)))
    steps = np.abs(np.diff(mean, axis=0)) / np.maximum(np.ptp(mean, axis=0), 1e-12)
    along = np.concatenate([[0.0], np.cumsum(steps.sum(axis=1))])
    wanted = np.linspace(0.0, along[-1], most)
    nearest = np.abs(along[None, :] - wanted[:, None]).argmin(axis=1)
    return sorted({0, len(mean) - 1, *nearest.tolist()})


def _band(y: float, spread: float) -> dict[str, float]:
    return {"l": _short(y - spread), "h": _short(y + spread)}


def _short(value: float) -> float:
    return float(f"{value:.4f}".rstrip("0").rstrip(".") or 0)


Range = tuple[float | None, float | None]
"""The smallest and the largest value of a metric, None where there is no bound."""


def range_of(metric: str) -> Range:
    """Return the range of a metric such as "image-to-text/map@h2"; no bounds of one that nothing installed gives."""
    try:
        found: Range = registry().get("metrics", base_of(metric)).range
    except HashzooError:
        return None, None
    return found


def over_bits(figures: Mapping[int, tuple[float, float | None]], name: str, within: Range = (None, None)) -> Points:
    """Return a metric's mean and deviation by bit length as points; bands end where the metric's range does."""
    low = -math.inf if within[0] is None else within[0]
    high = math.inf if within[1] is None else within[1]
    return [
        {
            "m": name, "x": bits, "y": _short(value),
            "l": max(low, _short(value - (sd or 0.0))), "h": min(high, _short(value + (sd or 0.0))),
        }
        for bits, (value, sd) in figures.items()
    ]  # fmt: skip
