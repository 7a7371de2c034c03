"""Does the order of methods on a validation part of the train split foretell that on the board? By metric.

    python benchmarks/tuning_predicts.py VALIDATION_RUNS BOARD_RECORDS [--bits 32] --output results/tuning_digits.md

VALIDATION_RUNS are those of `hashzoo tune` or of `hashzoo run --validation`; BOARD_RECORDS a board's. Methods that were
trained with the same settings in both are compared at one bit length, means over the seeds that both have: Spearman's
rank correlation over methods for each metric, with a bootstrap interval over methods, and the place that the
validation's first method has on the board. It is what the rule of `hashzoo tune` (by `map`, not by a radius metric)
rests on.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy.stats import spearmanr

from hashzoo.files import json_sha256, write_text
from hashzoo.results.collect import collect
from hashzoo.results.record import Record
from hashzoo.results.settings import method_config

METRICS = ("map", "map@1000", "precision@100", "map@h2", "precision@h2", "recall@h2")
DRAWS = 2_000
FLOORS = ("random", "lsh", "uncoded")

Rows = dict[str, list[Record]]
"""Records by the sha256 of what was trained."""


def main() -> None:
    """Compare and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("validation", type=Path)
    parser.add_argument("board", type=Path)
    parser.add_argument("--bits", type=int, default=32)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    ours, theirs = rows(args.validation, args.bits), rows(args.board, args.bits)
    both = sorted(set(ours) & set(theirs), key=lambda key: theirs[key][0].method)
    methods = [theirs[key][0].method for key in both]
    first, board = ours[both[0]][0], theirs[both[0]][0]
    lines = [
        "# Does validation foretell the board?\n",
        f"Written by `python benchmarks/tuning_predicts.py VALIDATION_RUNS {args.board.as_posix()} --bits {args.bits} "
        f"--output {args.output.as_posix()}`.\n",
        f"{len(both)} methods, floors left out, each with the same setting in both, on `{first.protocol}` "
        f"({first.metrics['items']:.0f} items in the database) and on `{board.protocol}` "
        f"({board.metrics['items']:.0f}), {args.bits} bits: {', '.join(methods)}.\n",
        "| metric | rank correlation over methods | 95 % of bootstrap draws of methods | "
        "first on validation | its place on the board |",
        "|---|---|---|---|---|",
    ]
    for metric in METRICS:
        pairs = [(value(ours[key], metric), value(theirs[key], metric)) for key in both]
        x, y = np.asarray(pairs).T
        if np.isnan([x, y]).any() or len(set(x)) == 1:  # not measured, or the cut-off is the whole small database
            continue
        low, high = interval(x, y)
        place = int((y > y[x.argmax()]).sum()) + 1
        found = f"{spearmanr(x, y).statistic:.2f} | {low:.2f} to {high:.2f}"
        lines.append(f"| `{metric}` | {found} | {methods[x.argmax()]} | {place} |")
    write_text(args.output, "\n".join(lines) + "\n")
    print(args.output.read_text())


def rows(folder: Path, bits: int) -> Rows:
    """Return the records of one bit length by what was trained, floors left out."""
    found: Rows = defaultdict(list)
    for item in collect([folder]):
        if item.record.bits == bits and item.record.method not in FLOORS:
            found[json_sha256(method_config(item.record))].append(item.record)
    return found


def value(records: list[Record], metric: str) -> float:
    """Return the mean of a metric over seeds."""
    return fmean(record.metrics.get(metric, float("nan")) for record in records)


def interval(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the 2.5 and 97.5 % points of the correlation over draws of methods with replacement."""
    draw = np.random.default_rng(0)
    picks = (draw.integers(0, len(x), len(x)) for _ in range(DRAWS))
    found = [spearmanr(x[pick], y[pick]).statistic for pick in picks if len(set(x[pick])) > 1]
    low, high = np.nanquantile(found, (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    main()
