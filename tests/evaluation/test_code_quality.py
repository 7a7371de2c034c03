"""Statistics of codes against plain definitions; collapsed models are named."""

from __future__ import annotations

from collections import Counter
from math import log2

import numpy as np
import pytest

from hashzoo.errors import UsageError
from hashzoo.evaluation.code_quality import code_quality, collapse_warning
from hashzoo.evaluation.codes import Codes


def of(signs) -> dict:
    return code_quality(Codes.from_signs(signs, np.zeros(len(signs), dtype=int)))


def test_against_plain_definitions():
    rng = np.random.default_rng(0)
    signs = np.where(rng.random((500, 7)) < [0.5, 0.1, 0.9, 0.5, 0.3, 0.5, 1.0], 1, -1)
    signs[:, 3] = signs[:, 0]
    stats = of(signs)
    assert stats["constant_bits"] == 1
    assert stats["balance"] == pytest.approx((signs > 0).mean(axis=0).tolist())
    correlation = np.corrcoef(signs[:, :6].T)
    assert stats["bit_correlation"] == pytest.approx(np.abs(correlation[np.triu_indices(6, 1)]).mean())
    sizes = Counter(map(tuple, signs.tolist()))
    assert stats["distinct_codes"] == len(sizes)
    assert stats["largest_collision"] == max(sizes.values())
    assert stats["entropy"] == pytest.approx(-sum(c / 500 * log2(c / 500) for c in sizes.values()))
    assert collapse_warning(stats) is None


def test_collapsed_models_are_named():
    rng = np.random.default_rng(1)
    same = np.ones((50, 8), dtype=int)
    assert "all 50 items have the same code" in collapse_warning(of(same))
    most = same.copy()
    most[:20] = rng.choice([-1, 1], (20, 8))
    assert "% of 50 items share one code" in collapse_warning(of(most))
    half = rng.choice([-1, 1], (50, 16))
    half[:, :8] = 1
    assert "8 of 16 bits are the same" in collapse_warning(of(half))
    assert collapse_warning(of(half[:, 1:])) is None  # 7 of 15
    assert collapse_warning(of(same[:1])) is None


def test_one_bit_and_no_items():
    assert of([[1], [-1]])["bit_correlation"] == 0.0
    with pytest.raises(UsageError, match="empty"):
        of(np.zeros((0, 4)))


@pytest.mark.parametrize("bits", [3, 8, 64, 65, 130])
def test_collisions_of_codes_of_any_length(bits):
    """Codes of one word are sorted as numbers, longer ones as bytes."""
    rng = np.random.default_rng(bits)
    signs = rng.choice([-1, 1], (40, bits))[rng.integers(0, 40, 300)]
    sizes = Counter(map(tuple, signs.tolist()))
    stats = of(signs)
    assert (stats["distinct_codes"], stats["largest_collision"]) == (len(sizes), max(sizes.values()))
    assert stats["entropy"] == pytest.approx(-sum(c / 300 * log2(c / 300) for c in sizes.values()))
