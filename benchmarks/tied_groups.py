"""How often rows that are equal in truth are told apart, and rows that are worse are found; results/tied_groups.md.

    python benchmarks/tied_groups.py [--boards 400]

Boards are made up: 100 queries, the same for all rows, and 3 seeds, each with a mean drawn with the row's spread.
A board of equal rows is a false alarm where `tied_with_best` calls any of them worse, a pair where the p value of
`paired_difference` is 0.05 or less. The figures are shares of that many boards.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import machine, sentence

from hashzoo.evaluation.uncertainty import paired_difference, tied_with_best
from hashzoo.files import write_text

RESULT = Path(__file__).parent / "results" / "tied_groups.md"
QUERIES, SEEDS, RESAMPLES = 100, 3, 999
OF_QUERIES = 0.3
"""Standard deviation of a query's value; that of a row's seeds is in the tables, in hundredths of it."""

EQUAL: dict[str, Sequence[float]] = {
    "2 rows": [1] * 2,
    "6 rows": [1] * 6,
    "36 rows": [1] * 36,
    "1 row, 5 a tenth as wide": [1] + [0.1] * 5,
    "3 rows, 9 a tenth as wide": [1] * 3 + [0.1] * 9,
    "1 row, 5 that do not depend on the seed": [1] + [0] * 5,
    "3 rows, 9 that do not depend on the seed": [1] * 3 + [0] * 9,
    "5 rows, 1 ten times as wide": [1] * 5 + [10],
}
PAIRS: dict[str, tuple[float, float]] = {"1 and 1": (1, 1), "1 and a tenth": (1, 0.1), "1 and 0": (1, 0)}


def row(rng: np.random.Generator, spread: float, common: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """Return values (S, Q) of a row: those of the queries and a mean for each seed."""
    means = 0.01 * (spread * rng.standard_normal(SEEDS) - shift)
    return common[None, :] + means[:, None]


def share(hits: int, boards: int) -> str:
    """Return a share in per cent with its standard error."""
    part = hits / boards
    return f"{100 * part:.1f} ± {100 * math.sqrt(part * (1 - part) / boards):.1f} %"


def tables(boards: int) -> str:
    """Return the three tables."""
    rng = np.random.default_rng(0)

    def common() -> np.ndarray:
        return OF_QUERIES * rng.standard_normal(QUERIES)

    lines = ["## Equal rows: boards with a row that is called worse\n", "| rows, by their spread | |", "|---|---|"]
    for name, spreads in EQUAL.items():
        hits = 0
        for number in range(boards):
            here = common()
            found = tied_with_best(
                {str(n): row(rng, spread, here) for n, spread in enumerate(spreads)}, resamples=RESAMPLES, seed=number
            )
            hits += not all(standing.tied for standing in found)
        lines.append(f"| {name} | {share(hits, boards)} |")
        print(lines[-1], flush=True)
    lines += ["\n## Equal pairs with a p value of 0.05 or less\n", "| their spreads | |", "|---|---|"]
    for name, (first, second) in PAIRS.items():
        hits = 0
        for number in range(boards):
            here = common()
            found_pair = paired_difference(
                row(rng, first, here), row(rng, second, here), resamples=RESAMPLES, seed=number
            )
            hits += found_pair["p_value"] <= 0.05
        lines.append(f"| {name} | {share(hits, boards)} |")
        print(lines[-1], flush=True)
    lines += [
        "\n## One row that is worse by six spreads, found beside equal ones\n",
        "| other rows | |",
        "|---|---|",
    ]
    for others in (1, 5, 35):
        hits = 0
        for number in range(boards):
            here = common()
            rows = {str(n): row(rng, 1, here) for n in range(others)} | {"worse": row(rng, 1, here, shift=6)}
            found = tied_with_best(rows, resamples=RESAMPLES, seed=number)
            hits += not next(standing.tied for standing in found if standing.row == "worse")
        lines.append(f"| {others} | {share(hits, boards)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Simulate and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=400)
    boards = parser.parse_args().boards
    write_text(
        RESULT,
        f"""# Groups that are tied with the best

Written by `python benchmarks/tied_groups.py --boards {boards}`: boards that are made up, {QUERIES} queries,
{SEEDS} seeds a row, {RESAMPLES} draws of the bootstrap, {boards} boards a line, with its standard error.
Nominal are 5 %.

{tables(boards)}

{sentence(machine("numpy"))}
""",
    )


if __name__ == "__main__":
    main()
