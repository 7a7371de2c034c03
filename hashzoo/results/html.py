"""Boards as one static page: no external scripts, styles or fonts; tables sort by any column, by keyboard too."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from hashzoo.results.grid import Grid


def to_html(grids: Sequence[Grid]) -> str:
    """Return a complete HTML page with one table per grid."""
    source = files("hashzoo.results").joinpath("data/leaderboard.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source).render(grids=grids) + "\n"
