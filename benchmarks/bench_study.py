"""What a cell of a study costs, one after another and with two workers; writes results/studies.md.

    python benchmarks/bench_study.py

Eight small cells on the embedded digits, features cached before: the figures are those of hashzoo's own overhead and of
small models. Start-up of the workers is part of them. Both ways must give the same records.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from machine import machine, sentence

from hashzoo.results.record import Record, same_result
from hashzoo.runner.request import RunRequest
from hashzoo.studies.grid import plan_study, run_study
from hashzoo.studies.local import LocalEngine

RESULT = Path(__file__).parent / "results" / "studies.md"
METHODS = {"itq": {}, "lsh": {}, "greedyhash": {"epochs": 10}, "dch": {"epochs": 10}}


def measure(out: Path, workers: int) -> tuple[float, list[Record]]:
    """Return the seconds that the study took, and its records."""
    requests = [
        RunRequest(name, protocol="digits-1k", bits=(16,), seeds=(0, 1), settings=settings, out=out)
        for name, settings in METHODS.items()
    ]
    study = plan_study(requests)
    begin = time.perf_counter()
    records, failed = run_study(study, LocalEngine(workers))
    assert not failed, failed
    return time.perf_counter() - begin, records


def main() -> None:
    """Measure, compare the records and write the page."""
    about = machine()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["HASHZOO_CACHE"] = str(root / "cache")
        measure(root / "first", 1)  # compiles the counting kernel and makes the features
        serial, one = measure(root / "one", 1)
        parallel, two = measure(root / "two", 2)
    assert all(same_result(a, b) for a, b in zip(one, two, strict=True))
    own = sum(sum(record.timings.values()) for record in one)
    cells = len(one)
    RESULT.write_text(
        f"""# Cells of a study

Written by `python benchmarks/bench_study.py`. {cells} cells of {", ".join(METHODS)} (10 epochs where there are any),
16 bits, two seeds, on the embedded digits with cached features.

| | seconds | seconds per cell |
|---|---|---|
| one after another | {serial:.1f} | {serial / cells:.2f} |
| of that in training, encoding and evaluation | {own:.1f} | {own / cells:.2f} |
| two workers, their start-up included | {parallel:.1f} | {parallel / cells:.2f} |

The records of both are the same but for dates and timings.

{sentence(about)}
"""
    )
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
