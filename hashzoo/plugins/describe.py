"""What `hashzoo plugins`, `list` and `show` print, as plain data."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hashzoo.errors import UsageError, unknown_name
from hashzoo.plugins import KINDS, PARTS, Registry, registry
from hashzoo.plugins.options import resolve
from hashzoo.specs import Claim, Command, Component, Dataset, Method, Metric, PaperTable, Protocol

COMPONENTS = ("backbones", *PARTS.values(), "evaluators", "engines")
EVERY_KIND = (*KINDS, "protocols")


def plugin_rows() -> list[dict[str, Any]]:
    """Return one row per plugin: name, distribution, version, status, what it brings, troubles and notes."""
    return [{**plugin.as_dict(), "line": plugin.line()} for plugin in registry().plugins]


def list_rows(kind: str) -> list[dict[str, str]]:
    """Return name, distribution, version and a one-line summary of everything of a kind ("protocols" too)."""
    reg = registry()
    if kind == "protocols":
        return [_protocol_row(reg, name) for name in reg.protocols()]
    rows = []
    for name in reg.names(kind):
        owner, item = reg.owner(kind, name), reg.get(kind, name)
        rows.append(
            {"name": name, "distribution": owner.distribution, "version": owner.version, "summary": _summary(item)}
        )
    return rows


def is_registered(name: str) -> bool:
    """Whether anything of any kind has this name."""
    return any(_has(registry(), kind, name) for kind in EVERY_KIND)


def find_and_describe(name: str, kind: str | None = None) -> dict[str, Any]:
    """Return the description of `name`, looked up kind by kind (methods first) unless one is given."""
    reg = registry()
    kinds = (kind,) if kind else EVERY_KIND
    hits = [k for k in kinds if _has(reg, k, name)]
    if not hits:
        known = {n for k in kinds for n in (reg.protocols() if k == "protocols" else reg.names(k))}
        raise unknown_name(kind or "registered thing", name, known)
    found = describe(hits[0], name)
    if len(hits) > 1:
        found["also"] = [f"--kind {other}" for other in hits[1:]]
    return found


def describe(kind: str, name: str) -> dict[str, Any]:
    """Return fields, owner and (for components) options with their defaults of one registered thing."""
    reg = registry()
    if kind == "protocols":
        dataset, protocol = reg.protocol(name)
        return {"kind": kind, **_protocol_row(reg, name), **asdict(protocol), "modalities": dict(dataset.modalities)}
    item, owner = reg.get(kind, name), reg.owner(kind, name)
    found: dict[str, Any] = {"kind": kind, "distribution": owner.distribution, "version": owner.version}
    if isinstance(item, PaperTable):
        found |= {"id": item.id, "title": item.title, "metric": item.metric, "paper": asdict(item.paper)}
        found["rows"] = [asdict(row) for row in item.rows]
        return found
    found |= {key: value for key, value in asdict(item).items() if not callable(value)}
    if isinstance(item, Method):
        parts = {role: (kind, getattr(item, role)) for role, kind in PARTS.items() if getattr(item, role)}
        if item.training != "gradient":
            parts.pop("trainer", None)
        found["component_options"] = {role: _options(reg, *part) for role, part in parts.items()}
        found["option_docs"] = {role: _documented(reg, *part) for role, part in parts.items()}
    elif kind in COMPONENTS:
        found["name"] = name
        found["options"] = _options(reg, kind, name) if not name.endswith("/") else {}
        found["option_docs"] = _documented(reg, kind, name) if not name.endswith("/") else []
        found["members"] = _members(item.members, name) if name.endswith("/") else []
        if "/" in name and not name.endswith("/"):
            _require_member(name, _members(item.members, name))
    return found


def _members(named: Any, name: str) -> list[str]:
    """Return the names after the slash of a family that can tell them."""
    return list(resolve(named, f"backbone {name!r}")()) if named else []


def _require_member(name: str, members: Sequence[str]) -> None:
    """Raise UsageError for a name that is not among the `members` of its family; a tag after a dot is free."""
    family, _, member = name.partition("/")
    if members and not {member, member.partition(".")[0]} & set(members):
        near = difflib.get_close_matches(member.partition(".")[0], members, n=3)
        hint = f"; did you mean {' or '.join(repr(f'{family}/{one}') for one in near)}?" if near else "."
        raise UsageError(f"There is no backbone {name!r}{hint} `hashzoo show {family}/` lists them.")


def _has(reg: Registry, kind: str, name: str) -> bool:
    try:
        if kind == "protocols":
            reg.protocol(name)
        else:
            reg.get(kind, name)
    except UsageError as error:
        return "is claimed by" in str(error)
    return True


def _options(reg: Registry, kind: str, name: str) -> dict[str, Any]:
    return {
        option: "(required)" if default is inspect.Parameter.empty else default
        for option, default in reg.options(kind, name).items()
    }


def _documented(reg: Registry, kind: str, name: str) -> list[dict[str, Any]]:
    return [asdict(doc) for doc in reg.option_docs(kind, name)]


def _protocol_row(reg: Registry, name: str) -> dict[str, str]:
    dataset, protocol = reg.protocol(name)
    owner = reg.owner("datasets", dataset.name)
    query, train, database = protocol.sizes
    sizes = f"{query:,} query / {train:,} train / {database:,} database" if query else "sizes from your data"
    names = f" (also {', '.join(protocol.aliases)})" if protocol.aliases else ""
    return {
        "name": protocol.id,
        "distribution": owner.distribution,
        "version": owner.version,
        "summary": f"{dataset.name}: {sizes}{names}",
    }


def _summary(item: Any) -> str:
    if isinstance(item, Method):
        return item.summary or f"{item.paper.title} ({item.paper.venue} {item.paper.year})"
    if isinstance(item, (Component, Dataset, Protocol, Metric, Command)):
        return item.summary
    if isinstance(item, Claim):
        return f"{item.better} ahead of {item.worse} in {item.metric}"
    if isinstance(item, PaperTable):
        return item.title
    return ""
