"""What the root conftest.py promises every test."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hashzoo.data.roots import data_root


def test_a_connection_that_leaves_the_machine_fails_the_test() -> None:
    with socket.socket() as one, pytest.raises(pytest.fail.Exception, match="no network"):
        one.connect(("192.0.2.1", 80))  # an address that is kept for documentation


def test_connections_within_the_machine_are_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_folders_and_threads_are_the_tests_own(tmp_path: Path) -> None:
    assert data_root() == tmp_path / "data"
    assert Path.cwd() == tmp_path
    assert os.environ["OMP_NUM_THREADS"]
