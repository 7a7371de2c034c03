"""What the plugin states: options in the README."""

from __future__ import annotations

import inspect
from pathlib import Path

import hashzoo_dchmt
import pytest
from hashzoo_dchmt.hash_layers import BitChoice
from hashzoo_dchmt.losses import DCHMTLoss

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("build", [BitChoice, DCHMTLoss])
def test_readme_and_docstring_name_every_option(build: type) -> None:
    for option, parameter in inspect.signature(build).parameters.items():
        if option not in ("problem", "feature_dim"):
            assert f"| `{option}` | `{parameter.default}` |" in README
            assert f"        {option}: " in str(build.__doc__)


def test_published_values() -> None:
    (table,) = hashzoo_dchmt.hashzoo_register_paper_tables()
    assert table.id == "dchmt-2022-table1"
    found = {(row.dataset, row.task, row.bits): row.value for row in table.rows}
    assert len(found) == 18
    assert found["MS-COCO", "text-to-image", 32] == 0.6832
