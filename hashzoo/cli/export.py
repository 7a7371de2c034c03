"""`hashzoo export` and `hashzoo encode`: codes out, into an index."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export")
@click.argument("cell", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
def export_command(cell: Path, folder: Path) -> None:
    """Write the codes of one CELL as packed uint8 .npy files with ids, as FAISS's binary indexes take them.

    \b
    Example:
      hashzoo export runs/digits-1k_dch_.../bits-032/seed-0 codes
    """
    from hashzoo.runner.export import export_codes

    for path in export_codes(cell, folder):
        click.echo(path)


@click.command("encode")
@click.argument("cell", type=click.Path(path_type=Path))
@click.argument("inputs", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--modality", help="Which input of a cross-modal model.  [default: the only one]")
@click.option("--device", default="auto", show_default=True)
def encode_command(cell: Path, inputs: Path, output: Path, modality: str | None, device: str) -> None:
    """Encode INPUTS (an image, a folder of images, or an .npy of vectors) with the model of CELL into OUTPUT (.npz).

    \b
    Example:
      hashzoo encode runs/.../bits-048/seed-0 photos photos-codes.npz
    """
    from hashzoo.runner.export import write_encoded

    count = write_encoded(cell, inputs, output, modality=modality, device=device)
    click.echo(f"Wrote {count} codes to {output}.")
