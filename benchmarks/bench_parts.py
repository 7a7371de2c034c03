"""Evaluate 100 million codes in parts, each in a process of its own, and compare with the whole.

    python benchmarks/bench_parts.py [--items 100000000] [--queries 200] [--parts 16] [--workers 2]

Random codes of 64 bits and ten classes are written to a temporary folder and removed. Every part is one
`hashzoo evaluate ... --part I/N -o FILE`, as it would be started on machines of their own; here one after another. The
same is then done by one command, `--parts N --workers W`, and by the same command again, which finds all parts there.
Figures go to `results/parts.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, sentence

RESULTS = Path(__file__).parent / "results" / "parts.md"
METRICS = "map,map@1000,precision@h16,recall@h16,ndcg@100"
BYTES, CLASSES = 8, 10


def main() -> None:
    """Write codes, count them in parts and whole, compare, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10**8)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    output = args.output.absolute()  # the folder of the codes becomes the working one
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write("q", args.queries)
        write("d", args.items)
        hashzoo("--query", "q.npz", "--database", "q.npz", "--kernel", "numba")  # compiled before anything is timed
        given = ("--query", "q.npz", "--database", "d.npy", "--database-labels", "d-labels.npy")
        names = [f"part-{i}.npz" for i in range(1, args.parts + 1)]
        counted = [hashzoo(*given, "--part", f"{i}/{args.parts}", "-o", n) for i, n in enumerate(names, start=1)]
        merged = hashzoo(*names, "--merge", "--metrics", METRICS)
        once = ("--parts", str(args.parts), "--workers", str(args.workers), "--metrics", METRICS)
        spread, again = hashzoo(*given, *once), hashzoo(*given, *once)
        whole = hashzoo(*given, "--metrics", METRICS)
        size = sum(Path(name).stat().st_size for name in names)
    whole["result"].pop("warning", None)
    for parts in (merged, spread, again):
        assert parts["result"] == whole["result"], "the parts are not the whole"
    text = page(args, counted, {"merged": merged, "spread": spread, "again": again, "whole": whole}, size)
    output.write_text(text, encoding="utf-8")
    print(text)


def write(name: str, items: int) -> None:
    """Write random codes and class indices: the queries as one `.npz`, a database as two mapped `.npy`."""
    rng = np.random.default_rng(items)
    if name == "q":
        codes, labels = rng.integers(0, 256, (items, BYTES), np.uint8), rng.integers(0, CLASSES, items, np.uint8)
        np.savez("q.npz", codes=codes, labels=labels)
        return
    codes = np.lib.format.open_memmap(f"{name}.npy", "w+", np.uint8, (items, BYTES))
    labels = np.lib.format.open_memmap(f"{name}-labels.npy", "w+", np.uint8, (items,))
    for start in range(0, items, 1 << 22):
        stop = min(start + (1 << 22), items)
        codes[start:stop] = rng.integers(0, 256, (stop - start, BYTES), np.uint8)
        labels[start:stop] = rng.integers(0, CLASSES, stop - start, np.uint8)


def hashzoo(*args: str) -> dict[str, Any]:
    """Run `hashzoo evaluate` in a process of its own: what it printed, seconds, and its memory at the peak (Linux)."""
    program = (
        "import re, sys; from hashzoo.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, "evaluate", *args, "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    return {"result": json.loads(done.stdout), "seconds": seconds, "megabytes": int(done.stderr.split()[-1]) / 1024}


def page(args: argparse.Namespace, counted: list[dict[str, Any]], found: dict[str, dict[str, Any]], size: int) -> str:
    """Return the page of figures."""
    merged, spread, again, whole = (found[name] for name in ("merged", "spread", "again", "whole"))
    pairs = args.queries * args.items
    seconds = [one["seconds"] for one in counted]
    about = machine("numpy", "numba")
    figures = "".join(f"| `{name}` | {whole['result'][name]:.9f} | the same |\n" for name in METRICS.split(","))
    return f"""# Evaluation in parts

Written by `python benchmarks/bench_parts.py --items {args.items} --queries {args.queries} --parts {args.parts}`.
{args.queries:,} queries, {args.items:,} random codes of
{8 * BYTES} bits, {CLASSES} classes, read from memory-mapped files; {pairs:.3g} pairs.
Processes ran one after another, start-up included; the whole also looks for collapsed codes, which a part cannot.

| | seconds | peak memory of a process, mapped pages included (MB) |
|---|---|---|
| one of {args.parts} parts, mean | {np.mean(seconds):.1f} | {max(one["megabytes"] for one in counted):.0f} |
| slowest part | {max(seconds):.1f} | |
| all parts, one after another | {sum(seconds):.1f} | |
| merge and metrics | {merged["seconds"]:.1f} | {merged["megabytes"]:.0f} |
| the same by one command, `--parts {args.parts} --workers {args.workers}` | {spread["seconds"]:.1f} | |
| that command again: nothing to count | {again["seconds"]:.1f} | |
| the whole in one process | {whole["seconds"]:.1f} | {whole["megabytes"]:.0f} |

The files of all parts take {size / 1e6:.1f} MB. Every figure of the merged parts equals that of the
whole to the last bit:

| metric | whole | parts |
|---|---|---|
{figures}
{sentence(about)}
"""


if __name__ == "__main__":
    main()
