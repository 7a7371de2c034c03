"""What the plugin states: options in the README, published values, claims."""

from __future__ import annotations

from pathlib import Path

import hashzoo_ucch

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_published_values() -> None:
    tables = {table.id: table for table in hashzoo_ucch.hashzoo_register_paper_tables()}
    assert set(tables) == {"ucch-2023-table1", "ucch-2023-table2"}
    found = {
        (row.method, row.dataset, row.task, row.bits): row.value for table in tables.values() for row in table.rows
    }
    assert found["ucch", "MIRFLICKR-25K", "image-to-text", 128] == 0.760
    assert found["ucch", "NUS-WIDE-10", "text-to-image", 16] == 0.701
    assert found["djsrh", "IAPR TC-12", "image-to-text", 64] == 0.470
    assert not any(method == "dch" for method, *_ in found)  # theirs is another DCH than ours


def test_claims_hold_in_the_papers_own_tables() -> None:
    table, _ = hashzoo_ucch.hashzoo_register_paper_tables()
    values = {(row.method, row.dataset, row.task, row.bits): row.value for row in table.rows}
    for claim in hashzoo_ucch.hashzoo_register_claims():
        task = claim.metric.split("/")[0]
        for bits in claim.bits:
            better, worse = (values[name, "MIRFLICKR-25K", task, bits] for name in (claim.better, claim.worse))
            assert better > worse
