"""What the pages say in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hashzoo.evaluation.code_quality import code_quality, collapse_warning
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.uncertainty import Standing
from hashzoo.site.wording import behind, board_notes


def row(name: str, *records: tuple[int, list[str]]) -> Any:
    made = [SimpleNamespace(bits=bits, notes=notes) for bits, notes in records]
    return SimpleNamespace(name=name, label=f"{name} (tuned)", floor=False, records=made)


def test_a_board_names_the_rows_whose_codes_collapsed() -> None:
    whole = Codes.from_signs([[1] * 16] * 8, [0] * 8)
    warning = collapse_warning(code_quality(whole))
    assert warning is not None
    rows = [
        row("dch", (16, []), (32, ["Curves kept in the run directory only."])),
        row("dhn", (16, [warning]), (32, [])),
    ]
    view = SimpleNamespace(rows=rows, figures={}, of=lambda _: {})
    (note,) = board_notes([view, view])
    assert note.startswith("‡ ")
    assert note.endswith("of shorter codes, and none is marked as tied: dhn (tuned) at 16 bits.")
    assert board_notes([SimpleNamespace(rows=[row("dch", (16, []))], figures={}, of=lambda _: {})]) == []


def test_how_far_a_row_is_behind_is_said_in_short() -> None:
    def at(difference: float, low: float, high: float) -> str:
        return behind(Standing("dch", 0.6, difference, low, high, 0.5, tied=True))

    assert at(0.0126, -0.0097, 0.035) == ".0126 -.0350 .0097"
    assert at(12.5, 3.0, 30.25) == "12.50 -30.25 -3.0000"
    assert at(0, 0, 0) == "best mean"
