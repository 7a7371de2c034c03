"""What a cell of a study costs, one after another and with two workers; writes results/studies.md.

    python benchmarks/bench_study.py                      # one cell of each method: about half an hour
    python benchmarks/bench_study.py --bits 16,32,48,64 --seeds 0-2 --workers 2 --methods quick   # a whole board

Small: eight cells on the embedded digits, where hashzoo's own overhead is most of the cost. Large: made-up features in
the shape of CIFAR-10 behind a frozen EfficientNet-Lite0 (1,280 numbers; 5,000 items to train, 1,000 queries, 54,000 in
the database, ten classes), each method with its own recipe for frozen features. Start-up of the workers is part of all
figures. One after another and two workers must give the same records.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from machine import machine, sentence

from hashzoo.plugins import registry
from hashzoo.results.record import Record, same_result
from hashzoo.runner.request import RunRequest, parse_numbers
from hashzoo.studies.grid import every_method, plan_study, run_study
from hashzoo.studies.local import LocalEngine

RESULT = Path(__file__).parent / "results" / "studies.md"
SMALL = {"itq": {}, "lsh": {}, "greedyhash": {"epochs": 10}, "dch": {"epochs": 10}}
HEAVY = {
    "csq": "layers of its own, 1,280 to 1,280 twice",
    "cibhash": "a layer of its own, 1,280 to 1,024, on two views",
    "dnnh": "a layer of its own, 1,280 to 50 K",
    "dtsh": "2.9 million triplets a step",
    "dtsh-batch": "all triplets of a batch",
    "pml-triplet": "all triplets of a batch",
    "dpsh": "each batch against all train items",
    "dsdh": "each batch against all train items",
    "dsdh-batch": "each batch against all train items; codes solved for in each step",
    "adsh": "each batch against the database, whose codes are learned",
    "adsh-inductive": "each batch against all train items",
    "ksh": "a descent over all train items for each bit",
    "mlh": "a search over pairs",
    "bre": "a search over pairs",
    "bre-unsupervised": "a search over pairs",
    "uncoded": "no codes: the features are ranked, once for all bits",
}
"""Methods whose own computations take most of five seconds or more, and what they are; the others are "quick"."""
PARTS = {"train": 5000, "query": 1000, "database": 54000}
WIDTH, CLASSES, FACTORS = 1280, 10, 64


def made_up(path: Path, parts: Mapping[str, int] = MappingProxyType(PARTS)) -> None:
    """Write features (n, 1280), never negative as behind a ReLU, of classes that overlap, and their labels."""
    draws = np.random.default_rng(0)
    centers = 0.12 * draws.standard_normal((CLASSES, WIDTH), np.float32)
    mixed = 0.12 * draws.standard_normal((FACTORS, WIDTH), np.float32)
    arrays: dict[str, np.ndarray] = {}
    for part, n in parts.items():
        labels = draws.permutation(np.arange(n) % CLASSES)
        common = draws.standard_normal((n, FACTORS), np.float32) @ mixed
        x = centers[labels] + common + 0.6 * draws.standard_normal((n, WIDTH), np.float32)
        arrays |= {f"features_{part}": np.maximum(x, 0, out=x), f"labels_{part}": labels}
    np.savez(path, **arrays)


def small(out: Path) -> list[RunRequest]:
    """Return the requests of the small study."""
    return [
        RunRequest(name, protocol="digits-1k", bits=(16,), seeds=(0, 1), settings=settings, out=out)
        for name, settings in SMALL.items()
    ]


def large(out: Path, features: Path, args: argparse.Namespace) -> list[RunRequest]:
    """Return the requests of the large one."""
    common = {"dataset": "arrays", "backbone": "identity", "freeze_backbone": True, "precision": "fp32"}
    data = {"data.path": str(features)}
    numbers = {"bits": parse_numbers(args.bits, "Bits"), "seeds": parse_numbers(args.seeds, "Seeds")}
    return [RunRequest(name, settings=data, out=out, **common, **numbers) for name in args.methods]


@dataclass(frozen=True)
class Measured:
    """A study: seconds that passed, seconds of the processor in all its processes, and its records."""

    seconds: float
    processor: float
    records: list[Record]


def measure(requests: Sequence[RunRequest], workers: int) -> Measured:
    """Do a study and return what it took."""
    study = plan_study(requests)
    begin, used = time.perf_counter(), processor_seconds()
    records, failed = run_study(study, LocalEngine(workers))
    assert not failed, failed
    return Measured(time.perf_counter() - begin, processor_seconds() - used, records)


def processor_seconds() -> float:
    """Return the seconds of the processor that this process and its finished workers have had."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def compared(requests: Mapping[int, Sequence[RunRequest]]) -> dict[int, Measured]:
    """Return what was measured by number of workers, after the records were compared."""
    found = {workers: measure(wanted, workers) for workers, wanted in requests.items()}
    first = next(iter(found.values())).records
    assert all(same_result(a, b) for one in found.values() for a, b in zip(first, one.records, strict=True))
    return found


def seconds_table(found: Mapping[int, Measured]) -> str:
    """Return rows of seconds, in all and per cell."""
    lines = ["| | seconds | per cell | of that in the stages | of the processor, per cell |", "|---|---|---|---|---|"]
    for workers, one in found.items():
        cells = len(one.records)
        how = "one after another" if workers == 1 else f"{workers} workers, their start-up included"
        own = sum(sum(record.timings.values()) for record in one.records) / workers
        figures = (one.seconds, one.seconds / cells, own / cells, one.processor / cells)
        lines.append(f"| {how} | {' | '.join(f'{value:.2f}' for value in figures)} |")
    return "\n".join(lines)


def methods_table(records: Sequence[Record]) -> str:
    """Return a row for each method: mean seconds of its stages, and what else it does."""
    lines = ["| method | train | encode | evaluate | all | |", "|---|---|---|---|---|---|"]
    rows = []
    for name in dict.fromkeys(record.method for record in records):
        own = [record.timings for record in records if record.method == name]
        means = [float(np.mean([timings[stage] for timings in own])) for stage in ("train", "encode", "evaluate")]
        rows.append((sum(means), name, means))
    for total, name, means in sorted(rows):
        cells = " | ".join(f"{value:.2f}" for value in (*means, total))
        lines.append(f"| {name} | {cells} | {HEAVY.get(name, '')} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """Return what was asked for; names of methods stand for themselves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="all", help="names, `all`, or `quick`: those that are not in HEAVY")
    parser.add_argument("--bits", default="48")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--workers", default="1,2", help="numbers of workers, measured one after the other")
    parser.add_argument("--output", type=Path, default=RESULT)
    args = parser.parse_args()
    every = every_method(None, "arrays", registry())
    chosen = {"all": every, "quick": [name for name in every if name not in HEAVY]}
    args.asked, args.methods = args.methods, chosen.get(args.methods, args.methods.split(","))
    args.workers = parse_numbers(args.workers, "Workers")
    return args


def main() -> None:
    """Measure, compare the records and write the page."""
    args = arguments()
    about = machine()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["HASHZOO_CACHE"] = str(root / "cache")
        measure(small(root / "first"), 1)  # compiles the counting kernel and makes the features
        digits = compared({workers: small(root / f"small-{workers}") for workers in args.workers})
        made_up(root / "features.npz")
        board = compared({w: large(root / f"large-{w}", root / "features.npz", args) for w in args.workers})
    records = next(iter(board.values())).records
    compared_too = "Records of every number of workers were compared: they are the same but for dates and timings.\n"
    shape = ", ".join(f"{n:,} {part}" for part, n in PARTS.items())
    text = f"""# Cells of a study

Written by `python benchmarks/bench_study.py --methods {args.asked} --bits {args.bits} --seeds {args.seeds} --workers \
{",".join(map(str, args.workers))}`.
{compared_too if len(args.workers) > 1 else ""}
## On the embedded digits

{len(next(iter(digits.values())).records)} cells of {", ".join(SMALL)} (10 epochs where there are any), 16 bits, two
seeds, features cached before.

{seconds_table(digits)}

## On made-up features of the shape of CIFAR-10's

{len(args.methods)} methods, bits {args.bits}, seeds {args.seeds}: {len(records)} cells; {shape}, {WIDTH:,} numbers
each, {CLASSES} classes; every method with its own recipe for frozen features.

{seconds_table(board)}

Seconds of a cell, mean over the cells of a method{"" if args.workers[0] == 1 else ", beside another worker's"}:

{methods_table(records)}

{sentence(about)}
"""
    args.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
