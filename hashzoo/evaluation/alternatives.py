"""Forms of average precision that other tools compute; each needs rankings without ties (every bucket one item)."""

from __future__ import annotations

import numpy as np

from hashzoo.evaluation.buckets import Buckets, Floats


def first_relevant(buckets: Buckets, cut: int | None) -> Floats:
    """Return the mean of precision at the first min(cut, relevant) relevant items, wherever they stand, (Q,)."""
    place = np.arange(buckets.r.shape[1])[None, :]
    limit = buckets.relevant if cut is None else np.minimum(buckets.relevant, cut)
    used = place < limit[:, None]
    precision = np.where(used, (buckets.relevant_before + 1) / (buckets.before + 1), 0.0)
    result: Floats = precision.sum(axis=1) / np.maximum(limit, 1)
    return result


def eleven_point(buckets: Buckets) -> Floats:
    """Return precision at the ranks whose recall is nearest to 0, 0.1, ..., 1, averaged, (Q,)."""
    result = np.zeros(len(buckets.r))
    for row, relevant in enumerate(buckets.relevant.tolist()):
        if relevant == 0:
            continue
        places = buckets.before[row, :relevant] + 1
        found = np.arange(1, relevant + 1)
        if places[0] != 1:  # rank 1 finds nothing
            places, found = np.append(1, places), np.append(0, found)
        recall = found / relevant
        nearest = [int(np.abs(recall - level).argmin()) for level in np.arange(11) / 10]
        result[row] = float(np.mean(found[nearest] / places[nearest]))
    return result
