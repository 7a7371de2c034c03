"""Class centres: codes that stand for classes, far apart in K bits (CSQ, DPN and OrthoHash use them).

Letters: N items, K bits, C classes. Draws are made on the CPU, from the given generator or else from torch's global
one, so that a seeded run has the same centres in every process and on every device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch

from hashzoo.errors import UsageError, unknown_name

REDRAWS = 20
"""How often "balanced" draws anew (DeepHash-pytorch)."""
CANDIDATES = 10_000
"""Random codes that "distant" tries at each distance (released code of DPN)."""
FIRST_DISTANCE, LAST_DISTANCE, DISTANCE_STEP = 61, 20, 1
"""Distances that "distant" asks for, in hundredths of K (released code of DPN)."""


def hadamard(size: int) -> torch.Tensor:
    """Return a Hadamard matrix H (K, K) of -1 and +1, H H' = K I: any two rows differ in K/2 places.

    Sylvester's where K is a power of two, entry (-1)^popcount(i and j) as CSQ (CVPR 2020) uses it; else Paley's of the
    first kind (K - 1 prime, 3 mod 4) or the second (K/2 - 1 prime, 1 mod 4), or twice a smaller one. All multiples of
    4 up to 128 but 52, 92, 100, 116 are reached with these. Raises UsageError for other sizes.

    >>> hadamard(4).tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]
    """
    with torch.device("cpu"):
        found = _hadamard(size)
    if found is None:
        raise UsageError(
            f"No Hadamard matrix of {size} bits can be built here; use a power of two (16, 32, 64), 12, 24, 36 or 48 "
            "bits, or random centres."
        )
    return found


def class_centers(
    classes: int, bits: int, kind: str = "hadamard", generator: torch.Generator | None = None
) -> torch.Tensor:
    """Return one code per class (C, K), of -1 and +1.

    `hadamard`: the first C rows of (H; -H), distances K/2 or more, for up to 2 K classes (CSQ, CVPR 2020). With few
    classes these rows repeat columns: 10 classes in 64 bits give 16 different columns, one of them constant.
    `hadamard-random`: C random rows of H without its constant first row (of H and -H from K classes on).
    `balanced`: random rows with K/2 ones each, drawn anew up to 20 times until the smallest distance is above K/4 and
    the mean at least K/2; the draw with the largest smallest distance stays (CSQ without a Hadamard matrix).
    `bernoulli`: independent fair bits (the released code of DPN and OrthoHash).
    `distant`: random codes kept one after the other if far enough from those before, from 0.61 K on, 0.01 K less after
    every 10,000 candidates, down to 0.2 K; then shuffled (the released code of DPN, its option "O").
    """
    if kind not in _KINDS:
        raise unknown_name("kind of centres", kind, CENTERS)
    with torch.device("cpu"):
        return _KINDS[kind](classes, bits, generator)


def center_distances(centers: torch.Tensor) -> tuple[float, float]:
    """Return the smallest and the mean Hamming distance between two of the centres (C, K); (K, K) for a single one."""
    bits = centers.shape[1]
    distances = 0.5 * (bits - centers.double() @ centers.double().T)
    pairs = distances[torch.triu_indices(len(centers), len(centers), 1).unbind()]
    return (float(pairs.min()), float(pairs.mean())) if len(pairs) else (float(bits), float(bits))


def majority_targets(labels: torch.Tensor, centers: torch.Tensor, filler: torch.Tensor) -> torch.Tensor:
    """Return the target code of each item (N, K): per bit the majority of its classes' centres (C, K).

    A tie, which only an even number of labels has, takes the bit of `filler` (K,); so does an item without labels.
    """
    total = labels.to(centers.dtype) @ centers
    return torch.where(total == 0, filler, torch.sign(total))


def _first_rows(classes: int, bits: int, generator: torch.Generator | None) -> torch.Tensor:
    matrix = hadamard(bits)
    if classes > 2 * bits:
        raise _too_many(classes, bits, 2 * bits)
    return torch.cat([matrix, -matrix])[:classes]


def _random_rows(classes: int, bits: int, generator: torch.Generator | None) -> torch.Tensor:
    matrix = hadamard(bits)
    rows = matrix[1:] if classes < bits else torch.cat([matrix[1:], -matrix[1:]])
    if classes > len(rows):
        raise _too_many(classes, bits, len(rows))
    return rows[torch.randperm(len(rows), generator=generator)[:classes]]


def _too_many(classes: int, bits: int, rows: int) -> UsageError:
    return UsageError(
        f"A Hadamard matrix of {bits} bits has centres for {rows} classes and the data have {classes}; use more bits "
        "or random centres."
    )


def _hadamard(size: int) -> torch.Tensor | None:
    if size > 0 and size & (size - 1) == 0:
        found = torch.ones(1, 1)
        while len(found) < size:
            found = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), found)
        return found
    if size < 1 or size % 4:
        return None
    if _is_prime(size - 1):  # 3 mod 4, since size is a multiple of 4
        return torch.eye(size) + _conference(size - 1, -1.0)
    if size % 8 == 4 and _is_prime(size // 2 - 1):
        symmetric, one = _conference(size // 2 - 1, 1.0), torch.eye(size // 2)
        return torch.cat(
            [torch.cat([symmetric + one, symmetric - one], 1), torch.cat([symmetric - one, -symmetric - one], 1)]
        )
    half = _hadamard(size // 2)
    return None if half is None else torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), half)


def _conference(prime: int, corner: float) -> torch.Tensor:
    """Return Paley's conference matrix (q + 1, q + 1) of a prime q: 0 on the diagonal, chi(i - j) below the border."""
    squares = {i * i % prime for i in range(1, prime)}
    chi = torch.tensor([0.0] + [1.0 if i in squares else -1.0 for i in range(1, prime)])
    places = torch.arange(prime)
    found = torch.ones(prime + 1, prime + 1)
    found[0, 0] = 0.0
    found[1:, 0] = corner
    found[1:, 1:] = chi[(places[:, None] - places[None, :]) % prime]
    return found


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


def _fair(count: int, bits: int, generator: torch.Generator | None) -> torch.Tensor:
    return 2.0 * torch.randint(0, 2, (count, bits), generator=generator).float() - 1.0


def _balanced(classes: int, bits: int, generator: torch.Generator | None) -> torch.Tensor:
    best, best_distance = torch.empty(0), -1.0
    for _ in range(REDRAWS):
        order = torch.rand(classes, bits, generator=generator).argsort(dim=1)
        found = torch.where(order < bits // 2, 1.0, -1.0)
        smallest, mean = center_distances(found)
        if smallest > bits / 4 and mean >= bits / 2:
            return found
        if smallest > best_distance:
            best, best_distance = found, smallest
    return best


def _distant(classes: int, bits: int, generator: torch.Generator | None) -> torch.Tensor:
    found = _fair(1, bits, generator)
    for hundredths in range(FIRST_DISTANCE, LAST_DISTANCE - 1, -DISTANCE_STEP):
        candidates = _fair(CANDIDATES, bits, generator)
        nearest = (0.5 * (bits - candidates @ found.T)).amin(dim=1)
        while len(found) < classes and bool((far := nearest >= hundredths * bits / 100).any()):
            chosen = candidates[far.int().argmax()][None]
            found = torch.cat([found, chosen])
            nearest = torch.minimum(nearest, 0.5 * (bits - candidates @ chosen.T).squeeze(1))
        if len(found) >= classes:
            return found[torch.randperm(classes, generator=generator)]
    raise UsageError(
        f"{classes} centres of {bits} bits that differ in {LAST_DISTANCE} % of their bits were not found (there were "
        f"{len(found)}); use more bits or centers=bernoulli."
    )


_KINDS: Mapping[str, Callable[[int, int, torch.Generator | None], torch.Tensor]] = {
    "hadamard": _first_rows,
    "hadamard-random": _random_rows,
    "balanced": _balanced,
    "bernoulli": _fair,
    "distant": _distant,
}
CENTERS = tuple(_KINDS)
"""What `class_centers` accepts."""
