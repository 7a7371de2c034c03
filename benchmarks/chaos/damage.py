"""Ways in which a file goes wrong: cut short, bits turned, pieces swapped, filled with something else."""

from __future__ import annotations

import random

ODD = (
    b"",
    b"\0",
    b"\xff" * 64,
    b"[" * 100_000,
    b"{" * 50_000,
    b"PK\x03\x04",
    b"%!PS-Adobe-3.0\n",
    b"null",
    b"\x80\x04.",
)


def damaged(whole: bytes, draw: random.Random) -> bytes:
    """Return the bytes of a file after one accident."""
    kind = draw.randrange(8)
    if kind == 0 or not whole:
        return whole[: draw.randrange(len(whole) + 1)]
    if kind in (1, 2, 3):
        changed = bytearray(whole)
        for _ in range(draw.choice((1, 1, 2, 8))):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        return bytes(changed)
    begin, end = sorted(draw.randrange(len(whole) + 1) for _ in range(2))
    if kind == 4:
        return whole[:begin] + whole[end:]
    if kind == 5:
        return whole[:begin] + bytes(draw.randrange(256) for _ in range(min(end - begin, 200))) + whole[end:]
    if kind == 6:
        return whole[:end] + whole[begin:]
    return draw.choice(ODD) + (whole if draw.random() < 0.5 else b"")
