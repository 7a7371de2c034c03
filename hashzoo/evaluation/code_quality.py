"""Statistics of the codes themselves, and a sentence when a model has collapsed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import UsageError
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.words import code_words

_ITEMS = 1 << 16
"""Items unpacked at a time."""


def code_quality(codes: Codes) -> dict[str, Any]:
    """Return statistics of n codes of K bits.

    constant_bits: bits equal in all items. balance: per bit, the share of +1, (K,). bit_correlation: mean
    absolute Pearson correlation over the pairs of bits that vary (0 with fewer than two). distinct_codes:
    different codes. largest_collision: items that share the commonest code. entropy: of the distribution of
    codes, in bits, at most min(K, log2 n). items, bits: n and K.

    >>> stats = code_quality(Codes.from_signs([[1, 1], [1, -1], [1, 1], [1, -1]], [0, 0, 1, 1]))
    >>> stats["constant_bits"], stats["distinct_codes"], stats["entropy"]
    (1, 2, 1.0)
    """
    if len(codes) == 0:
        raise UsageError("The set of codes is empty; it has no statistics.")
    ones, together = _bit_sums(codes)
    n = len(codes)
    varies = (ones > 0) & (ones < n)
    sizes = _collisions(codes)
    share = sizes / n
    return {
        "items": n,
        "bits": codes.bits,
        "constant_bits": int((~varies).sum()),
        "balance": (ones / n).tolist(),
        "bit_correlation": _mean_correlation(ones[varies], together[np.ix_(varies, varies)], n),
        "distinct_codes": len(sizes),
        "largest_collision": int(sizes.max()),
        "entropy": float(max(0.0, -(share * np.log2(share)).sum())),
    }


def collapse_warning(stats: dict[str, Any]) -> str | None:
    """Return a sentence when codes carry next to no information, None otherwise.

    Named are: one code for everything, most items on one code, and half of the bits or more that never
    change.
    """
    items, bits = stats["items"], stats["bits"]
    if items < 2:
        return None
    if stats["distinct_codes"] == 1:
        return f"Collapsed: all {items} items have the same code, so no ranking is better than chance."
    if stats["largest_collision"] > items / 2:
        percent = 100 * stats["largest_collision"] / items
        return f"Collapsed: {percent:.0f} % of {items} items share one code."
    if 2 * stats["constant_bits"] >= bits:
        return f"Collapsed: {stats['constant_bits']} of {bits} bits are the same in every item."
    return None


def is_collapse(note: str) -> bool:
    """Whether a record's note is a warning of `collapse_warning`; in front may stand the direction measured.

    >>> is_collapse("image-to-text/Collapsed: 8 of 16 bits are the same in every item.")
    True
    """
    return note.rpartition("/")[2].startswith("Collapsed: ")


def _bit_sums(codes: Codes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many items have each bit set, (K,), and each pair of bits, (K, K)."""
    ones = np.zeros(codes.bits)
    together = np.zeros((codes.bits, codes.bits))
    for start in range(0, len(codes), _ITEMS):
        packed = codes.packed[start : start + _ITEMS]
        bits = np.unpackbits(packed, axis=1, count=codes.bits, bitorder="little").astype(np.float32)
        ones += bits.sum(axis=0, dtype=np.float64)
        together += bits.T @ bits  # at most 2^16 in a block, exact in float32
    return ones, together


def _mean_correlation(ones: NDArray[np.float64], together: NDArray[np.float64], n: int) -> float:
    k = len(ones)
    if k < 2:
        return 0.0
    mean = ones / n
    covariance = together / n - np.outer(mean, mean)
    spread = np.sqrt(mean * (1 - mean))
    correlation = covariance / np.outer(spread, spread)
    return float(np.abs(correlation[~np.eye(k, dtype=bool)]).mean())


def _collisions(codes: Codes) -> NDArray[np.int64]:
    """Return how many items each distinct code has, in ascending order, so that sums over them are always the same."""
    words = code_words(codes.packed)
    if len(words) == 1:
        keys = words[0]
        keys.sort()  # numbers sort many times faster than rows of bytes
        return np.sort(np.diff(np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))))
    rows = np.ascontiguousarray(codes.packed)
    void = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    return np.sort(np.unique(void, return_counts=True)[1].astype(np.int64))
