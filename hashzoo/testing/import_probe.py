"""Run in a process of its own: import one plugin, then its builders, and print as JSON what that changed.

Then its methods are built and trained for an epoch; what came of it is written to a folder, one file for each.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


def main(distribution: str, point: str, folder: str) -> dict[str, Any]:
    """Return what importing the plugin, and then its builders, did that it should not, and how its methods fared."""
    problems: list[str] = []
    _forbid_network(problems)
    from hashzoo.plugins import find_sources, load_plugin
    from hashzoo.plugins.heavy import HEAVY

    source = next(s for s in find_sources() if (s.distribution, s.name) == (distribution, point))
    before = _state()
    plugin = load_plugin(source)
    problems += [f"is broken: {trouble.error}" for trouble in plugin.troubles]
    problems += [note for note in plugin.notes if note.startswith("printed") or "Warning" in note]
    problems += [f"imports {name} when it is only listed" for name in HEAVY if name in sys.modules]
    problems += _changes(before, "at listing")

    import numpy
    import torch

    watched: dict[str, Callable[[], Any]] = {
        "draws from numpy's generator": lambda: numpy.random.get_state()[1].tobytes(),  # type: ignore[index] # the legacy state is a tuple
        "draws from torch's generator": lambda: torch.get_rng_state().numpy().tobytes(),
        "changes torch's default dtype": torch.get_default_dtype,
        "changes torch's number of threads": torch.get_num_threads,
        "switches gradients off": torch.is_grad_enabled,
        "changes torch's deterministic mode": torch.are_deterministic_algorithms_enabled,
    }
    before, torch_before = _state(), {name: read() for name, read in watched.items()}
    for items in plugin.items.values():
        for item in items:
            build = getattr(item, "build", getattr(item, "load", None))
            if isinstance(build, str):
                _import(build, problems)
    problems += _changes(before, "when its builders are imported")
    problems += [
        f"{name} when its builders are imported" for name, old in torch_before.items() if watched[name]() != old
    ]
    states, failures = _methods([item.name for item in plugin.items.get("methods", ())], folder)  # type: ignore[union-attr] # methods have names
    return {"problems": list(dict.fromkeys(problems)), "states": states, "failures": failures}


def _methods(names: list[str], folder: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return {method: file of its fingerprint} and {method: what went wrong}."""
    from hashzoo.testing.fingerprint import SEED, fingerprint
    from hashzoo.testing.kit import said, steady
    from hashzoo.testing.toy import subject_of
    from hashzoo.training.checkpoints import save_tensors

    states: dict[str, str] = {}
    failures: dict[str, str] = {}
    for number, name in enumerate(names):
        path = Path(folder) / f"{number}.safetensors"
        try:
            with steady():
                save_tensors(path, fingerprint(subject_of(name), SEED), {})
            states[name] = str(path)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever a plugin raises is told
            failures[name] = said(error)
    return states, failures


def _import(build: str, problems: list[str]) -> None:
    from hashzoo.errors import HashzooError
    from hashzoo.plugins.options import resolve

    try:
        resolve(build, "A component")
    except HashzooError as error:
        problems.append(f"fails: {error}")


def _state() -> dict[str, Any]:
    return {
        "draws from Python's generator": random.getstate(),
        "changes the environment": dict(os.environ),
        "changes the working folder": os.getcwd(),  # noqa: PTH109 -- the string itself is compared
        "adds a thread": __import__("threading").active_count(),
    }


def _changes(before: dict[str, Any], when: str) -> list[str]:
    return [f"{name} {when}" for name, value in _state().items() if value != before[name]]


def _forbid_network(problems: list[str]) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        problems.append("uses the network")
        raise OSError("no network while a plugin is imported")

    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, refuse)
    socket.getaddrinfo = refuse


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 -- the parent process reads it
