"""Where plugins come from: the core's own modules, and entry points of the group `hashzoo`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hashzoo
from hashzoo.errors import unknown_name

if TYPE_CHECKING:
    from hashzoo.plugins.loading import Plugin

GROUP = "hashzoo"
CORE = "hashzoo"
"""Distribution of the built-in plugins."""

_BUILTINS = {
    "data": "hashzoo.data.datasets",
    "models": "hashzoo.models.components",
    "training": "hashzoo.training.references",
    "evaluation": "hashzoo.evaluation.registered",
    "results": "hashzoo.results.reported",
    "studies": "hashzoo.studies.engines",
    "commands": "hashzoo.cli.commands",
}


@dataclass(frozen=True)
class Source:
    """A plugin before it is loaded: who offers it, and how to get the object that carries the hooks."""

    name: str
    distribution: str
    version: str
    entry_point: str
    load: Callable[[], Any]
    selected: bool = True


def canonical(distribution: str) -> str:
    """Return a distribution's name as packaging tools compare it.

    >>> canonical("Hashzoo_DHN")
    'hashzoo-dhn'
    """
    return re.sub(r"[-_.]+", "-", distribution).lower()


def find_sources(selection: str | None = None) -> list[Source]:
    """Return the built-in sources and those of the installed entry points, in a fixed order.

    `selection` is the value of HASHZOO_PLUGINS: names of entry points or distributions, separated by commas;
    the others are listed and not loaded. None selects all, "" none. Built-ins are always selected. A name
    that nothing installed answers to is a UsageError.
    """
    points, unreadable = _entry_points()
    found = sorted(points, key=lambda point: (_distribution_of(point)[0], point.name))
    wanted = _parse_selection(selection, found, unreadable)
    builtins = [
        Source(name, CORE, hashzoo.__version__, f"{name} = {module}", _importer(module))
        for name, module in _BUILTINS.items()
        if importlib.util.find_spec(module) is not None
    ]
    chosen = [replace(s, selected=wanted is None or canonical(s.name) in wanted) for s in unreadable]
    return [*builtins, *(_from_entry_point(point, wanted) for point in found), *chosen]


def plugin_file_hash(plugin: Plugin) -> str:
    """Return the sha256 over the Python files of a plugin's distribution: sorted relative names, then bytes.

    The same for a wheel and for an editable install of the same files. Nothing is imported. "" where the
    distribution has no files that can be found (an object registered in memory).
    """
    digest = hashlib.sha256()
    files = sorted((name, path) for root in _roots(plugin) for name, path in _python_files(root))
    for name, path in files:
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest() if files else ""


def is_editable(distribution_name: str) -> bool:
    """Return whether a distribution is used from a working copy: editable, or metadata beside the sources."""
    try:
        found = distribution(distribution_name)
    except (PackageNotFoundError, ValueError):
        return False
    try:
        said = json.loads(found.read_text("direct_url.json") or "{}")
        if said.get("dir_info", {}).get("editable"):
            return True
    except (ValueError, AttributeError):
        return False
    return str(getattr(found, "_path", "")).endswith(".egg-info")


def plugin_folders(plugin: Plugin) -> list[Path]:
    """Return the folders (of packages) and files (of single modules) that hold a plugin's code."""
    found = []
    for root in _roots(plugin):
        try:
            spec = importlib.util.find_spec(root)
        except (ImportError, ValueError):
            continue
        if spec is not None and spec.submodule_search_locations:
            found += [Path(folder) for folder in spec.submodule_search_locations]
        elif spec is not None and spec.origin:
            found.append(Path(spec.origin))
    return found


def _entry_points() -> tuple[list[EntryPoint], list[Source]]:
    """Return the entry points of our group, and a source that fails for each distribution whose list is malformed.

    `importlib.metadata.entry_points` stops at the first malformed file of any distribution, ours or not.
    """
    points: list[EntryPoint] = []
    unreadable: list[Source] = []
    seen: set[str] = set()
    for dist in distributions():
        name, text = "", ""
        try:
            name = str(dist.name)
            if canonical(name) in seen:  # the first one on the path is the one that is imported
                continue
            seen.add(canonical(name))
            text = dist.read_text("entry_points.txt") or ""
            mine = [point for point in dist.entry_points if point.group == GROUP] if GROUP in text else []
            points += {(point.name, point.value): point for point in mine}.values()
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with somebody's metadata, the others go on
            if name and (f"[{GROUP}" in text or canonical(name).startswith(f"{CORE}-")):
                unreadable.append(Source(name, name, _version_of(dist), "entry_points.txt", _failing(error)))
    return points, sorted(unreadable, key=lambda source: source.name)


def _failing(error: Exception) -> Callable[[], Any]:
    def load() -> Any:
        raise ImportError(f"its entry_points.txt cannot be read ({type(error).__name__}: {error})")

    return load


def _version_of(dist: Distribution) -> str:
    try:
        return str(dist.version)
    except Exception:  # noqa: BLE001 -- as above
        return "unknown"


def _parse_selection(
    selection: str | None, found: Sequence[EntryPoint], unreadable: Sequence[Source] = ()
) -> set[str] | None:
    if selection is None:
        return None
    wanted = {part.strip() for part in selection.split(",") if part.strip()}
    known = {point.name for point in found} | {canonical(_distribution_of(point)[0]) for point in found}
    known |= {canonical(source.name) for source in unreadable}
    for name in sorted(wanted):
        if name not in known and canonical(name) not in known:
            raise unknown_name("installed plugin (asked for in HASHZOO_PLUGINS)", name, known)
    return wanted | {canonical(name) for name in wanted}


def _from_entry_point(point: EntryPoint, wanted: set[str] | None) -> Source:
    name, version = _distribution_of(point)
    selected = wanted is None or point.name in wanted or canonical(name) in wanted
    return Source(point.name, name, version, f"{point.name} = {point.value}", point.load, selected)


def _distribution_of(point: EntryPoint) -> tuple[str, str]:
    """Return name and version; damaged metadata must not stop the other plugins."""
    dist = point.dist
    if dist is None:
        return f"unknown ({point.value})", "unknown"
    try:
        return str(dist.name), str(dist.version)
    except Exception:  # noqa: BLE001 -- whatever is wrong with somebody's metadata, the listing goes on
        return f"unknown ({point.value})", "unknown"


def _importer(module: str) -> Callable[[], Any]:
    return lambda: importlib.import_module(module)


def _roots(plugin: Plugin) -> list[str]:
    """Return the top-level packages or modules of the plugin's distribution."""
    roots = {plugin.entry_point.partition("=")[2].strip().split(":")[0].split(".")[0]}
    if canonical(plugin.distribution) != CORE:
        try:
            dist: Distribution = distribution(plugin.distribution)
        except PackageNotFoundError:
            return sorted(roots)
        with suppress(Exception):  # a malformed list of entry points: what the plugin itself names is left
            values = [point.value for point in dist.entry_points if point.group == GROUP]
            roots |= {value.split(":")[0].split("[")[0].split(".")[0].strip() for value in values}
        roots |= set((dist.read_text("top_level.txt") or "").split())
    return sorted(root for root in roots if root.isidentifier())


def _python_files(root: str) -> list[tuple[str, Path]]:
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return [
            (f"{root}/{path.relative_to(folder).as_posix()}", path)
            for folder in spec.submodule_search_locations
            for path in Path(folder).rglob("*.py")
        ]
    return [(Path(spec.origin).name, Path(spec.origin))] if spec.origin else []
