"""Imported only when the command is used."""

from pathlib import Path

import click
import numpy as np


@click.command("bits-used")
@click.argument("codes", type=click.Path(path_type=Path, exists=True))
def command(codes):
    """Count the bits that are not the same for all items of CODES, a .npy of packed codes (n, K / 8)."""
    bits = np.unpackbits(np.load(codes), axis=1)
    used = int((bits.min(axis=0) != bits.max(axis=0)).sum())
    click.echo(f"{used} of {bits.shape[1]} bits take both values.")
