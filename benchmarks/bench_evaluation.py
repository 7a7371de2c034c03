"""Speed and memory of the evaluation engine; ratios are between figures of the same run.

    python benchmarks/bench_evaluation.py [--sections protocols limits growth] [--bits 12 64 128]

Codes are synthetic: classes with normal centres and noise, for `growth` random words. Figures go to
`results/evaluation.json` and `.md` beside this file, with a description of the machine.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from bench_evaluation_others import argsort_map, best_of, faiss_search, memory_rate, popcount_rate
from bench_evaluation_page import markdown
from machine import cores, machine

from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.counts import count

PROTOCOLS = {
    # name: queries, database items, classes, chance of each further label
    "CIFAR-10": (1_000, 59_000, 10, 0.0),
    "NUS-WIDE": (5_000, 190_834, 21, 0.05),
    "MS-COCO": (5_000, 117_218, 80, 0.025),
    "ImageNet-100": (5_000, 128_503, 100, 0.0),
}
BITS = (12, 16, 24, 32, 48, 64, 128)
SIZES = (10**4, 10**5, 10**6, 10**7, 10**8)
GROWTH_QUERIES = 1_000
ARGSORT_QUERIES = 12
"""The argsort way is timed on so many queries and scaled to all."""

FAISS_QUERIES = 200
"""FAISS likewise."""
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the chosen sections and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--bits", nargs="+", type=int, default=list(BITS))
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="largest database of the growth section")
    parser.add_argument("--output", type=Path, default=RESULTS / "evaluation.json")
    args = parser.parse_args()
    results: dict[str, Any] = {"machine": machine("numpy", "numba", "faiss-cpu")}
    for name in args.sections:
        results[name] = SECTIONS[name](args)
    results["machine"]["load_after"] = round(os.getloadavg()[0], 2)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    args.output.with_suffix(".md").write_text(markdown(results), encoding="utf-8")
    print(markdown(results))


def clustered(queries: int, items: int, bits: int, classes: int, more: float) -> tuple[Codes, Codes]:
    """Return codes that cluster by class."""
    rng = np.random.default_rng(bits)
    n = queries + items
    label = rng.integers(0, classes, n)
    hot = np.eye(classes, dtype=np.uint8)[label] | (rng.random((n, classes)) < more)
    outputs = rng.normal(size=(classes, bits)).astype(np.float32)[label]
    outputs += 1.5 * rng.standard_normal((n, bits), dtype=np.float32)
    both = Codes.from_relaxed(outputs, hot)
    return both.take(slice(0, queries)), both.take(slice(queries, n))


def protocols(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Time counting, the full set of metrics and curves, argsort and FAISS, on inputs of protocol size."""
    rows = []
    for name, (queries, items, classes, more) in PROTOCOLS.items():
        for bits in args.bits:
            query, database = clustered(queries, items, bits, classes, more)
            count(query, database, kernel="numba")  # compiled, caches warm
            counting = best_of(3, lambda q=query, d=database: count(q, d, kernel="numba"))
            everything = best_of(2, lambda q=query, d=database: evaluate(q, d, kernel="numba"))
            few = query.take(slice(0, ARGSORT_QUERIES))
            argsort = best_of(2, lambda q=few, d=database: argsort_map(q, d)).scaled(queries / ARGSORT_QUERIES)
            some = query.take(slice(0, FAISS_QUERIES))
            factor = queries / FAISS_QUERIES
            faiss = {
                f"faiss_{k}_{mode}": times.scaled(factor)
                for k in (10, 5000)
                for mode, times in zip(("heap", "counting"), faiss_search(some, database, k, cores()), strict=True)
            }
            pairs = queries * items
            rows.append(
                {
                    "protocol": name,
                    "bits": bits,
                    "queries": queries,
                    "database": items,
                    "classes": classes,
                    "argsort_queries": len(few),
                    "faiss_queries": len(some),
                    "count_seconds": counting.wall,
                    "evaluate_seconds": everything.wall,
                    "giga_pairs_per_second": pairs / counting.wall / 1e9,
                    "giga_pairs_per_cpu_second": pairs / counting.cpu / 1e9,
                    "argsort_over_evaluate": argsort.over(everything),
                    **{f"{mode}_over_count": times.over(counting) for mode, times in faiss.items()},
                    **{f"{mode}_over_evaluate": times.over(everything) for mode, times in faiss.items()},
                }
            )
            print(f"{name} {bits} bits: {rows[-1]['giga_pairs_per_second']:.2f} billion pairs/s", flush=True)
    return rows


def limits(args: argparse.Namespace) -> dict[str, float]:
    """Set the counting rate at 64 bits beside the rate of popcounts alone and of reading memory."""
    del args
    query, database = clustered(*PROTOCOLS["NUS-WIDE"][:2], 64, *PROTOCOLS["NUS-WIDE"][2:])
    count(query, database, kernel="numba")
    pairs = len(query) * len(database)
    result: dict[str, float] = {}
    for threads in sorted({1, cores()}):
        rate = pairs / best_of(3, lambda t=threads: count(query, database, kernel="numba", threads=t)).wall
        popcounts = popcount_rate(threads)
        result[f"count_pairs_per_second_{threads}"] = rate
        result[f"popcounts_per_second_{threads}"] = popcounts
        result[f"share_of_popcount_{threads}"] = rate / popcounts
        result[f"memory_bytes_per_second_{threads}"] = memory_rate(threads)
    return result


def growth(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Count 1,000 queries against memory-mapped databases of growing size: time per pair and peak memory."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        codes, labels, ids = (write_random(Path(folder) / n, args.largest, w) for n, w in FILES.items())
        query = Codes.from_packed(np.array(codes[:GROWTH_QUERIES]), 64, np.array(labels[:GROWTH_QUERIES]) & 1)
        for size in (size for size in SIZES if size <= args.largest):
            database = Codes.from_packed(codes[:size], 64, labels[:size], ids[:size].ravel().view(np.int32))
            steps: list[int] = []
            count(query, database.take(slice(0, 10_000)), kernel="numba")
            with peak_memory() as peak:
                start, used = time.perf_counter(), time.process_time()
                counts = count(query, database, kernel="numba", progress=lambda done, _, s=steps: s.append(done))
                seconds, cpu = time.perf_counter() - start, time.process_time() - used
            assert int(counts.n.sum()) == GROWTH_QUERIES * size
            rows.append(
                {
                    "queries": GROWTH_QUERIES,
                    "database": size,
                    "seconds": seconds,
                    "picoseconds_per_pair": seconds / size / GROWTH_QUERIES * 1e12,
                    "cpu_picoseconds_per_pair": cpu / size / GROWTH_QUERIES * 1e12,
                    "peak_megabytes_beside_codes": peak["megabytes"],
                    "progress_reports": len(steps),
                }
            )
            print(f"{size:,} items: {seconds:.1f} s", flush=True)
    return rows


FILES = {"codes": 8, "labels": 10, "ids": 4}


def write_random(path: Path, items: int, width: int) -> np.ndarray[Any, Any]:
    """Write random bytes (labels: 0 or 1) and return them memory-mapped, (items, width) uint8."""
    rng = np.random.default_rng(width)
    with path.open("wb") as stream:
        for start in range(0, items, 1 << 20):
            block = rng.bytes(min(1 << 20, items - start) * width)
            if path.name == "labels":
                flags = np.frombuffer(block, dtype=np.uint8) < 26
                block = flags.astype(np.uint8).tobytes()
            stream.write(block)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=(items, width))


@contextmanager
def peak_memory() -> Iterator[dict[str, float | None]]:
    """Measure the growth of this process's own memory, without mapped files, sampled every 5 ms (Linux only)."""
    status = Path("/proc/self/status")
    found: dict[str, float | None] = {"megabytes": None}
    if not status.exists():
        yield found
        return

    def own() -> float:
        line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
        return int(line.split()[1]) / 1024

    with suppress(
        AttributeError
    ):  # memory freed earlier goes back to the system first, so that it is not reused unseen
        ctypes.CDLL(None).malloc_trim(0)
    before, seen, done = own(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            seen.append(own() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()
        found["megabytes"] = round(max(seen), 1)


SECTIONS = {"protocols": protocols, "limits": limits, "growth": growth}


if __name__ == "__main__":
    main()
