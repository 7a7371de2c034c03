"""What the plugin states: options in the README."""

from __future__ import annotations

from pathlib import Path

import hashzoo_cca

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_it_is_a_floor() -> None:
    (method,) = hashzoo_cca.hashzoo_register_methods()
    assert method.floor
    assert method.supervision == "unsupervised"
