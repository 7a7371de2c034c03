"""Boards as text: table for a terminal, CSV, Markdown, LaTeX, HTML and JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from hashzoo.errors import unknown_name
from hashzoo.results.grid import Grid, grid
from hashzoo.results.html import to_html
from hashzoo.results.table import Board

WIDE = 10
"""Columns beyond which a terminal's table is split."""

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"$<$", ">": r"$>$",
}  # fmt: skip


def render(boards: Sequence[Board], format: str = "table") -> str:
    """Return boards as text; `format` is one of `FORMATS`. In table, Markdown, LaTeX and HTML the best is marked.

    CSV and JSON carry every digit. CSV holds one line per cell (`long_frame`), so that boards of any shape fit one
    file.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    return FORMATS[format](boards)


def rich_boards(boards: Sequence[Board]) -> list[Group]:
    """Return boards for a rich console, which decides on width and colour itself.

    A board of more than `WIDE` columns becomes one table per group of its first header line.
    """
    return [_rich_board(part) for board in boards for part in _narrowed(grid(board))]


def _narrowed(content: Grid) -> list[Grid]:
    if len(content.columns) <= WIDE or len(content.header) == 1:
        return [content]
    parts, begin = [], 0
    for number, (label, span) in enumerate(content.header[0]):
        end = begin + span
        cut = ((stub, cells[begin:end]) for stub, cells in content.rows)
        rows = tuple((stub, cells) for stub, cells in cut if any(cell.text for cell in cells))
        header = tuple(_cut(level, begin, end) for level in content.header[1:])
        notes = content.notes if number == len(content.header[0]) - 1 else ()
        parts.append(Grid(f"{content.title}: {label}", content.stub, header, rows, notes))
        begin = end
    return parts


def _cut(level: Sequence[tuple[str, int]], begin: int, end: int) -> tuple[tuple[str, int], ...]:
    """Return the groups of a header line within columns begin to end; a group never crosses either."""
    starts = accumulate((span for _, span in level), initial=0)
    return tuple(group for start, group in zip(starts, level, strict=False) if begin <= start < end)


def long_frame(boards: Sequence[Board]) -> pd.DataFrame:
    """Return boards with one row per cell: the row's labels, the column's labels, then its statistics.

    A missing cell is a row whose statistics are empty.
    """
    return pd.concat([_long(board.frame) for board in boards], ignore_index=True) if boards else pd.DataFrame()


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    if frame.columns.nlevels == 1:
        return frame.reset_index()
    levels = list(frame.columns.names)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    statistics: dict[str, None] = {}
    for place, key in enumerate(frame.columns):
        statistics[key[-1]] = None
        for label, value in zip(frame.index, frame.iloc[:, place], strict=True):
            rows.setdefault((*label, *key[:-1]), {})[key[-1]] = value
    labels = [*frame.index.names, *levels[:-1]]
    columns: dict[str, Any] = {str(name): [key[place] for key in rows] for place, name in enumerate(labels)}
    for name in statistics:
        kind = "Int64" if name.startswith("seeds") else "Float64"
        columns[name] = pd.Series([row.get(name) for row in rows.values()], dtype=kind)
    order = {label: place for place, label in enumerate(frame.index)}
    long = pd.DataFrame(columns)
    width = len(frame.index.names)
    return long.iloc[sorted(range(len(long)), key=lambda n: order[list(rows)[n][:width]])]


def _csv(boards: Sequence[Board]) -> str:
    return long_frame(boards).to_csv(index=False, lineterminator="\n")


def _json(boards: Sequence[Board]) -> str:
    content = [
        {
            "title": board.title,
            "notes": list(board.notes),
            "floors": sorted(board.floors),
            "cells": [
                {name: _json_value(value) for name, value in row.items()}
                for row in long_frame([board]).to_dict(orient="records")
            ],
        }
        for board in boards
    ]
    return json.dumps({"boards": content}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _json_value(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() and not isinstance(value, float) else float(value)


def _table(boards: Sequence[Board]) -> str:
    return tables_text(boards)


def tables_text(boards: Sequence[Board], width: int = 160) -> str:
    """Return boards as plain text for a terminal of this width."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    for part in rich_boards(boards):
        console.print(part)
        console.print()
    file = console.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().splitlines()) + "\n"


def _rich_board(content: Grid) -> Group:
    table = Table(box=box.SIMPLE_HEAD)
    for name in content.stub:
        table.add_column(name, overflow="fold")
    for label in _stacked(content.header):
        table.add_column(label, justify="right", overflow="fold")
    for stub, cells in content.rows:
        texts = [Text(f"{cell.text} *" if cell.best else cell.text, style="bold" * cell.best) for cell in cells]
        table.add_row(*(Text(label) for label in stub), *texts)
    notes = list(content.notes)
    if any(cell.best for _, cells in content.rows for cell in cells):
        notes.insert(0, "* best of the column.")
    return Group(Text(content.title, style="bold"), table, *(Text(note, style="dim") for note in notes))


def _stacked(header: Sequence[Sequence[tuple[str, int]]]) -> list[Text]:
    """Return one label per column with a line per header level; a group's name stands above its first column."""
    lines = []
    for level in header:
        line: list[str] = []
        for label, span in level:
            line += [label, *[""] * (span - 1)]
        lines.append(line)
    return [Text("\n".join(labels)) for labels in zip(*lines, strict=True)]


def _flat(header: Sequence[Sequence[tuple[str, int]]]) -> list[str]:
    """Return one label per column with the names of all its groups."""
    lines = [[label for label, span in level for _ in range(span)] for level in header]
    return [" ".join(labels) for labels in zip(*lines, strict=True)]


def _markdown(boards: Sequence[Board]) -> str:
    return "\n".join(markdown_board(board) for board in boards)


def markdown_board(board: Board, heading: str = "##") -> str:
    """Return one board as a Markdown section."""
    content = grid(board)
    head = [*content.stub, *_flat(content.header)]
    lines = [f"{heading} {_escaped(content.title)}", ""]
    if board.command:
        lines += [f"`{board.command}`", ""]
    lines += [_bar(head), _bar([":--"] * len(content.stub) + ["--:"] * (len(head) - len(content.stub)))]
    for stub, cells in content.rows:
        lines.append(_bar([*stub, *(f"**{cell.text}**" if cell.best else cell.text for cell in cells)], escape=True))
    lines += ["", *(f"- {_escaped(note)}" for note in content.notes)]
    return "\n".join(lines) + "\n"


def _bar(cells: Sequence[str], escape: bool = False) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") if escape else cell for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Keep what Markdown would take for emphasis, a link or a tag as it is written."""
    for character in "\\`*_<>[]|":
        text = text.replace(character, "\\" + character)
    return text


def _latex(boards: Sequence[Board]) -> str:
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_latex_board(grid(board)) for board in boards)


def _latex_board(content: Grid) -> str:
    stub = len(content.stub)
    width = stub + len(content.columns)
    lines = [r"\begin{table}", r"  \centering", rf"  \caption{{{_tex(content.title)}}}"]
    lines += [rf"  \begin{{tabular}}{{{'l' * stub}{'r' * (width - stub)}}}", r"    \toprule"]
    for level in content.header[:-1]:
        spans = [rf"\multicolumn{{{span}}}{{c}}{{{_tex(label)}}}" for label, span in level]
        lines.append("    " + " & ".join([*[""] * stub, *spans]) + r" \\")
        place, rules = stub + 1, []
        for _, span in level:
            rules.append(rf"\cmidrule(lr){{{place}-{place + span - 1}}}")
            place += span
        lines.append("    " + " ".join(rules))
    lines.append("    " + " & ".join(_tex(label) for label in (*content.stub, *content.columns)) + r" \\")
    lines.append(r"    \midrule")
    for labels, cells in content.rows:
        texts = [rf"\textbf{{{_tex(cell.text)}}}" if cell.best else _tex(cell.text) for cell in cells]
        lines.append("    " + " & ".join([*(_tex(label) for label in labels), *texts]) + r" \\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    lines += [rf"  \par\footnotesize {_tex(note)}" for note in content.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _tex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _html(boards: Sequence[Board]) -> str:
    return to_html([grid(board) for board in boards])


FORMATS: Mapping[str, Callable[[Sequence[Board]], str]] = {
    "table": _table,
    "csv": _csv,
    "markdown": _markdown,
    "latex": _latex,
    "html": _html,
    "json": _json,
}
"""Every format of `hashzoo leaderboard --format`."""
