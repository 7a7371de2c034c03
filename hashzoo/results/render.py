"""The writers of boards: table for a terminal, CSV, Markdown, LaTeX, HTML and JSON."""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import pandas as pd
from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hashzoo.errors import unknown_name
from hashzoo.results.grid import Grid, GridCell, grid
from hashzoo.results.html import to_html
from hashzoo.results.latex import to_latex
from hashzoo.results.table import Board, family

WIDTH = 160
"""Columns of a text that is not written to a terminal."""

MARKS = ("floor", "database", "collapsed", "tied")
"""What the other formats show by place and mark: floors, what was seen of the database, codes that collapsed, ties."""

GAP = 2
"""Spaces between the columns of a text table."""


def render(boards: Sequence[Board], format: str = "table", width: int = WIDTH) -> str:
    """Return boards as text; `format` is one of `FORMATS`, `width` that of a table. The best is marked.

    CSV and JSON carry every digit. CSV holds one line per cell (`long_frame`), so that boards of any shape fit one
    file.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    return tables_text(boards, width) if format == "table" else FORMATS[format](boards)


# Tables in a terminal


def tables_text(boards: Sequence[Board], width: int = WIDTH) -> str:
    """Return boards as plain text for a terminal of this width."""
    return grids_text([grid(board) for board in boards], width)


def grids_text(grids: Sequence[Grid], width: int) -> str:
    """Return grids as plain text; figures stay whole, and what is too wide is cut between columns, not in them."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    for content in grids:
        console.print(rich_grid(content, width))
    file = console.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().splitlines()) + "\n"


def rich_grid(content: Grid, width: int) -> Group:
    """Return a grid for a rich console of this width: one table, or one below the other with its rows repeated.

    A table that is too wide is cut by the groups of its first header line, then where the columns are full.
    """
    groups = _cut_groups(content) if len(content.header) > 1 and sum(_widths(content)) - GAP > width else [content]
    blocks = [block for group in groups for block in _cut_columns(group, width)]
    parts: list[Any] = []
    for place, block in enumerate(blocks):
        if place == 0 or block.title != blocks[place - 1].title:
            parts.append(Text(block.title, style="bold"))
        parts += [Padding(_rich_table(block), (0, 0, 1, 0))]
    return Group(*parts, *(Text(note, style="dim") for note in content.notes), Text(""))


def _widths(content: Grid) -> list[int]:
    """Return the width of each column, stub columns first, with the gap behind it."""
    body = [[*stub, *(_marked(cell) for cell in cells)] for stub, cells in content.rows]
    heads = [*content.stub, *_headings(content)]
    columns = [[head, *(row[place] for row in body)] for place, head in enumerate(heads)]
    return [GAP + max(cell_len(line) for text in column for line in text.split("\n")) for column in columns]


def _marked(cell: GridCell) -> str:
    return f"{cell.text} *" if cell.best else cell.text


def _headings(content: Grid) -> list[str]:
    """Return one heading per column: a line per header level, a group's name above its first column, long ones broken.

    Headings of one level take as many lines in each column.
    """
    room = [max([10, *(cell_len(_marked(cells[n])) for _, cells in content.rows)]) for n in range(len(content.columns))]
    lines: list[list[str]] = [[] for _ in room]
    for level in content.header:
        labels: list[str] = []
        for label, span in level:
            labels += [label, *[""] * (span - 1)]
        broken = [
            textwrap.wrap(label, width, break_long_words=False) for label, width in zip(labels, room, strict=True)
        ]
        most = max(map(len, broken))
        for line, part in zip(lines, broken, strict=True):
            line += [*[""] * (most - len(part)), *part]
    return ["\n".join(line) for line in lines]


def _cut_groups(content: Grid) -> list[Grid]:
    """Return one grid per group of the first header line; rows that are empty in it are left out."""
    ends = list(accumulate((span for _, span in content.header[0]), initial=0))
    parts = [_columns(content, begin, end) for begin, end in pairwise(ends)]
    return [
        Grid(
            f"{content.title}: {label}",
            part.stub,
            part.header[1:],
            tuple((stub, cells) for stub, cells in part.rows if any(cell.text for cell in cells)),
        )
        for (label, _), part in zip(content.header[0], parts, strict=True)
    ]


def _cut_columns(content: Grid, width: int) -> list[Grid]:
    """Return grids of as many columns each as fit beside the stub, at least one; whole header groups if they fit.

    Names are broken at spaces and hyphens where that makes room for a column; figures never.
    """
    widths = _widths(content)
    figures = widths[len(content.stub) :]
    room = max(width - sum(_least(content)), *figures) + GAP  # the last gap of a line is not written
    ends = list(accumulate((span for _, span in content.header[0]), initial=0))
    if any(sum(figures[begin:end]) > room for begin, end in pairwise(ends)):
        ends = list(range(len(figures) + 1))
    cuts = [0]
    for begin, end in pairwise(ends):
        if begin > cuts[-1] and sum(figures[cuts[-1] : end]) > room:
            cuts.append(begin)
    blocks = [_columns(content, begin, end) for begin, end in pairwise([*cuts, len(figures)])]
    return [_broken(block, width) for block in blocks]


def _least(content: Grid) -> list[int]:
    """Return the least width of each stub column with its gap: that of the longest part between spaces and hyphens."""
    columns = [[name, *(stub[place] for stub, _ in content.rows)] for place, name in enumerate(content.stub)]
    parts = [[p for text in column for p in textwrap.wrap(text, 1, break_long_words=False)] for column in columns]
    return [GAP + max(map(cell_len, column)) for column in parts]


def _broken(content: Grid, width: int) -> Grid:
    """Return the grid with the texts of its stub broken to fit the width, the names of methods after the others.

    They are broken at spaces and hyphens; inside a word only where its parts do not fit beside one column of figures.
    """
    stub = len(content.stub)
    widths, least = _widths(content), _least(content)
    room = width + GAP - sum(widths[stub:]) - sum(least)
    while room < 0 and max(least) > GAP + 1:
        least[least.index(max(least))] -= 1
        room += 1
    for place in sorted(range(stub), key=lambda place: content.stub[place] != "method"):
        more = max(0, min(room, widths[place] - least[place]))
        widths[place], room = least[place] + more, room - more

    def lines(labels: Sequence[str]) -> tuple[str, ...]:
        pairs = zip(labels, widths[:stub], strict=True)
        return tuple("\n".join(textwrap.wrap(label, wide - GAP)) for label, wide in pairs)

    rows = tuple((lines(labels), cells) for labels, cells in content.rows)
    return Grid(content.title, lines(content.stub), content.header, rows)


def _columns(content: Grid, begin: int, end: int) -> Grid:
    """Return a grid with columns begin to end; groups of the header are cut where they cross."""
    header = []
    for level in content.header:
        starts = accumulate((span for _, span in level), initial=0)
        spans = [
            (label, min(at + span, end) - max(at, begin)) for at, (label, span) in zip(starts, level, strict=False)
        ]
        header.append(tuple((label, span) for label, span in spans if span > 0))
    rows = tuple((stub, cells[begin:end]) for stub, cells in content.rows)
    return Grid(content.title, content.stub, tuple(header), rows)


def _rich_table(content: Grid) -> Table:
    """Return a grid as a table of rich; gaps stand before the figures and between the columns of the stub."""
    widths, names = _widths(content), len(content.stub)
    widths[names - 1] -= GAP
    table = Table(box=None, padding=0, header_style="bold")
    for name, width in zip(content.stub, widths[:names], strict=True):
        table.add_column(Text(name), overflow="fold", width=width)
    for label, width in zip(_headings(content), widths[names:], strict=True):
        table.add_column(Text(label), justify="right", no_wrap=True, width=width)
    for stub, cells in content.rows:
        texts = [Text(_marked(cell), style="bold" * cell.best) for cell in cells]
        table.add_row(*(Text(label) for label in stub), *texts)
    return table


# Files


def long_frame(boards: Sequence[Board]) -> pd.DataFrame:
    """Return boards with one row per cell: the row's labels, the column's labels, its figures, then its `MARKS`.

    A missing cell is a row whose figures are empty.
    """
    parts = [
        board.cells[[*board.rows, *board.columns, *board.figures, *(name for name in MARKS if name in board.cells)]]
        for board in boards
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def csv_text(boards: Sequence[Board]) -> str:
    """Return boards as CSV; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    frame = long_frame(boards)
    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    for name in texts:
        frame[name] = [_inert(value) for value in frame[name]]
    return frame.to_csv(index=False, lineterminator="\n")


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def _json(boards: Sequence[Board]) -> str:
    content = [
        {
            "title": board.title,
            "notes": list(board.notes),
            "floors": sorted(board.floors),
            "cells": [
                {str(name): _json_value(str(name), value) for name, value in row.items()}
                for row in long_frame([board]).to_dict(orient="records")
            ],
        }
        for board in boards
    ]
    return json.dumps({"boards": content}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _json_value(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    if name in ("floor", "collapsed", "tied"):
        return bool(value)
    return int(value) if name == "bits" or family(name) == "seeds" else float(value)


def _markdown(boards: Sequence[Board]) -> str:
    return "\n".join(markdown_board(board) for board in boards)


def markdown_board(board: Board, heading: str = "##") -> str:
    """Return one board as a Markdown section."""
    content = grid(board)
    head = [*content.stub, *_flat(content.header)]
    lines = [f"{heading} {escaped(content.title)}", ""]
    if board.command:
        lines += [_code(board.command), ""]
    lines += [_bar(map(escaped, head)), _bar([":--"] * len(content.stub) + ["--:"] * (len(head) - len(content.stub)))]
    for stub, cells in content.rows:
        texts = (f"**{cell.text}**" if cell.best else cell.text for cell in cells)  # numbers and [n], made by us
        lines.append(_bar([*map(escaped, stub), *texts]))
    lines += ["", *(f"- {escaped(note)}" for note in content.notes)]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    """Return text as code, behind as many backticks as it takes."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def _flat(header: Sequence[Sequence[tuple[str, int]]]) -> list[str]:
    """Return one label per column with the names of all its groups."""
    lines = [[label for label, span in level for _ in range(span)] for level in header]
    return [" ".join(labels) for labels in zip(*lines, strict=True)]


def _bar(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def escaped(text: str) -> str:
    """Keep what Markdown would take for emphasis, a link, a formula or a tag as it is written."""
    return "".join(f"\\{character}" if character in "\\`*_<>[]|$&~" else character for character in text)


def _latex(boards: Sequence[Board]) -> str:
    return to_latex([grid(board) for board in boards])


def _html(boards: Sequence[Board]) -> str:
    return to_html([grid(board) for board in boards])


FORMATS: Mapping[str, Callable[[Sequence[Board]], str]] = {
    "table": tables_text,
    "csv": csv_text,
    "markdown": _markdown,
    "latex": _latex,
    "html": _html,
    "json": _json,
}
"""Every format of `hashzoo leaderboard --format`."""
