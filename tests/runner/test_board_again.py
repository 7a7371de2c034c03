"""The committed board on the embedded digits can be made again: one cell of every method is, and is compared.

A row that its plugin's code no longer gives fails here, in the change that moved it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo.evaluation.code_quality import is_collapse
from hashzoo.results.record import read_record, write_record
from hashzoo.runner.progress import Quiet
from hashzoo.runner.verify import verify

BOARD = Path(__file__).parents[2] / "leaderboards" / "records" / "digits-1k"


def steady(row: Path) -> Path:
    """Return a row's cell of its fewest bits and the first seed that can be compared between processors.

    A training whose codes collapse is chaotic: the last digit in which one processor differs from another decides
    which bits end alike. Where every seed collapsed it is the first.
    """
    cells = sorted(cell for cell in row.glob("*.json") if cell.name.startswith(("bits-016", "bits-000")))
    return next((cell for cell in cells if not any(map(is_collapse, read_record(cell).notes))), cells[0])


CELLS = [steady(row) for row in sorted(BOARD.glob("*/*")) if row.is_dir()]
"""One bit length and one seed of every row; uncoded features have no bits."""


def test_every_row_of_the_board_has_a_cell_that_is_made_again() -> None:
    assert {cell.parent for cell in CELLS} == {record.parent for record in BOARD.glob("*/*/*.json")}
    assert len(CELLS) > 30


@pytest.mark.parametrize("cell", CELLS, ids=["-".join(cell.parts[-3:-1]) for cell in CELLS])
def test_a_cell_of_the_digits_board_is_made_again(cell: Path) -> None:
    verdict = verify(cell, train=True, device="cpu", reporter=Quiet())
    assert verdict.ok, verdict.text()


@pytest.mark.parametrize("method", ["itq", "sdh"])
def test_a_record_that_says_more_than_its_code_gives_is_found(method: str, tmp_path: Path) -> None:
    """The check above can fail: the same record with a higher figure, and its checksum made right again."""
    cell = BOARD / method / "pixels-frozen" / "bits-016-seed-0.json"
    record = read_record(cell)
    forged = record.model_copy(update={"metrics": {name: value + 0.1 for name, value in record.metrics.items()}})
    write_record(tmp_path / cell.name, forged)
    assert not verify(tmp_path / cell.name, train=True, device="cpu", reporter=Quiet()).ok
