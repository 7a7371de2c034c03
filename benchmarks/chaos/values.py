"""Labels, codes, names and numbers as people write them; every figure against a plain loop."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.chaos.judge import Group

KINDS = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", ">i2", ">f4")
CLOSE = 1e-12


def values(cases: int, seed: int) -> Iterator[Group]:
    """Give evaluations of odd but right inputs, then odd texts where names and numbers are meant."""
    from hashzoo.evaluation.api import evaluate
    from hashzoo.evaluation.codes import Codes

    draw, group = np.random.default_rng(seed), Group("labels of every type, against a loop")
    for number in range(cases // 2):
        n, m, bits, classes = draw.integers(1, (6, 12, 20, 5), endpoint=True)
        a, b = draw.choice([-1, 1], (n, bits)), draw.choice([-1, 1], (m, bits))
        la, lb = draw.integers(0, classes, n), draw.integers(0, classes, m)
        kind = np.dtype(KINDS[number % len(KINDS)])
        wanted = mean_average_precision(a, b, la[:, None] == lb[None, :])
        multi = bool(number % 3 == 0)
        ga, gb = (np.eye(classes)[la], np.eye(classes)[lb]) if multi else (la, lb)

        def figure(ga: Any = ga, gb: Any = gb, a: Any = a, b: Any = b, kind: Any = kind, c: Any = classes) -> Any:
            query = Codes.from_signs(a, ga.astype(kind), num_classes=c)
            database = Codes.from_relaxed(b * 0.5, gb.astype(kind), num_classes=c)
            return evaluate(query, database, "map")["map"]

        group.attack(
            f"#{number} {kind} {n}x{m}x{bits}",
            figure,
            lambda v, w=wanted: abs(v - w) < CLOSE,
        )
    yield group
    yield _texts(cases - cases // 2, seed)


def mean_average_precision(a: np.ndarray, b: np.ndarray, relevant: np.ndarray) -> float:
    """Return mAP by its definition: for each item the expected precision at its place over all orders of ties."""
    found = []
    for code, row in zip(a, relevant, strict=True):
        if not row.any():
            found.append(0.0)  # the default convention: a query without relevant items counts
            continue
        distance, total = (code != b).sum(1), 0.0
        for d in set(distance):
            before, here = distance < d, distance == d
            n0, r0, n1, r1 = before.sum(), (before & row).sum(), here.sum(), (here & row).sum()
            for place in range(1, n1 + 1):
                others = (place - 1) * (r1 - 1) / (n1 - 1) if n1 > 1 else 0.0
                total += r1 / n1 * (r0 + 1 + others) / (n0 + place)
        found.append(total / row.sum())
    return float(np.mean(found))


def _texts(cases: int, seed: int) -> Group:
    from hashzoo.data.roots import below, cache_root, expanded, given_path
    from hashzoo.evaluation.names import parse
    from hashzoo.plugins import registry
    from hashzoo.runner.request import RunRequest, parse_assignments, parse_numbers

    draw, group, reg = random.Random(seed), Group("odd names, numbers and paths"), registry()
    odd = [
        "map@99999999999999999999", "map@0", "map@-1", "precision@h99999999999999999999", "pr_curve", "map@\u0661", "",
        "~nouser/x", "..", "/etc/passwd", "a\0b", "2024", "1e999", "0-99999999999", "5-1", "--", "1,,2", "\x1b[31m",
        "[" * 5000, "{a=" * 3000, "a" * 100_000, "=1", "a=", "=", "seed=9999999999999999999999", "x=[[[1]]]", "\ud800",
        "nan", "inf", "-0", "0x10", "1_000", " 16 ", "C:\\x", "a/../../b", "\u202e", "True", "loss=\n1\nlr=2",
    ]  # fmt: skip
    readers: dict[str, Any] = {
        "metric": parse, "numbers": lambda t: parse_numbers(t, "Bits"), "set": lambda t: parse_assignments((t,)),
        "below": lambda t: below(t, "a list"), "path": lambda t: given_path(t, cache_root()),
        "home": lambda t: expanded(t, "HASHZOO_CACHE"), "method": lambda t: reg.get("methods", t),
        "protocol": reg.protocol, "backbone": lambda t: reg.get("backbones", t),
        "request": lambda t: RunRequest(method="lsh", metrics=(t,), bits=t),
    }  # fmt: skip
    for number in range(cases):
        name = list(readers)[number % len(readers)]
        text = odd[number // len(readers)] if number < len(odd) * len(readers) else _mixed(draw, odd)
        group.attack(f"{name} {text[:30]!r}", lambda name=name, text=text: readers[name](text))
    return group


def _mixed(draw: random.Random, odd: list[str]) -> str:
    one, other = draw.choice(odd)[:200], draw.choice(odd)[:200]
    return one[: draw.randrange(len(one) + 1)] + draw.choice(("", "@", "=", "/", ",", "-")) + other
