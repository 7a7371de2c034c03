"""Rankings with ties: what every ranking metric is computed from, and harmonic sums to full precision."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Buckets:
    """Rankings of Q queries as groups of equally ranked items, best first.

    before, n, r: (Q, B) items ranked before the group, items in it, relevant items in it. Groups without relevant
    items may be left out, since `before` holds their place. Unused places at the end of a row have n = r = 0 and
    before = total. total: (Q,) items in the whole list. sums: `metrics.precision_sums` by tie order, once computed.
    """

    before: Ints
    n: Ints
    r: Ints
    total: Ints
    sums: dict[str, Floats] = field(default_factory=dict, repr=False)

    @cached_property
    def relevant_before(self) -> Ints:
        """Relevant items ranked before each group, (Q, B)."""
        result: Ints = np.cumsum(self.r, axis=1) - self.r
        return result

    @cached_property
    def relevant(self) -> Ints:
        """Relevant items of each query, (Q,)."""
        result: Ints = self.r.sum(axis=1)
        return result


_SMALL = 512
_TABLE = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, _SMALL + 1, dtype=np.longdouble))]).astype(np.float64)


def harmonic_difference(start: NDArray[Any], count: NDArray[Any]) -> Floats:
    """Return 1/(start+1) + ... + 1/(start+count) elementwise, to nearly full relative precision.

    Above 512 it is the difference of two Euler-Maclaurin expansions of the harmonic numbers, written so that
    nothing cancels; below, a table.

    >>> float(harmonic_difference(np.array(0), np.array(3)))  # 1 + 1/2 + 1/3
    1.8333333333333333
    """
    start = np.asarray(start, dtype=np.int64)
    stop = start + np.asarray(count, dtype=np.int64)
    low = _TABLE[np.minimum(stop, _SMALL)] - _TABLE[np.minimum(start, _SMALL)]
    a = np.maximum(start, _SMALL).astype(np.float64)
    b = np.maximum(stop, _SMALL).astype(np.float64)
    gap = b - a
    inverse_a, inverse_b = 1.0 / a, 1.0 / b
    shrink = gap * inverse_a * inverse_b  # 1/a - 1/b
    power = inverse_a + inverse_b  # (1/a^2 - 1/b^2) = shrink * power
    squares = inverse_a * inverse_a + inverse_b * inverse_b
    high = np.log1p(gap * inverse_a) - shrink * (0.5 - power / 12.0 * (1.0 - squares / 10.0))
    result: Floats = low + high
    return result
