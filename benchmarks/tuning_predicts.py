"""Does a study of `hashzoo tune` foretell the board? The order of methods, and what tuning gains each of them.

    python benchmarks/tuning_predicts.py [STUDY] [BOARDS] [--output benchmarks/results/tuning_digits.md]

From the study's file and the accepted records alone, at every bit length of the board, means over its seeds:

- order: Spearman's rank correlation over methods of validation and board, with their own settings and the chosen ones;
- gain: what the choice is ahead of the own setting, on validation (never below 0, since the own setting is the first
  trial) and on the board: how often both point the same way, the rank correlation over methods, and which methods'
  choice was better on validation and worse on the board.

Intervals are of bootstrap draws of methods. It is what the rule of `hashzoo tune` rests on.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from hashzoo.files import write_text
from hashzoo.results.boards import REGISTERED
from hashzoo.results.collect import collect
from hashzoo.results.evidence import RECORDS
from hashzoo.results.findings import rows_of
from hashzoo.results.known import read_known
from hashzoo.results.record import Record
from hashzoo.studies.trials import value_of

STUDY = Path("leaderboards/tuning/digits-1k_25618328.json")
BOARDS = Path("leaderboards")
OUTPUT = Path("benchmarks/results/tuning_digits.md")
DRAWS = 2_000


@dataclass(frozen=True)
class Pair:
    """A method: own and chosen setting, each on validation and on the board; `tuned`: the board has a row of both."""

    method: str
    own: float
    chosen: float
    board_own: float
    board_chosen: float
    tuned: bool

    @property
    def gain(self) -> float:
        """What the choice is ahead on validation."""
        return self.chosen - self.own

    @property
    def board_gain(self) -> float:
        """What the choice is ahead on the board."""
        return self.board_chosen - self.board_own


def main() -> None:
    """Compare and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, nargs="?", default=STUDY)
    parser.add_argument("boards", type=Path, nargs="?", default=BOARDS)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args()
    study = json.loads(args.study.read_text(encoding="utf-8"))
    records = [item.record for item in collect([args.boards / RECORDS / study["protocol"]])]
    lengths = sorted({record.bits for record in records if record.config.tuned})
    by_length = {bits: pairs(study, records, bits, args.boards) for bits in lengths}
    write_text(args.output, page(study, args.study, by_length))
    print(args.output.read_text(encoding="utf-8"))


def pairs(study: Mapping[str, Any], records: Iterable[Record], bits: int, boards: Path) -> list[Pair]:
    """Return the methods of a study with a row of their plugin's recipe, floors left out."""
    rows = rows_of([record for record in records if record.bits == bits], read_known(boards / REGISTERED))
    recipes, tuned = {}, {}
    for place, here in rows.items():
        for (method, _), row in here.items():
            known = study["methods"].get(method)
            if known is None or row[0].floor:
                continue
            if place.study is None and place.regime == known["regime"]:
                recipes[method] = value(row, study["metric"])
            elif place.study is not None and place.study.trials == study["trials"]:
                tuned[method] = value(row, study["metric"])
    found = []
    for name, here in sorted(recipes.items()):
        known = study["methods"][name]
        own, chosen = known["trials"][0]["mean"], known["chosen"]["mean"]
        found.append(Pair(name, own, chosen, here, tuned.get(name, here), name in tuned))
    return found


def value(records: Iterable[Record], metric: str) -> float:
    """Return the mean of a metric over seeds, and over directions where there are several, as a trial's is."""
    return fmean(value_of(record, metric)["value"] for record in records)


def page(study: Mapping[str, Any], path: Path, by_length: Mapping[int, list[Pair]]) -> str:
    """Return what was found, as Markdown."""
    at = ", ".join(map(str, study["bits"]))
    every = by_length[study["bits"][0]]
    methods = [pair.method for pair in every if pair.tuned]
    lines = [
        "# Does validation foretell the board?\n",
        f"Written by `{shlex.join(['python', *sys.argv])}` from `{path.as_posix()}` and the accepted records.\n",
        f"{len(every)} methods, floors left out, that have a row with their plugin's recipe; {len(methods)} of them",
        f"have one tuned with {study['trials']} trials too, by `{study['metric']}` at {at} bits on a held-out part of",
        f"the train split of `{study['protocol']}`: {', '.join(methods)}.",
        "In brackets 95 % of bootstrap draws of methods.\n",
        "## The order of methods\n",
        f"Rank correlation over methods of validation (at {at} bits) and board, both with the same settings.\n",
        f"| bits on the board | own settings, {len(every)} methods | chosen settings, {len(methods)} methods |",
        "|---|---|---|",
    ]
    for bits, found in by_length.items():
        tuned = [pair for pair in found if pair.tuned]
        own = correlation([p.own for p in found], [p.board_own for p in found])
        chosen = correlation([p.chosen for p in tuned], [p.board_chosen for p in tuned])
        lines.append(f"| {bits} | {own} | {chosen} |")
    lines += [
        "\n## What tuning gains\n",
        "The choice less the own setting, in points. On validation it is the best of all trials, and so too high by",
        "what the best one owes to chance; the board's queries took no part. A method whose own setting was chosen is",
        "left out.\n",
        "| bits on the board | mean gain on validation | on the board | both ahead | rank correlation of gains |",
        "|---|---|---|---|---|",
    ]
    for bits, found in by_length.items():
        moved = [pair for pair in found if pair.tuned and pair.gain > 0]
        ahead = sum(pair.board_gain > 0 for pair in moved)
        gains = correlation([pair.gain for pair in moved], [pair.board_gain for pair in moved])
        means = f"{100 * fmean(p.gain for p in moved):+.1f} | {100 * fmean(p.board_gain for p in moved):+.1f}"
        lines.append(f"| {bits} | {means} | {ahead} of {len(moved)} | {gains} |")
    lines += ["\nBetter on validation and worse on the board (gain there, gain here):\n"]
    for bits, found in by_length.items():
        worse = sorted((p for p in found if p.tuned and p.gain > 0 > p.board_gain), key=lambda pair: pair.board_gain)
        words = [f"{p.method} ({100 * p.gain:+.1f}, {100 * p.board_gain:+.1f})" for p in worse]
        lines.append(f"- {bits} bits: {', '.join(words) or 'none'}")
    return "\n".join(lines) + "\n"


def correlation(x: list[float], y: list[float]) -> str:
    """Return Spearman's rank correlation with the 2.5 and 97.5 % points over draws of methods with replacement."""
    one, other = np.asarray(x), np.asarray(y)
    draw = np.random.default_rng(0)
    picks = (draw.integers(0, len(one), len(one)) for _ in range(DRAWS))
    found = [spearmanr(one[pick], other[pick]).statistic for pick in picks if len(set(one[pick])) > 1]
    low, high = np.nanquantile(found, (0.025, 0.975))
    return f"{spearmanr(one, other).statistic:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
