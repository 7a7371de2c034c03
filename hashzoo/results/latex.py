"""Boards as LaTeX tables: floats of the booktabs kind, as wide as the text at most, long ones in several parts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from hashzoo.results.grid import Grid

LINES = 34
"""Lines of a float, caption, header and notes counted; a page of the article class holds them at 10, 11 and 12 pt."""

CAPTION_CHARACTERS, NOTE_CHARACTERS = 60, 80
"""How much of a caption, or of a note in its smaller type, stands in one line."""

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"$<$", ">": r"$>$", "|": r"$|$",
    "[": "{[}", "]": "{]}", "†": r"\dag{}", "‡": r"\ddag{}", "≤": r"$\le$", "≥": r"$\ge$", '"': "''",
    "\N{MINUS SIGN}": "$-$", "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'", "“": "``", "”": "''",
}  # fmt: skip

_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"
"""A table that is wider than the text is set smaller, any other as it is."""


def to_latex(grids: Sequence[Grid]) -> str:
    """Return one table per grid; one that is longer than a page has parts, which share its number."""
    floats = (_float(part, number) for content in grids for number, part in enumerate(_pages(content)))
    return "% needs \\usepackage{booktabs,graphicx}\n" + "\n".join(floats)


def _pages(content: Grid) -> Iterator[Grid]:
    """Cut a grid into parts that fit a page: first its rows, then the notes that have no room below the last ones."""
    room = max(1, LINES - _lines(content.title, CAPTION_CHARACTERS) - len(content.header))
    rows, notes = list(content.rows), list(content.notes)
    while rows or notes:
        here, rows = rows[:room], rows[room:]
        left, below = room - len(here), 0
        heights = accumulate(_lines(note, NOTE_CHARACTERS) for note in notes)
        if not rows:
            below = sum(height <= left for height in heights)
            below = below or int(not here)  # a note that is longer than a page
        yield replace(content, rows=tuple(here), notes=tuple(notes[:below]))
        notes = notes[below:]


def _lines(text: str, characters: int) -> int:
    return 1 + len(text) // characters


def _float(content: Grid, part: int) -> str:
    lines = [r"\begin{table}", r"  \centering"]
    if part:
        lines += [r"  \addtocounter{table}{-1}", rf"  \caption{{{_tex(content.title)} (continued)}}"]
    else:
        lines.append(rf"  \caption{{{_tex(content.title)}}}")
    if content.rows:
        lines += _tabular(content)
    lines += [rf"  \par\footnotesize\raggedright {_tex(note)}" for note in content.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _tabular(content: Grid) -> list[str]:
    stub = len(content.stub)
    layout = "l" * stub + "r" * len(content.columns)
    lines = [rf"  {_FIT}{{%", rf"  \begin{{tabular}}{{{layout}}}", r"    \toprule"]
    for level in content.header[:-1]:
        spans = [rf"\multicolumn{{{span}}}{{c}}{{{_tex(label)}}}" for label, span in level]
        lines.append("    " + " & ".join([*[""] * stub, *spans]) + r" \\")
        starts = accumulate((span for _, span in level), initial=stub + 1)
        rules = [rf"\cmidrule(lr){{{at}-{at + span - 1}}}" for at, (_, span) in zip(starts, level, strict=False)]
        lines.append("    " + " ".join(rules))
    lines.append("    " + " & ".join(_tex(label) for label in (*content.stub, *content.columns)) + r" \\")
    lines.append(r"    \midrule")
    for labels, cells in content.rows:
        texts = [rf"\textbf{{{_tex(cell.text)}}}" if cell.best else _tex(cell.text) for cell in cells]
        lines.append("    " + " & ".join([*(_tex(label) for label in labels), *texts]) + r" \\")
    return [*lines, r"    \bottomrule", r"  \end{tabular}}"]


def _tex(text: str) -> str:
    """Return a text for LaTeX; hyphens that follow each other (`--tuned`) are kept apart, else they become a dash."""
    return "".join(map(_tex_character, text.replace("--", "-\0-").replace("--", "-\0-"))).replace("\0", "{}")


def _tex_character(character: str) -> str:
    """Return a character for pdfTeX: what it has no glyph for is written without marks, or by its number."""
    if character in _SPECIAL:
        return _SPECIAL[character]
    if ord(character) < 0x180:
        return character
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(_SPECIAL.get(part, part) for part in bare) or f"U+{ord(character):04X}"
