"""Which charts boards and methods have, what stands in them, and what they say to those who do not see them."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.site import charts, drawing, figures
from hashzoo.site.figures import Place


def row(name: str, settings: str = "", *, floor: bool = False, items: int = 1_000) -> Any:
    curve = [[0.0, 1.0], [0.5, 0.8], [1.0, 0.4]]
    records = [
        SimpleNamespace(bits=bits, curves={"pr_curve": curve}, metrics={"items": float(items)}) for bits in (16, 32)
    ]
    return SimpleNamespace(key=(name, settings), name=name, settings=settings, floor=floor, records=records)


def view_of(rows: list[Any], values: dict[str, float]) -> Any:
    def of(one: Any) -> dict[int, Any]:
        return {bits: SimpleNamespace(value=values[one.name] + bits / 1000, sd=0.01) for bits in (16, 32)}

    return SimpleNamespace(metric="map", bits=(16, 32), rows=rows, of=of, best=lambda: rows[:1])


def place(label: str, own: Any, view: Any) -> Place:
    setup = SimpleNamespace(id="net-frozen", label="net, frozen", headline=view)
    return Place(SimpleNamespace(label=label, setups=[setup]), setup, view, own)


def test_a_method_has_charts_of_its_largest_board_and_its_rows_share_them():
    best, own, tuned = row("best"), row("mine"), row("mine", "tuned, 30 trials")
    small = view_of([best, own, tuned], {"best": 0.9, "mine": 0.8})
    there = row("mine", items=54_000)
    large = view_of([there], {"mine": 0.7})
    found = figures.method_charts(
        [place("digits", own, small), place("digits", tuned, small), place("big", there, large)]
    )
    assert [chart.title for chart in found] == ["map over bit lengths on big", "Precision-recall on big"]
    assert [entry.name for entry in found[1].legend] == ["16 bits", "32 bits"]
    alone = figures.method_charts([place("digits", own, small), place("digits", tuned, small)])
    assert [entry.name for entry in alone[0].legend] == ["mine (own)", "mine (tuned, 30 trials)", "best"]
    assert [entry.name for entry in alone[1].legend] == [
        "mine (own), 16 bits", "mine (own), 32 bits",
        "mine (tuned, 30 trials), 16 bits", "mine (tuned, 30 trials), 32 bits",
    ]  # fmt: skip


def test_a_row_that_stands_alone_says_its_setting_in_the_note():
    tuned = row("mine", "tuned, 30 trials")
    found = figures.method_charts([place("digits", tuned, view_of([tuned], {"mine": 0.8}))])
    assert all("tuned, 30 trials" in chart.note for chart in found)


def test_a_floor_far_below_is_named_and_leaves_the_axis_to_the_methods():
    rows = [row("a"), row("b"), row("near", floor=True), row("far", floor=True)]
    setup = place("digits", rows[0], view_of(rows, {"a": 0.68, "b": 0.6, "near": 0.55, "far": 0.1})).setup
    (first, *_), legend = figures.board_charts(setup)
    assert first.note == "outside the axis: far 0.116 to 0.132"
    drawn = str(first.still)
    assert "<title>near</title>" in drawn
    assert "<title>far</title>" not in drawn
    assert ">0.1</text>" not in drawn
    assert [entry.name for entry in legend] == ["a", "b", "near", "far"]  # the other charts show it


def test_a_chart_says_its_axes_and_where_its_lines_begin_and_end():
    points = charts.over_bits({16: (0.5, None), 64: (0.625, None)}, "<dch>")
    chart = drawing.chart("bits", points, {"<dch>": 0}, y="map")
    assert drawing.described(chart) == "map over bits, 16 to 64: <dch> 0.500 to 0.625"
    assert 'aria-label="map over bits, 16 to 64: &lt;dch&gt; 0.500 to 0.625"' in str(drawing.still(chart))
    pairs = [{"m": "relevant", "x": x, "y": y} for x, y in enumerate((0.1, 0.7, 0.2))]
    assert drawing.described(drawing.distances(pairs, {"relevant": 2})).endswith("0 to 2: relevant most often at 1")


def test_bands_end_where_the_range_of_the_metric_does():
    assert charts.range_of("image-to-text/map@h2") == (0.0, 1.0)
    assert charts.range_of("nobody's") == (None, None)
    (point,) = charts.over_bits({16: (0.05, 0.2)}, "a", charts.range_of("map"))
    assert (point["l"], point["h"]) == (0.0, 0.25)
    chart = drawing.chart("bits", charts.over_bits({16: (0.95, 0.2)}, "a"), {"a": 0}, within=(0.0, 1.0))
    assert drawing.edges(chart, chart.lines[0]) == [(7500, 10000)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=70))
def test_an_outline_of_bars_is_as_high_as_the_share_at_every_distance(shares: list[int]):
    """Walked by a reader of paths that knows M, V, h and v."""
    points = [{"m": "relevant", "x": x, "y": y / drawing.SCALE} for x, y in enumerate(shares)]
    drawn = str(drawing.still(drawing.distances(points, {"relevant": 2})))
    (outline,) = re.findall(r'class="?area"? d="([^"]*)"', drawn)
    x, y, heights = 0.0, 0, {}
    for order, number in re.findall(r"([MVhv])(-?[\d.]+)", outline):
        if order == "h":
            heights |= {at: y for at in range(len(shares)) if x <= at <= x + float(number)}
            x += float(number)
        else:
            y = int(number) + (y if order == "v" else 0) if order != "M" else 0
    assert (x, y) == (len(shares) - 1, 0)
    assert [heights[at] for at in range(len(shares))] == shares
