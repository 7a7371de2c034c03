"""Every test, of the core and of every plugin: folders of its own, one thread, and no network."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch or numpy; child processes inherit it


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a test data, cache and working folders of its own."""
    monkeypatch.setenv("HASHZOO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HASHZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    """Say nothing of a plugin whose import takes long here: a busy machine would add a line to what tests read."""
    from hashzoo.plugins import loading

    loading.WAITING = 600.0


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Fail whatever opens a connection that leaves this machine, also where the code under test would catch it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        yield


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        # a datagram socket that is connected sends nothing: that is how a program finds its own address
        if self.type == socket.SOCK_STREAM and self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0]).partition("%")[0]
            if host != "localhost" and not _is_here(host):
                pytest.fail(f"A test opens a connection to {address}; tests use no network (CONTRIBUTING.md).")
        return connect(self, address)

    return guarded


def _is_here(host: str) -> bool:
    """Whether a host is this machine, under a loopback address or one of its own."""
    try:
        if ip_address(host).is_loopback:
            return True
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))  # only an address of this machine can be bound
    except (ValueError, OSError):
        return False
    return True
