"""Closed-form methods on made-up classes: seconds of one thread and the largest memory of the process.

    OMP_NUM_THREADS=1 python benchmarks/bench_fitters.py ksh sdh [--items 5000] [--width 1280] [--bits 64]

Each method runs in a process of its own; its memory includes Python, torch and the features.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

BUILDERS = {
    "sh": "hashzoo_sh.fitter:SHFitter",
    "itq": "hashzoo_itq.fitter:ITQFitter",
    "itq-cca": "hashzoo_itq.fitter:ITQCCAFitter",
    "bre": "hashzoo_bre.fitter:BREFitter",
    "mlh": "hashzoo_mlh.fitter:MLHFitter",
    "ksh": "hashzoo_ksh.fitter:KSHFitter",
    "sdh": "hashzoo_sdh.fitter:SDHFitter",
}
CLASSES = 10


def measure(name: str, items: int, width: int, bits: int) -> str:
    """Return one line: seconds and MiB of fitting one method."""
    import torch

    from hashzoo import Problem

    torch.set_num_threads(1)
    draws = torch.Generator().manual_seed(0)
    classes = torch.randint(CLASSES, (items,), generator=draws)
    x = torch.randn(CLASSES, width, generator=draws)[classes] + 4 * torch.randn(items, width, generator=draws)
    module, attribute = BUILDERS[name].split(":")
    fitter = getattr(__import__(module, fromlist=[attribute]), attribute)(Problem(bits, CLASSES, items))
    start, clock = time.process_time(), time.perf_counter()
    fitter.fit({"image": x}, torch.eye(CLASSES)[classes], 0)
    seconds, wall = time.process_time() - start, time.perf_counter() - clock
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{name:8} {seconds:7.1f} s of processor ({wall:.1f} s passed), {memory:6.0f} MiB"


def main() -> None:
    """Measure the methods named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", default=list(BUILDERS))
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--here", action="store_true", help="in this process; used by the script itself")
    args = parser.parse_args()
    sizes = ["--items", str(args.items), "--width", str(args.width), "--bits", str(args.bits)]
    for name in args.methods:
        if args.here:
            print(measure(name, args.items, args.width, args.bits), flush=True)
        else:
            subprocess.run([sys.executable, __file__, name, "--here", *sizes], check=True)


if __name__ == "__main__":
    main()
