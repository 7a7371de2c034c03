"""The counting kernel in torch, for GPUs: exact integers on any device, equal to the others to the last count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hashzoo.errors import UsageError
from hashzoo.evaluation.counting.words import Ints, Words

_PAIRS = 1 << 26
"""Query-item pairs held on the device at a time (on a CPU a 32nd of it)."""


def adder_for(device: str | torch.device | None = None) -> Callable[..., None]:
    """Return the function that adds one block's counts on `device`, by default the first GPU if there is one."""
    named = device or ("cuda" if torch.cuda.is_available() else "cpu")
    one = np.ones((1, 1), dtype=np.uint64)
    try:
        place = torch.device(named)
        add_block(one, one, one, one, np.zeros((1, 65), np.int64), np.zeros((1, 65), np.int64), device=place)
    except Exception as error:  # a device that torch does not know, has not here, or that lacks an operation
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UsageError(
            f"Nothing can be counted on the device {named!r} here ({reason}); use another kernel."
        ) from error

    def adder(codes: Words, labels: Words, part: Words, part_labels: Words, n: Ints, r: Ints) -> None:
        add_block(codes, labels, part, part_labels, n, r, device=place)

    return adder


def add_block(
    codes: Words, labels: Words, part: Words, part_labels: Words, n: Ints, r: Ints, *, device: torch.device
) -> None:
    """Add the counts of one database block, (W, B) codes and (L, B) labels, to n and r.

    Distances are (64 W - <a, b>) / 2 of -1/+1 vectors and shared labels <a, b> of 0/1 vectors, both by matrix
    products of small integers, which the number type holds exactly; of labels only zero or not matters.
    """
    width = n.shape[1]
    kind = number_type(device, codes.shape[0])
    theirs = _bits(part, device).to(kind).mul_(2).sub_(1)
    their_labels = _bits(part_labels, device).to(kind)
    queries, items = codes.shape[1], part.shape[1]
    step = max(1, (_PAIRS if device.type == "cuda" else _PAIRS >> 5) // items)
    for first in range(0, queries, step):
        rows = slice(first, min(first + step, queries))
        ours = _bits(codes[:, rows], device).to(kind).mul_(2).sub_(1)
        similarity = ours @ theirs.T
        apart = (similarity.neg_().add_(64 * codes.shape[0])).to(torch.int64).div_(2, rounding_mode="floor")
        shared = (_bits(labels[:, rows], device).to(kind) @ their_labels.T) > 0
        keys = apart.mul_(2).add_(shared)
        keys.add_(torch.arange(len(ours), device=device).mul_(2 * width)[:, None])
        counted = torch.bincount(keys.ravel(), minlength=len(ours) * 2 * width)
        table = counted.reshape(len(ours), width, 2).cpu().numpy()
        n[rows] += table.sum(axis=2)
        r[rows] += table[:, :, 1]


def number_type(device: torch.device, words: int) -> torch.dtype:
    """Return float16 on GPUs up to 1,024 bits, where all sums stay within 2,048 and so are exact; else float32."""
    return torch.float16 if device.type == "cuda" and words <= 16 else torch.float32


def _bits(words: Words, device: torch.device) -> torch.Tensor:
    """Return words (W, n) as 0/1 bits (n, 64 W) on the device."""
    rows: NDArray[Any] = np.ascontiguousarray(words.T).astype("<u8", copy=False).view(np.uint8)
    packed = torch.from_numpy(rows).to(device)
    shifts = torch.arange(8, dtype=torch.uint8, device=device)
    return (packed[:, :, None] >> shifts).bitwise_and_(1).reshape(len(rows), -1)
