"""What the plugin states: options in the README."""

from __future__ import annotations

from pathlib import Path

import hashzoo_dchmt

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_published_values() -> None:
    (table,) = hashzoo_dchmt.hashzoo_register_paper_tables()
    assert table.id == "dchmt-2022-table1"
    found = {(row.dataset, row.task, row.bits): row.value for row in table.rows}
    assert len(found) == 18
    assert found["MS-COCO", "text-to-image", 32] == 0.6832
