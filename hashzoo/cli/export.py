"""`hashzoo export` and `hashzoo encode`: codes out, into an index."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("export")
@click.argument("cell", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def export_command(cell: Path, folder: Path, as_json: bool) -> None:
    """Write the codes of one CELL as packed uint8 .npy files with ids, as FAISS's binary indexes take them.

    \b
    Example:
      hashzoo export runs/digits-1k_dch_.../bits-032/seed-0 codes
    """
    from hashzoo.runner.export import export_codes

    paths = [str(path) for path in export_codes(cell, folder)]
    click.echo(json.dumps(paths, indent=2) if as_json else "\n".join(paths))


@click.command("encode")
@click.argument("cell", type=click.Path(path_type=Path))
@click.argument("inputs", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--modality", help="Which input of a cross-modal model.  [default: the only one]")
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def encode_command(cell: Path, inputs: Path, output: Path, modality: str | None, device: str, as_json: bool) -> None:
    """Encode INPUTS (an image, a folder of images, or an .npy of vectors) with the model of CELL into OUTPUT (.npz).

    \b
    Example:
      hashzoo encode runs/.../bits-048/seed-0 photos photos-codes.npz
    """
    from hashzoo.runner.export import write_encoded
    from hashzoo.runner.progress import terminal_reporter

    with terminal_reporter(quiet=True):
        count = write_encoded(cell, inputs, output, modality=modality, device=device)
    message = f"Wrote {count} codes to {output}."
    click.echo(json.dumps({"codes": count, "output": str(output)}) if as_json else message)
