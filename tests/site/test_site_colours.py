"""Colours and dashes of charts: told apart with and without red or green cones, on light and on dark pages."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from hashzoo.site.charts import DASHES, FLOORS, PALETTE

CONES = {
    "all": np.eye(3),
    "no green": np.array([
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881],
    ]),
    "no red": np.array([
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ]),
}  # fmt: skip
"""What is seen without a kind of cone, in linear sRGB (Machado, Oliveira and Fernandes 2009, severity 1)."""

APART = {"all": 0.14, "no green": 0.085, "no red": 0.085}
"""Least distance in Oklab; two hundredths are just seen."""


def linear(colour: str) -> NDArray[np.float64]:
    """Linear sRGB of "#rrggbb"."""
    part = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Oklab of linear sRGB (Ottosson 2020)."""
    cones = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                      [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
    axes = np.array([[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099],
                     [0.0259040371, 0.7827717662, -0.808675766]])  # fmt: skip
    return axes @ np.cbrt(cones @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("sight", list(CONES))
def test_ten_classes_are_told_apart(sight):
    seen = [oklab(CONES[sight] @ linear(colour)) for colour in PALETTE[:10]]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > APART[sight]


@pytest.mark.parametrize("page", ["#ffffff", "#1a1d20"])
def test_every_colour_shows_on_the_card(page):
    light = np.array([0.2126, 0.7152, 0.0722])
    for colour in (*PALETTE, *FLOORS):
        dim, bright = sorted((light @ linear(colour), light @ linear(page)))
        assert (bright + 0.05) / (dim + 0.05) > 1.9, f"{colour} on {page}"


def test_floors_differ_in_their_dashes():
    assert len({tuple(dash) for dash in DASHES}) == len(DASHES) == len(FLOORS)


def test_the_style_sheet_has_the_same_colours_and_dashes():
    sheet = files("hashzoo.site").joinpath("static/site.css").read_text(encoding="utf-8")
    hues = {
        name: re.search(r"--hue: ([^;]+);", said)[1] for name, said in re.findall(r"\.([cf]\d+) \{([^}]*)\}", sheet)
    }
    assert hues == {f"c{n}": colour for n, colour in enumerate(PALETTE)} | {f"f{n}": c for n, c in enumerate(FLOORS)}
    dashes = re.findall(r"\.f\d+ \{[^}]*--dash: ([^;]+);", sheet)
    assert dashes == [" ".join(map(str, dash)) for dash in DASHES]
