"""What a GPU is wanted for, in the order of worth; each step is resumed where it was stopped.

    python benchmarks/gpu.py --minutes 40 --out gpu-runs [--device cuda] [--quick]

1. checks: the counting kernel and the tests that need a GPU give what the processor gives;
2. figures of the GPU path: pairs counted per second beside the processor's kernel, images encoded per second in fp32,
   bf16 and fp16;
3. fine-tuned runs of the papers' recipes on CIFAR-10 as JPEG: one seed of each method at 48 bits first, then the other
   lengths, then the other seeds. HASHZOO_DATA holds the data set.

A step starts only while there is time left; runs go on at their last checkpoint when the same command is given again.
`--quick` does all of it small (digits, a network for 8 x 8 pixels), to try the script itself where there is no GPU.
Figures go to OUT/gpu.json and are printed as they come; `hashzoo leaderboard OUT/runs --accept` takes the runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.counts import count
from hashzoo.files import write_text
from hashzoo.plugins import registry
from hashzoo.results.record import pretty_json
from hashzoo.runner.environment import processor
from hashzoo.training.feature_cache import extract_features

METHODS = ("dch", "hashnet", "greedyhash", "dhn", "csq", "dpsh", "orthohash", "dch-q", "hashnet-sgn", "dhn-q")
"""Those whose papers are compared with each other first; then those of their claims."""


ROOT = Path(__file__).parents[1]
TESTS = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"]
"""None found is exit code 5, and no success."""


@dataclass(frozen=True)
class Size:
    """What is run: the real thing, or the small one that tries the script."""

    protocol: str
    backbone: str
    methods: tuple[str, ...]
    lengths: tuple[int, ...]
    seeds: tuple[int, ...]
    settings: tuple[str, ...]
    queries: int
    items: int
    images: int
    shape: tuple[int, ...]


REAL = Size(
    protocol="cifar10-jpeg-5k-disjoint",
    backbone="efficientnet_lite0",
    methods=METHODS,
    lengths=(48, 16, 32, 64),
    seeds=(0, 1, 2),
    settings=(),
    queries=1_000,
    items=10**7,
    images=2_048,
    shape=(32, 32, 3),
)
QUICK = Size(
    protocol="digits-1k",
    backbone="smallcnn",
    methods=("greedyhash",),
    lengths=(16,),
    seeds=(0,),
    settings=("epochs=1",),
    queries=8,
    items=5_000,
    images=16,
    shape=(8, 8, 3),
)


def main() -> None:
    """Do what is left, in order, until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    size = QUICK if args.quick else REAL
    end = time.monotonic() + 60 * args.minutes
    args.out.mkdir(parents=True, exist_ok=True)
    page = args.out / "gpu.json"
    found: dict[str, Any] = json.loads(page.read_text()) if page.exists() else {}
    for name, step in steps(size, args.device, args.out, lambda: end - time.monotonic()):
        if found.get(name, {}).get("done"):
            continue
        if time.monotonic() >= end:
            print(f"The time is up before {name}; give the same command again for the rest.")
            break
        begin = time.perf_counter()
        found[name] = {**step(), "seconds": round(time.perf_counter() - begin, 1), "device": device_name(args.device)}
        write_text(page, pretty_json(found) + "\n")
        print(f"{name}: {json.dumps(found[name])}", flush=True)


def steps(
    size: Size, device: str, out: Path, left: Callable[[], float]
) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """Return the steps by name, most wanted first."""
    found: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        ("kernel gives the same counts", lambda: same_counts(device)),
        ("tests that need a GPU", lambda: outcome(TESTS, left(), ROOT)),
        ("pairs counted per second", lambda: counting(size, device)),
    ]
    found += [
        (f"images encoded per second, {precision}", lambda precision=precision: encoding(size, device, precision))
        for precision in ("fp32", "bf16", *(["fp16"] if device.startswith("cuda") else []))
    ]
    cells = [(m, bits, seed) for seed in size.seeds for bits in size.lengths for m in size.methods]
    for method, bits, seed in cells:
        command = run_command(size, method, bits, seed, device, out / "runs")
        found.append((f"{method} {bits} bits seed {seed}", lambda command=command: outcome(command, left())))
    return found


def same_counts(device: str) -> dict[str, Any]:
    """Compare the torch kernel on the device with the processor's, on random codes of odd lengths."""
    for bits in (12, 48, 64, 128, 200):
        queries, database = codes(61, bits, 1), codes(5_003, bits, 2)
        ours, theirs = (count(queries, database, kernel=kernel) for kernel in (f"torch:{device}", "numba"))
        np.testing.assert_array_equal(ours.n, theirs.n)
        np.testing.assert_array_equal(ours.r, theirs.r)
    return {"done": True}


def counting(size: Size, device: str) -> dict[str, Any]:
    """Return pairs per second of the torch kernel on the device and of the processor's, same codes of 64 bits."""
    queries, database = codes(size.queries, 64, 1), codes(size.items, 64, 2)
    rate = {}
    for name, kernel in (("torch", f"torch:{device}"), ("numba", "numba")):
        count(queries, codes(1_000, 64, 3), kernel=kernel)  # compiles
        begin = time.perf_counter()
        count(queries, database, kernel=kernel)
        rate[name] = round(size.queries * size.items / (time.perf_counter() - begin))
    return {"done": True, **rate}


def encoding(size: Size, device: str, precision: str) -> dict[str, Any]:
    """Return 32 x 32 uint8 images per second, resized and sent through the network on the device as frozen runs do."""
    backbone = registry().build("backbones", size.backbone, options={"weights": "random"})
    images = np.random.default_rng(1).integers(0, 256, (size.images, *size.shape), dtype=np.uint8)
    extract_features(backbone, images[: size.images // 8], device, precision)  # starts the device
    begin = time.perf_counter()
    extract_features(backbone, images, device, precision)
    return {"done": True, "images per second": round(size.images / (time.perf_counter() - begin), 1)}


def run_command(size: Size, method: str, bits: int, seed: int, device: str, out: Path) -> list[str]:
    """Return the command of one fine-tuned cell; stopped when the time is up, it goes on the next time."""
    return [
        *(sys.executable, "-m", "hashzoo", "run", "-m", method, "-p", size.protocol, "-b", size.backbone),
        *("--bits", str(bits), "--seeds", str(seed), "--device", device, "--out", str(out), "-q"),
        *(part for setting in size.settings for part in ("--set", setting)),
    ]


def outcome(command: list[str], seconds: float, folder: Path | None = None) -> dict[str, Any]:
    """Run a command, in a folder where one is given, for as long as there is time; done if it ends with 0."""
    limit = max(1.0, seconds)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        return {"done": False, "last": "stopped: the time was up"}
    lines = (done.stdout + done.stderr).strip().splitlines()
    return {"done": done.returncode == 0, "last": lines[-1] if lines else ""}


def codes(items: int, bits: int, seed: int) -> Codes:
    """Return random codes with one of ten labels each."""
    draw = np.random.default_rng(seed)
    packed = draw.integers(0, 256, (items, (bits + 7) // 8), dtype=np.uint8)
    if bits % 8:
        packed[:, -1] &= (1 << bits % 8) - 1
    return Codes.from_packed(packed, bits, draw.integers(0, 10, items), num_classes=10)


def device_name(device: str) -> str:
    """Return the name of the GPU, or of the processor."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else processor()


if __name__ == "__main__":
    main()
