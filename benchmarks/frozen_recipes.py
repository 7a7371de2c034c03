"""How the recipes for frozen features were chosen: every candidate on a validation part of the train split.

    python benchmarks/frozen_recipes.py [--methods dch hashnet] [--output benchmarks/results/frozen_recipes.md]

Protocol cifar10-jpeg-5k-disjoint with `--validation 0.4`: 3,000 of the 5,000 training images train, 1,000 of the rest
are queries and 1,000 database; the protocol's own queries take no part. The rule is the same for every method: the
highest mean of map and map@h2 over 16 and 48 bits, seed 0. Needs the dataset cifar10-jpeg (`hashzoo data path`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run

PROTOCOL = "cifar10-jpeg-5k-disjoint"
BITS = (16, 48)
QUANTIZATION = "loss.quantization_weight"
SGD = {"optimizer": "sgd", "epochs": 60}
ADAM = {"optimizer": "adam", "epochs": 60, "lr": 1e-3}

CANDIDATES: dict[str, list[dict[str, Any]]] = {
    "dhn": [
        {**SGD, "lr": 0.01, "weight_decay": 5e-4, QUANTIZATION: 0.2},
        {**SGD, "lr": 0.01, "weight_decay": 0.03, QUANTIZATION: 0.01},
        {**SGD, "lr": 0.01, "weight_decay": 0.05, QUANTIZATION: 0.01},
        {**SGD, "lr": 0.01, "weight_decay": 0.02, QUANTIZATION: 0.1},
        {**SGD, "lr": 0.01, "weight_decay": 0.03, QUANTIZATION: 0.01, "epochs": 120},
        {**ADAM, "weight_decay": 0.01, QUANTIZATION: 0.01},
        {**ADAM, "weight_decay": 0.03, QUANTIZATION: 0.01},
    ],
    "dhn-e": [
        {**SGD, "lr": 0.01, "weight_decay": 0.03, "epochs": 120},
        {**SGD, "lr": 0.1, "weight_decay": 0.03, "epochs": 120},
        {**SGD, "lr": 0.1, "weight_decay": 0.01, "epochs": 120},
        {**ADAM, "weight_decay": 0.01},
    ],
    "hashnet": [
        {**SGD, "lr": 0.03, "weight_decay": 0.01},
        {**SGD, "lr": 0.03, "weight_decay": 0.02},
        {**SGD, "lr": 0.01, "weight_decay": 0.02, "epochs": 120},
        {**ADAM, "weight_decay": 0.0},
        {**ADAM, "weight_decay": 0.03},
    ],
    "dch": [
        {**SGD, "lr": 0.1, "weight_decay": 0.005, QUANTIZATION: 0.1},
        {**SGD, "lr": 0.1, "weight_decay": 0.01, QUANTIZATION: 0.1},
        {**SGD, "lr": 0.1, "weight_decay": 0.01, QUANTIZATION: 1.0},
        {**SGD, "lr": 0.1, "weight_decay": 0.02, QUANTIZATION: 1.0, "loss.gamma": 10},
        {**SGD, "lr": 0.1, "weight_decay": 0.01, QUANTIZATION: 0.1, "loss.gamma": 5},
        {**SGD, "lr": 0.05, "weight_decay": 0.005, QUANTIZATION: 0.1, "loss.gamma": 40},
        {**ADAM, "weight_decay": 0.03, QUANTIZATION: 0.1},
    ],
    "dch-c": [
        {**SGD, "lr": 0.1, "weight_decay": 0.01, QUANTIZATION: 1.0},
        {**SGD, "lr": 0.03, "weight_decay": 0.02, QUANTIZATION: 1.0},
        {**SGD, "lr": 0.03, "weight_decay": 0.02, QUANTIZATION: 0.1},
        {**ADAM, "weight_decay": 0.03, QUANTIZATION: 1.0},
    ],
    "greedyhash": [
        {**SGD, "lr": 0.01, "weight_decay": 5e-4},
        {**SGD, "lr": 0.01, "weight_decay": 0.005},
        {**SGD, "lr": 0.01, "weight_decay": 0.02},
        {**SGD, "lr": 0.01, "weight_decay": 0.05},
        {**ADAM, "weight_decay": 0.01},
        {**ADAM, "weight_decay": 0.03},
        {**ADAM, "weight_decay": 0.1},
    ],
    "greedyhash-unsupervised": [
        {**ADAM, "weight_decay": 0.0},
        {**ADAM, "weight_decay": 0.01},
        {**ADAM, "lr": 1e-4, "weight_decay": 0.0},
    ],
}
BACKBONES = [
    {"backbone.size": size, "backbone.interpolation": way}
    for size, way in ((128, "bilinear"), (160, "bilinear"), (192, "bilinear"), (224, "bilinear"), (224, "bicubic"))
]


def measure(method: str, settings: dict[str, Any], bits: tuple[int, ...] | None, out: Path) -> list[dict[str, float]]:
    """Return the metrics of one candidate for each bit length."""
    records = run(
        RunRequest(
            method=method,
            protocol=PROTOCOL,
            backbone="efficientnet_lite0",
            freeze_backbone=True,
            bits=bits,
            validation=0.4,
            metrics=("map", "map@h2") if bits else ("map",),
            evaluators=("retrieval",),
            settings={"backbone.interpolation": "bilinear", **settings},
            out=out,
        )
    )
    return [record.metrics for record in records]


def rows_of(method: str, out: Path) -> list[str]:
    """Measure a method's candidates and return them as rows of a table, the chosen one in bold."""
    scored = []
    for settings in CANDIDATES[method]:
        metrics = measure(method, settings, BITS, out)
        score = sum(m["map"] + m["map@h2"] for m in metrics) / (2 * len(metrics))
        values = [m[name] for name in ("map", "map@h2") for m in metrics]
        scored.append((score, ", ".join(f"{k}={v}" for k, v in settings.items()), values))
        print(method, scored[-1], flush=True)
    best = max(score for score, _, _ in scored)
    lines = []
    for score, name, values in scored:
        shown = " | ".join(f"{value:.3f}" for value in values)
        mark = "**" if score == best else ""
        lines.append(f"| {method} | {name} | {shown} | {mark}{score:.3f}{mark} |")
    return lines


def main() -> None:
    """Measure all candidates and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--backbones", action="store_true", help="also input sizes and interpolations (slow)")
    parser.add_argument("--out", type=Path, default=Path("runs/frozen-recipes"))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/frozen_recipes.md"))
    options = parser.parse_args()
    lines = [
        "# Recipes for frozen features",
        "",
        "Written by `python benchmarks/frozen_recipes.py --backbones`, which says what is measured and how.",
        "",
        "| method | candidate | map, 16 bits | map, 48 bits | map@h2, 16 bits | map@h2, 48 bits | mean |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method in options.methods:
        lines += rows_of(method, options.out)
    if options.backbones:
        lines += ["", "Uncoded features, ranked by cosine:", "", "| input | map |", "| --- | --- |"]
        for settings in BACKBONES:
            (metrics,) = measure("uncoded", settings, None, options.out)
            name = f"{settings['backbone.size']} px, {settings['backbone.interpolation']}"
            lines.append(f"| {name} | {metrics['map']:.4f} |")
            print(lines[-1], flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
