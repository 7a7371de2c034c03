"""Trying plugins where they can do no harm: each in a process of its own, with a time limit; and every name stated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hashzoo.declared import misfit
from hashzoo.errors import HashzooError
from hashzoo.plugins.items import PARTS
from hashzoo.plugins.options import resolve
from hashzoo.plugins.registry import Registry
from hashzoo.plugins.sources import Source
from hashzoo.specs import Command, Component, Dataset, Method

SECONDS = 30.0
"""How long a plugin may take to be imported and asked for what it brings."""

_SCRIPT = """
import sys
from hashzoo.plugins import find_sources, load_plugin
source = next(s for s in find_sources() if (s.distribution, s.name) == (sys.argv[1], sys.argv[2]))
plugin = load_plugin(source)
sys.__stdout__.write("\\nhashzoo-probe " + plugin.status + " " + plugin.error)
sys.__stdout__.flush()
"""


@dataclass(frozen=True)
class Probe:
    """What came of trying one plugin; `fault` is "" where it came back in order."""

    name: str
    distribution: str
    version: str
    fault: str


def probe(sources: Iterable[Source], seconds: float = SECONDS) -> list[Probe]:
    """Load each plugin in a process of its own and say which did not come back, ended its process, or is broken."""
    return [Probe(s.name, s.distribution, s.version, _fault(s, seconds)) for s in sources if s.selected]


def _fault(source: Source, seconds: float) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part or os.curdir for part in sys.path)}
    environment.pop("HASHZOO_PLUGINS", None)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _SCRIPT, source.distribution, source.name],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not come back within {seconds:g} s; HASHZOO_PLUGINS can leave it out, or pip uninstall it"
    lines = [line for line in done.stdout.splitlines() if line.startswith("hashzoo-probe ")]
    if not lines:
        return f"it ended its process with exit code {done.returncode}; pip uninstall {source.distribution}"
    _, status, error = (*lines[-1].split(" ", 2), "")[:3]
    return "" if status == "ok" else error


def unresolved(reg: Registry) -> dict[str, list[str]]:
    """Return, by distribution, every name that a plugin states and that leads nowhere.

    Builders are imported, so this takes torch; nothing is built.
    """
    found: dict[str, list[str]] = {}
    for plugin in reg.plugins:
        faults = [fault for items in plugin.items.values() for item in items for fault in _faults(reg, item)]
        if faults:
            found.setdefault(plugin.distribution, []).extend(faults)
    return found


def _faults(reg: Registry, item: object) -> list[str]:
    if isinstance(item, Method):
        return [f"method {item.name!r}: {fault}" for fault in _method_faults(reg, item)]
    if isinstance(item, Component):
        faults = _tried(resolve, item.build, f"The component {item.name!r}")
        for role, name in item.requires.items():
            faults += _tried(reg.get, PARTS[role], name)
        for name in item.metrics:
            faults += _tried(reg.get, "metrics", name)
        return faults
    if isinstance(item, Dataset):
        faults = _tried(resolve, item.load, f"The dataset {item.name!r}")
        for name in item.backbones.values():
            faults += _tried(reg.get, "backbones", name)
        for name in dict.fromkeys(name for protocol in item.protocols for name in protocol.evaluators):
            faults += _tried(reg.get, "evaluators", name)
        return faults
    if isinstance(item, Command):
        return _tried(resolve, item.build, f"The command {item.name!r}")
    return []


def _method_faults(reg: Registry, method: Method) -> list[str]:
    faults: list[str] = []
    for role, kind in PARTS.items():
        name = getattr(method, role)
        if not name or (role == "trainer" and method.training != "gradient"):
            continue
        here = _tried(reg.options, kind, name)
        if not here:
            for given in (method.options, *(setting.options for setting in method.settings.values())):
                here += _tried(reg.check_options, kind, name, given.get(role, {}))
        faults += here
    for name in method.backbones.values():
        faults += _tried(reg.get, "backbones", name)
    recipes = (method.recipe, *(setting.recipe for setting in method.settings.values()))
    return faults + [f"a recipe {fault}" for recipe in recipes if recipe is not None and (fault := misfit(recipe))]


def _tried(action: Callable[..., Any], *arguments: Any) -> list[str]:
    """Return what an action refuses, as a list of one sentence or none."""
    try:
        action(*arguments)
    except HashzooError as error:
        return [str(error)]
    return []
