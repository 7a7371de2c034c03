"""Seeds derived from names, so that any part of a run can be drawn again without replaying what came before."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(seed: int, *parts: int | str) -> int:
    """Return a 63-bit seed that depends on the run's seed and the named part alone (sha256).

    >>> derive_seed(0, "order", 1) == derive_seed(0, "order", 1)
    True
    >>> derive_seed(0, "order", 1) == derive_seed(0, "order", 2)
    False
    """
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_all(seed: int, *parts: int | str) -> None:
    """Seed Python, numpy and torch (all devices) for the named part of a run."""
    value = derive_seed(seed, *parts)
    random.seed(value)
    np.random.seed(value % 2**32)  # plugins may draw from numpy's global generator
    torch.manual_seed(value)


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Leave the random state of Python, numpy and torch as it was before the block."""
    pythons, numpys = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call] # torch states no types here
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(pythons)
            np.random.set_state(numpys)
