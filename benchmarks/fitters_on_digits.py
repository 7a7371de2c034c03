"""Closed-form methods of one modality on the 64 grey levels of digits-1k: mean and deviation of the mAP of three seeds.

OMP_NUM_THREADS=1 python benchmarks/fitters_on_digits.py lsh itq ksh [--bits 16 32 64]
"""

from __future__ import annotations

import argparse
import statistics

from hashzoo import Problem, build_hash_layer
from hashzoo.plugins import registry
from hashzoo.testing.fits import Parts, digits, fitted, mean_average_precision


def values(name: str, bits: int, parts: Parts) -> list[float]:
    """Return the mAP of a method for seeds 0, 1 and 2."""
    method = registry().get("methods", name)
    n, width = parts.train.features.shape
    problem = Problem(bits, parts.train.labels.shape[1], n)
    fitter = registry().build("fitters", method.fitter, problem, options=method.options.get("fitter", {}))
    found = []
    for seed in range(3):
        layer = build_hash_layer(method.hash_layer, width, problem, **method.options.get("hash_layer", {}))
        fitted(fitter, layer, parts.train, seed, labels=method.supervision == "supervised")
        found.append(mean_average_precision(layer, parts))
    return found


def main() -> None:
    """Print one line for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--bits", type=int, nargs="+", default=[16, 32, 64])
    args = parser.parse_args()
    parts = digits()
    for name in args.methods:
        cells = [values(name, bits, parts) for bits in args.bits]
        row = " | ".join(f"{statistics.mean(cell):.3f} ({statistics.stdev(cell):.3f})" for cell in cells)
        print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
