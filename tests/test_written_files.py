"""Files that several write at once, and what is left where writing fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hashzoo.errors import WorkError
from hashzoo.files import read_json, write_json, write_text


def test_those_who_write_the_same_file_at_once_do_not_meet(tmp_path: Path) -> None:
    """One process writes the description of a run as another on a machine of the same process number may."""
    path = tmp_path / "config.json"

    def write(number: int) -> None:
        for _ in range(50):
            write_json(path, [number] * 1000)
            assert len(set(read_json(path))) == 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.json"]


def test_a_file_that_cannot_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "before")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a", "\ud800")
    (tmp_path / "b").mkdir()
    with pytest.raises(WorkError, match="Could not write"):
        write_text(tmp_path / "b", "text")
    assert (tmp_path / "a").read_text() == "before"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "b"]
