"""What records say of the versions that made them."""

from __future__ import annotations

import hashzoo
from hashzoo.runner import environment


def test_the_version_of_hashzoo_is_that_of_the_code_that_runs(monkeypatch) -> None:
    """An editable install keeps the metadata of the version that was installed first."""
    monkeypatch.setattr(environment, "_version", lambda name: "0.0.0")
    found = environment.versions(("hashzoo-dch",))
    assert found["hashzoo"] == hashzoo.__version__
    assert found["torch"] == found["hashzoo-dch"] == "0.0.0"
