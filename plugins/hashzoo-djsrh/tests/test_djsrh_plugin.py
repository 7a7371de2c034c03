"""What the plugin states: options in the README, published values, claims."""

from __future__ import annotations

from pathlib import Path

import hashzoo_djsrh

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_published_values() -> None:
    (table,) = hashzoo_djsrh.hashzoo_register_paper_tables()
    assert table.id == "djsrh-2019-table2"
    assert table.metric == "map@50"
    found = {(row.dataset, row.task, row.bits): row.value for row in table.rows if row.method == "djsrh"}
    assert len(found) == 24
    assert found["Wiki", "text-to-image", 16] == 0.611
    assert found["NUS-WIDE-10", "image-to-text", 128] == 0.817


def test_claims_hold_in_the_papers_own_table() -> None:
    (table,) = hashzoo_djsrh.hashzoo_register_paper_tables()
    values = {(row.method, row.dataset, row.task, row.bits): row.value for row in table.rows}
    for claim in hashzoo_djsrh.hashzoo_register_claims():
        task = claim.metric.split("/")[0]
        for bits in claim.bits:
            for dataset in ("MIRFLICKR-25K", "NUS-WIDE-10"):
                assert values[claim.better, dataset, task, bits] > values[claim.worse, dataset, task, bits]
