"""Put the head of the committed boards into README.md, between its two marks; `tests/docs/test_pages.py` compares them.

python docs/make_readme.py
"""

from __future__ import annotations

import os
from pathlib import Path

from hashzoo.results.commands import show

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- results -->", "<!-- /results -->"
INTRODUCTION = """\
CIFAR-10 re-encoded as JPEG, 1,000 queries, database of 54,000, frozen EfficientNet-Lite0 features under a hash layer;
mean ± standard deviation over three seeds, (1) where there was one. Bold marks the rows tied with the best of a column
where values by query were kept, else the highest mean; ‡ marks figures of which a seed's codes collapsed (half of the
bits or more never change). All rows and the floors: [leaderboards/index.md](leaderboards/index.md); how they
were made and what was found: [docs/results.md](docs/results.md).
"""
BOARDS = (
    ("mAP over the whole database", "cifar10-jpeg-5k-disjoint", "map"),
    ("mAP within Hamming radius 2", "cifar10-jpeg-5k-disjoint", "map@h2"),
    ("Wikipedia image-text pairs, mAP in both directions", "wiki-2173", "map"),
)


ROWS = 12
"""The most rows of a table; the command above it prints all."""


def block() -> str:
    """Return what stands between the marks: the first rows of each board under the command that prints it."""
    parts = [INTRODUCTION]
    for title, protocol, metric in BOARDS:
        board = show([Path("leaderboards/records")], protocol=protocol, metric=metric, fmt="markdown")
        command = f"hashzoo leaderboard leaderboards/records -p {protocol} --metric {metric} --format markdown"
        parts.append(f"{title}, the first {ROWS} rows of `{command}`:\n\n{tables(board)}\n")
    return "\n".join(parts)


def tables(board: str) -> str:
    """Return the head of the tables of a printed board without its notes; of several, each below its own title."""
    lines = [line for line in board.splitlines() if line.startswith(("|", "## "))]
    starts = [place for place, line in enumerate(lines) if line.startswith("## ")]
    ends = [*starts[1:], len(lines)]
    lines = [line for start, end in zip(starts, ends, strict=True) for line in lines[start:end][: 3 + ROWS]]
    titles = [line for line in lines if line.startswith("## ")]
    if len(titles) == 1:
        return "\n".join(line for line in lines if line not in titles)
    return "\n".join(f"\n{line.removeprefix('## ')}:\n" if line in titles else line for line in lines).lstrip()


def main() -> None:
    """Rewrite README.md."""
    os.chdir(ROOT)
    page = Path("README.md")
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    page.write_text(f"{head}{BEGIN}\n{block()}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
