"""`make chaos`: attack readers, runs, caches, evaluators and plugins; write what was tried and what survived.

Ends with exit code 1 where a case ended in a traceback, in a wrong result, or in silence. The same seed makes the same
damage; the moments of kills are as exact as the clock.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

# One thread, set before numpy and torch are imported: processes are forked here.
os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

from benchmarks.chaos.judge import Group

RESULT = Path(__file__).parents[1] / "results" / "chaos.md"
RECORDS = Path(__file__).parents[2] / "leaderboards" / "records"
LEAST = 10_000
"""Cases of a whole run."""


def groups(folder: Path, quick: bool, seed: int) -> Iterator[Group]:
    """Give the groups one after another; what forks comes first, before anything has started a thread."""
    from benchmarks.chaos import files, plugins, runs, values

    sample = min(RECORDS.rglob("bits-*-seed-*.json"))
    if not quick:
        import hashzoo.evaluation.api
        import hashzoo.runner.run  # noqa: F401 -- imported once, before the forks

        course = runs.Course(folder)
        yield runs.killed(course, 8, seed)
        yield runs.full_disk(course, 5, seed)
        yield from runs.damaged_cells(course, 40, seed)
    else:
        os.environ["HASHZOO_PLUGINS"] = ""
    yield runs.damaged_store(folder, 12 if quick else 300, seed)
    yield from files.readers(folder, 120 if quick else 2400, seed)
    yield from files.records(folder, 60 if quick else 2400, seed, sample)
    yield from values.values(80 if quick else 4600, seed)
    yield plugins.evaluators(folder, 1 if quick else 2)
    if not quick:
        yield from plugins.broken(folder, RECORDS, seed)


def main() -> int:
    """Attack, write the page, print what did not survive."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few hundred cases in seconds, no page")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    begin, done = time.perf_counter(), []
    with tempfile.TemporaryDirectory(prefix="hashzoo-chaos-") as name:
        os.environ.setdefault("HASHZOO_CACHE", f"{name}/cache")
        for group in groups(Path(name), options.quick, options.seed):
            done.append(group)
            print(f"{group.name}: {group.tried:,} tried, {group.survived:,} survived", flush=True)
            for line in group.shown():
                print(f"    {line}", flush=True)
    tried, survived = sum(g.tried for g in done), sum(g.survived for g in done)
    print(f"{tried:,} tried, {survived:,} survived, {time.perf_counter() - begin:.0f} s")
    if not options.quick:
        options.out.write_text(page(done, options.seed, time.perf_counter() - begin), encoding="utf-8")
        if tried < LEAST:
            print(f"fewer than {LEAST:,} cases were tried")
            return 1
    return 0 if tried == survived else 1


def page(done: list[Group], seed: int, seconds: float) -> str:
    """Return the page of counts."""
    rows = [(g.name, g.tried, g.refused, g.survived) for g in done]
    rows.append(("all", *(sum(row[column] for row in rows) for column in (1, 2, 3))))
    failures = [f"- {g.name}: {line}" for g in done for line in g.shown()]
    from benchmarks.machine import cores

    where = f"{platform.system()}, Python {platform.python_version()}, {cores()} cores"
    return "\n".join(
        [
            "# Attacks tried and survived",
            "",
            f"Written by `make chaos` on {date.today()}: seed {seed}, {seconds:.0f} s, {where}.",
            "",
            "A case survives where the result is the right one, or where it is refused in words. It does not where it "
            "ends in a traceback, gives a wrong result, or says nothing. `refused` counts the cases in which something "
            "was noticed: for kills, those that ended a process; commands beside a broken plugin go on and are not "
            "refused. Damaged files and lists, records and odd texts are not compared with a right result, which few "
            "of them have: there a case survives where the file is read, or refused in words.",
            "",
            "| group | tried | refused | survived |",
            "|---|---:|---:|---:|",
            *(f"| {name} | {tried:,} | {refused:,} | {survived:,} |" for name, tried, refused, survived in rows),
            "",
            *(["What did not survive:", "", *failures, ""] if failures else []),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
