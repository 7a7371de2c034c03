"""`hashzoo plot`: every kind in every format, titles, eight lines, dashed floors, options that a kind does not take."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from PIL import ImageDraw

from hashzoo.errors import UsageError

pytest.importorskip("altair", reason="the extra `site` is not installed")


@pytest.mark.parametrize("kind", ["pr", "precision", "radius", "recall", "bits", "tsne", "neighbours"])
@pytest.mark.parametrize("ending", ["svg", "png", "html"])
def test_every_kind_of_plot_is_written_in_every_format(runs, tmp_path, kind, ending):
    from hashzoo.site.plot import plot

    out = tmp_path / f"p.{ending}"
    said = plot([runs / "alpha", runs / "gamma"], kind, out)
    assert str(out) in said
    content = out.read_bytes()
    if ending == "svg":
        assert ET.fromstring(content).tag.endswith("svg")
        assert kind in ("tsne", "neighbours") or b"alpha" in content
    elif ending == "png":
        assert content.startswith(b"\x89PNG")
    else:
        assert content.startswith(b"<!DOCTYPE html>")
        assert b'src="http' not in content


def test_plots_that_cannot_be_drawn_are_sentences(runs, tmp_path):
    from hashzoo.site.plot import plot

    for fault, options in (
        ("Known: bits", {"kind": "roc"}), ("16, 32", {"kind": "pr", "bits": 48}),
        ("belongs to --kind bits", {"kind": "pr", "metric": "map"}),
        ("belongs to --kind bits", {"kind": "tsne", "metric": "map"}),
        ("belongs to the other kinds", {"kind": "bits", "bits": 16}),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=fault):
            plot([runs / "alpha"], out=tmp_path / "x.svg", **options)
    with pytest.raises(UsageError, match=r"\.svg, \.png or \.html"):
        plot([runs / "alpha"], "pr", tmp_path / "x.pdf")


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("pr", "Precision-recall at 32 bits, cifar10-5k-disjoint"),
        ("bits", "map over bit lengths, cifar10-5k-disjoint"),
        ("tsne", "Codes in the plane by t-SNE: alpha on cifar10-5k-disjoint, 32 bits, seed 0"),
        ("neighbours", "Nearest items: alpha on cifar10-5k-disjoint, 32 bits, seed 0"),
    ],
)  # fmt: skip
def test_the_title_is_drawn(runs, tmp_path, kind, title):
    from hashzoo.site.plot import plot

    for ending in ("svg", "html"):
        plot([runs / "alpha"], kind, tmp_path / f"p.{ending}")
        assert title in (tmp_path / f"p.{ending}").read_text(encoding="utf-8")
    assert ">" + title in (tmp_path / "p.svg").read_text(encoding="utf-8")


def test_neighbours_have_their_distances_and_the_sheet_its_title(runs, tmp_path, monkeypatch):
    from hashzoo.site.plot import plot

    written = []
    draw = ImageDraw.ImageDraw.text

    def kept(self, place, text, *args, **options):
        written.append(text)
        return draw(self, place, text, *args, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", kept)
    plot([runs / "alpha"], "neighbours", tmp_path / "p.png")
    assert written[0].startswith("Nearest items: alpha")
    beside = [text for text in written[1:] if re.fullmatch(r"\d+|query", text)]
    assert len(beside) == 6 * 11
    for line in (beside[n : n + 11] for n in range(0, 66, 11)):
        assert line[0] == "query"
        distances = list(map(int, line[1:]))
        assert distances == sorted(distances)
        assert distances[0] < 16


def many(record_of, count: int, spread: float) -> list:
    """Records of methods m0, m1, ... of falling mean, two seeds each, and of two floors."""
    found = []
    for bits in (16, 32):
        for seed in (0, 1):
            values = {f"m{n}": (0.5 - n / 100 + seed * spread, False) for n in range(count)}
            values |= {"low": (0.4, True), "lower": (0.38, True)}
            for method, (value, floor) in values.items():
                found.append(record_of(method, bits, seed, floor=floor, metrics={"map": value}))
    return found


def test_of_many_methods_the_eight_highest_are_drawn_and_floors_are_dashed(record_of):
    from hashzoo.site.charts import DASHES, FLOORS
    from hashzoo.site.plot import _lines

    spec, title = _lines(many(record_of, 11, 0.0), "bits", None, "map")
    colours = spec["layer"][1]["encoding"]["color"]["scale"]
    assert colours["domain"] == [*(f"m{n}" for n in range(8)), "low", "lower"]
    assert len(set(colours["range"])) == 10
    assert colours["range"][8:] == list(FLOORS[:2])
    dashes = spec["layer"][1]["encoding"]["strokeDash"]["scale"]["range"]
    assert dashes == [[]] * 8 + [list(dash) for dash in DASHES[:2]]
    assert title[1] == "8 of 11 methods, those with the best mean map"
    assert len(_lines(many(record_of, 8, 0.0), "bits", None, "map")[1]) == 1  # eight are all drawn


def test_a_floor_far_from_all_methods_is_in_the_title_and_not_on_the_axis(record_of):
    from hashzoo.site.plot import _lines

    far = [record_of("far", bits, 0, floor=True, metrics={"map": 0.05}) for bits in (16, 32)]
    spec, title = _lines([*many(record_of, 8, 0.0), *far], "bits", None, "map")
    assert title[1:] == ["outside the axis: far 0.050"]
    assert {point["m"] for point in spec["data"]["values"]} == {*(f"m{n}" for n in range(8)), "low", "lower"}
    assert spec["layer"][1]["encoding"]["color"]["scale"]["domain"] == [*(f"m{n}" for n in range(8)), "low", "lower"]
    alone, title = _lines(far, "bits", None, "map")
    assert {point["m"] for point in alone["data"]["values"]} == {"far"}
    assert len(title) == 1


def test_bands_stay_within_the_range_of_the_metric(record_of):
    from hashzoo.site.plot import _lines

    spec, _ = _lines(many(record_of, 1, 0.9), "bits", None, "map")
    ends = [end for point in spec["data"]["values"] for end in (point["l"], point["h"])]
    assert min(ends) >= 0.0
    assert max(ends) == 1.0


def test_labels_are_the_same_in_every_kind(record_of):
    from hashzoo.site.plot import _lines

    curve = [[0.0, 1.0], [1.0, 0.5]]
    records = [record_of("own", bits, 0, curves={"pr_curve": curve}) for bits in (16, 32)]
    changed = [
        record_of("own", bits, 0, curves={"pr_curve": curve}, frozen=False, regime="finetune") for bits in (16, 32)
    ]
    drawn = [
        _lines([*records, *changed], kind, None, None)[0]["layer"][1]["encoding"]["color"]["scale"]["domain"]
        for kind in ("bits", "pr")
    ]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 2
