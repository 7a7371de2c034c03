"""Texts that can be no path are refused in a sentence, not by the system's own error."""

from __future__ import annotations

import pytest

from hashzoo.data.roots import expanded
from hashzoo.errors import UsageError


@pytest.mark.parametrize("text", ["a" * 5000, "~nouser\ud800", "~nouser/x", "a\0b", "", 2024])
def test_no_path(text):
    with pytest.raises(UsageError) as caught:
        expanded(text, "HASHZOO_CACHE")
    assert len(str(caught.value)) < 300
    assert "HASHZOO_CACHE" in str(caught.value)
