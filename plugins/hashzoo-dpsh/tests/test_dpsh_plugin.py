"""The specs of this plugin: what they say and what the README says of them."""

from __future__ import annotations

from pathlib import Path

import hashzoo_dpsh

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_published_values() -> None:
    (table,) = hashzoo_dpsh.hashzoo_register_paper_tables()
    cells = {(row.backbone, row.bits): row.value for row in table.rows}
    assert table.metric == "map"
    assert cells["CNN-F", 12] == 0.713
    assert cells["VGG-11", 48] == 0.8108
    assert {row.protocol for row in table.rows} == {"cifar10-5k"}
