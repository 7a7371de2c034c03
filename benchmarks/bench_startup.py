"""Start-up: what each light command imports and how long it takes beside an empty Python and beside importing torch.

    python benchmarks/bench_startup.py [--repeat 7] [--output benchmarks/results/startup.json]

All commands are timed in turn, round after round, in one run and in an empty folder; the figure that counts is the
ratio to `python -c pass`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hashzoo.plugins import heavy
from hashzoo.runner.environment import processor, versions

HEAVY = (*heavy.HEAVY, "numpy")
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import hashzoo'": ["-c", "import hashzoo"],
    "hashzoo --help": ["-m", "hashzoo", "--help"],
    "hashzoo plugins": ["-m", "hashzoo", "plugins"],
    "hashzoo list methods": ["-m", "hashzoo", "list", "methods"],
    "hashzoo leaderboard (no records)": ["-m", "hashzoo", "leaderboard", "."],
    "python -c 'import torch'": ["-c", "import torch"],
}
PROBE = """
import sys, runpy
sys.argv = {argv!r}
try:
    {run}
except SystemExit:
    pass
print('MODULES', *sys.modules, file=sys.stderr)
"""


def seconds(args: list[str], folder: str) -> float:
    """Wall-clock seconds of one process."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *args], capture_output=True, check=False, cwd=folder)
    return time.perf_counter() - begin


def heavy_imports(args: list[str], folder: str) -> list[str]:
    """Which heavy packages a command imports."""
    if args[0] == "-c":
        program = PROBE.format(argv=[""], run=args[1])
    else:
        program = PROBE.format(argv=["hashzoo", *args[2:]], run="runpy.run_module('hashzoo', run_name='__main__')")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=folder)
    modules = set(done.stderr.splitlines()[-1].split())
    return [name for name in HEAVY if name in modules]


def main() -> None:
    """Time, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/startup.json"))
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.repeat):
            for name, args in COMMANDS.items():
                times[name].append(seconds(args, folder))
        empty = statistics.median(times["python -c pass"])
        rows = [
            {
                "command": name,
                "median_seconds": round(statistics.median(times[name]), 4),
                "times_empty_python": round(statistics.median(times[name]) / empty, 1),
                "heavy_imports": heavy_imports(args, folder),
            }
            for name, args in COMMANDS.items()
        ]
    for row in rows:
        heavy = ", ".join(row["heavy_imports"]) or "none"
        print(f"{row['command']:34} {row['median_seconds']:8.3f} s {row['times_empty_python']:6.1f} x   heavy: {heavy}")
    result = {"processor": processor(), "versions": versions(), "repeat": options.repeat, "rows": rows}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
