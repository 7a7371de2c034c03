"""The table of everything that plugins bring, by kind and name."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hashzoo.errors import UsageError, WorkError, unknown_name
from hashzoo.plugins.items import KINDS, Item, item_name
from hashzoo.plugins.loading import Plugin, load_plugin
from hashzoo.plugins.option_docs import OptionDoc, option_docs
from hashzoo.plugins.options import accepted_options, check_options, resolve
from hashzoo.plugins.sources import CORE, canonical, find_sources
from hashzoo.plugins.troubles import Trouble
from hashzoo.specs import Component, Dataset, Method, Protocol

TAKEN = {"backbones": 0, "trainers": 0, "engines": 0, "hash_layers": 2, "losses": 1, "fitters": 1, "evaluators": 1}
"""How many leading arguments of each kind's builder the core fills in (a family's model name comes on top)."""

_NO_OPTIONS: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Call:
    """One line of the trace: a hook ("import" for the import) of one plugin and how long it took."""

    hook: str
    plugin: str
    seconds: float


@dataclass(frozen=True)
class _Entry:
    plugin: Plugin
    item: Item


class Registry:
    """Everything the given plugins bring; with `strict`, WorkError if any of them is not in order.

    A name that two plugins claim belongs to neither: asking for it is a UsageError that names both, and
    "distribution:name" picks one. A built-in name stays the core's, and who else claims it is reported.
    """

    def __init__(self, plugins: Iterable[Plugin], strict: bool = False) -> None:
        loaded = list(plugins)
        self._table = _tabulate(loaded)
        self.plugins = tuple(_with_clashes(plugin, self._table) for plugin in loaded)
        self._table = _tabulate(self.plugins)
        if strict and self.failures:
            broken = "\n".join(plugin.line() for plugin in self.failures)
            raise WorkError(f"Strict mode, and {len(self.failures)} plugin(s) are not in order:\n{broken}")

    def extended(self, *plugins: Plugin) -> Registry:
        """Return a registry with these plugins as well."""
        return Registry([*self.plugins, *plugins])

    @property
    def failures(self) -> tuple[Plugin, ...]:
        """Plugins that are broken or claim a name that is taken."""
        return tuple(plugin for plugin in self.plugins if plugin.troubles)

    @property
    def trace(self) -> tuple[Call, ...]:
        """Every import and hook call, in order, with its time."""
        return tuple(
            Call(hook, f"{plugin.distribution} ({plugin.name})", seconds)
            for plugin in self.plugins
            for hook, seconds in plugin.calls
        )

    def warning(self) -> str:
        """Return one sentence about plugins that are not in order, "" if all are."""
        if not self.failures:
            return ""
        names = ", ".join(f"{plugin.distribution} {plugin.version}" for plugin in self.failures)
        count = len(self.failures)
        noun, verb = ("plugin", "is") if count == 1 else ("plugins", "are")
        return f"{count} {noun} {verb} not in order ({names}); `hashzoo plugins` says what is wrong."

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind, sorted; one that several claim appears as each "distribution:name"."""
        return _listed(self._kind(kind))

    def get(self, kind: str, name: str) -> Any:
        """Return the spec called `name`, "distribution:name", or the family of a "family/x" name.

        The components that a method names, and the backbones of a method or dataset, mean those of its own
        distribution first: where the plain name would mean another, they come back as "distribution:name".
        """
        entry, _ = self._find(kind, name)
        item, own = entry.item, entry.plugin
        if isinstance(item, Method):
            return replace(
                item,
                loss=self._qualify("losses", item.loss, own),
                hash_layer=self._qualify("hash_layers", item.hash_layer, own),
                trainer=self._qualify("trainers", item.trainer, own),
                fitter=self._qualify("fitters", item.fitter, own),
                backbones={m: self._qualify("backbones", b, own) for m, b in item.backbones.items()},
            )
        if isinstance(item, Dataset):
            return replace(item, backbones={m: self._qualify("backbones", b, own) for m, b in item.backbones.items()})
        return item

    def qualified(self, kind: str, name: str) -> str:
        """Return the name under which this very thing is found again: "distribution:name" where another claims it."""
        entry, _ = self._find(kind, name)
        plain = self._split(name)[1]
        sole = _winner(self._claims(kind, plain)[0]) is entry
        return plain if sole else f"{entry.plugin.distribution}:{plain}"

    def owner(self, kind: str, name: str) -> Plugin:
        """Return the plugin that brings `name`."""
        return self._find(kind, name)[0].plugin

    def listed(self, kind: str, name: str) -> str:
        """Return what `names` calls the thing that `name` means: "distribution:name" only where it has to."""
        entry, _ = self._find(kind, name)
        plain = item_name(kind, entry.item)
        return plain if entry is _winner(self._table[kind][plain]) else f"{entry.plugin.distribution}:{plain}"

    def build(self, kind: str, name: str, *args: Any, options: Mapping[str, Any] = _NO_OPTIONS) -> Any:
        """Build a component: resolve its builder, check the options against its signature, call it.

        `args` are what the kind's builder takes first (see `Component`). An unknown option is a UsageError
        that lists the accepted ones; what the builder itself raises is passed on.
        """
        component, rest = self._component(kind, name)
        what = self._describe(kind, name)
        builder = resolve(component.build, what)
        filled = (rest, *args) if rest is not None else args
        check_options(builder, what, len(filled), options)
        return builder(*filled, **options)

    def options(self, kind: str, name: str) -> dict[str, Any]:
        """Return the options of a component with their defaults (inspect.Parameter.empty: required)."""
        component, rest = self._component(kind, name)
        builder = resolve(component.build, self._describe(kind, name))
        accepted = accepted_options(builder, TAKEN[kind] + (rest is not None))
        return {option: parameter.default for option, parameter in accepted.items()}

    def option_docs(self, kind: str, name: str) -> list[OptionDoc]:
        """Return the options of a component with type, default and meaning."""
        component, rest = self._component(kind, name)
        builder = resolve(component.build, self._describe(kind, name))
        return option_docs(builder, accepted_options(builder, TAKEN[kind] + (rest is not None)))

    def check_options(self, kind: str, name: str, options: Mapping[str, Any]) -> None:
        """Raise what `build` would raise for these options, without building."""
        component, rest = self._component(kind, name)
        what = self._describe(kind, name)
        check_options(resolve(component.build, what), what, TAKEN[kind] + (rest is not None), options)

    def protocols(self) -> list[str]:
        """Return the ids of all protocols, sorted; one that several claim appears as each "distribution:id"."""
        claims: dict[str, list[_Entry]] = {}
        for entry, protocol in self._protocols():
            claims.setdefault(protocol.id, []).append(entry)
        return _listed(claims)

    def protocol(self, id_or_alias: str) -> tuple[Dataset, Protocol]:
        """Return the dataset and protocol with this id, or alias, or "distribution:id"."""
        distribution, wanted = self._split(id_or_alias)
        pairs = [
            (entry, protocol)
            for entry, protocol in self._protocols()
            if distribution is None or canonical(entry.plugin.distribution) == distribution
        ]
        found = [pair for pair in pairs if pair[1].id == wanted] or [p for p in pairs if wanted in p[1].aliases]
        if not found:
            known = [name for _, protocol in pairs for name in (protocol.id, *protocol.aliases)]
            raise self._unknown("protocol", id_or_alias, known)
        own = [pair for pair in found if pair[0].plugin.builtin] or found
        if len(own) > 1:
            claims = " and ".join(f"{e.plugin.distribution}:{p.id} ({e.plugin.version})" for e, p in own)
            raise UsageError(f"Protocol {wanted!r} is claimed by {claims}; write one of these instead.")
        entry, protocol = own[0]
        return self.get("datasets", f"{entry.plugin.distribution}:{item_name('datasets', entry.item)}"), protocol

    def _kind(self, kind: str) -> dict[str, list[_Entry]]:
        if kind not in KINDS:
            raise unknown_name("kind", kind, KINDS)
        return self._table[kind]

    def _split(self, name: str) -> tuple[str | None, str]:
        """Split "distribution:name"; a colon after anything but a distribution belongs to the name."""
        head, colon, rest = name.partition(":")
        if colon and any(canonical(head) == canonical(plugin.distribution) for plugin in self.plugins):
            return canonical(head), rest
        return None, name

    def _find(self, kind: str, name: str) -> tuple[_Entry, str | None]:
        """Return the entry, and for a family the part of the name after the family's."""
        distribution, wanted = self._split(name)
        entries, rest = self._claims(kind, wanted)
        if distribution is not None:
            # two entry points of one distribution may bring the same: nothing could tell them apart
            entries = [e for e in entries if canonical(e.plugin.distribution) == distribution][:1]
        if not entries:
            raise self._unknown(KINDS[kind].singular, name, self.names(kind))
        winner = _winner(entries)
        if winner is None:
            claims = " and ".join(
                f"{e.plugin.distribution} {e.plugin.version} ({e.plugin.entry_point})" for e in entries
            )
            picks = " or ".join(repr(f"{e.plugin.distribution}:{wanted}") for e in entries)
            raise UsageError(
                f"The {KINDS[kind].singular} {wanted!r} is claimed by {claims}; write {picks}, or uninstall one."
            )
        return winner, rest

    def _claims(self, kind: str, plain: str) -> tuple[list[_Entry], str | None]:
        """Return all entries that a name without a distribution can mean, and the part of it after a family's."""
        table = self._kind(kind)
        family = next((f for f in table if f.endswith("/") and plain.startswith(f) and plain != f), None)
        if plain in table or family is None:
            return table.get(plain, []), None
        return table[family], plain.removeprefix(family)

    def _component(self, kind: str, name: str) -> tuple[Component, str | None]:
        entry, rest = self._find(kind, name)
        if not isinstance(entry.item, Component):
            raise UsageError(
                f"A {KINDS[kind].singular} is a description and is not built; use get({kind!r}, {name!r})."
            )
        if rest is None and entry.item.name.endswith("/"):
            raise UsageError(f"{name!r} is a family of {kind.replace('_', ' ')}; add a name to it: '{name}<model>'.")
        return entry.item, rest

    def _describe(self, kind: str, name: str) -> str:
        plugin = self.owner(kind, name)
        return f"The {KINDS[kind].singular} {name!r} of {plugin.distribution} {plugin.version}"

    def _qualify(self, kind: str, name: str, own: Plugin) -> str:
        entries = self._table[kind].get(name, [])
        mine = [e for e in entries if e.plugin.distribution == own.distribution]
        return f"{own.distribution}:{name}" if mine and _winner(entries) not in mine else name

    def _protocols(self) -> list[tuple[_Entry, Protocol]]:
        return [
            (entry, protocol)
            for entries in self._table["datasets"].values()
            for entry in entries
            if isinstance(entry.item, Dataset)
            for protocol in entry.item.protocols
        ]

    def _unknown(self, kind: str, name: str, known: Iterable[str]) -> UsageError:
        """Return the error for an unknown name; a plugin that is not loaded and could bring it is named."""
        error = unknown_name(kind, name, known)
        stem = self._split(name)[1].split("-")[0]
        for plugin in self.plugins:
            if stem not in (plugin.name, canonical(plugin.distribution).removeprefix(f"{CORE}-")):
                continue
            if plugin.status == "skipped":
                return UsageError(f"{error} The plugin {plugin.distribution} is left out by HASHZOO_PLUGINS.")
            if plugin.status == "broken":
                return UsageError(f"{error} A plugin that may bring it is broken: {plugin.line()}")
        return error


def registry(strict: bool = False) -> Registry:
    """Return the registry of this process: built-ins and installed plugins, as HASHZOO_PLUGINS selects them.

    Loaded once for each value of HASHZOO_PLUGINS and of `sys.path`. `strict`: WorkError if one is broken.
    """
    found = _load(os.environ.get("HASHZOO_PLUGINS"), tuple(sys.path))
    return Registry(found.plugins, strict=True) if strict and found.failures else found


@functools.lru_cache(maxsize=8)
def _load(selection: str | None, path: tuple[str, ...]) -> Registry:
    del path  # part of the key only: another path can hold other plugins
    return Registry(
        load_plugin(source)
        if source.selected
        else Plugin(source.name, source.distribution, source.version, source.entry_point, status="skipped")
        for source in find_sources(selection)
    )


def _tabulate(plugins: Iterable[Plugin]) -> dict[str, dict[str, list[_Entry]]]:
    table: dict[str, dict[str, list[_Entry]]] = {kind: {} for kind in KINDS}
    for plugin in plugins:
        for kind, items in plugin.items.items():
            for item in items:
                table[kind].setdefault(item_name(kind, item), []).append(_Entry(plugin, item))
    return table


def _listed(claims: Mapping[str, list[_Entry]]) -> list[str]:
    """Return plain names that somebody owns, and "distribution:name" for every other claim."""
    names = []
    for name, entries in claims.items():
        winner = _winner(entries)
        names += [name] if winner is not None else []
        names += {f"{entry.plugin.distribution}:{name}": None for entry in entries if entry is not winner}
    return sorted(names)


def _winner(entries: list[_Entry]) -> _Entry | None:
    """Return the only entry, or the only one of the core; None where nobody may win."""
    core = [entry for entry in entries if entry.plugin.builtin]
    if len(core) == 1:
        return core[0]
    return entries[0] if len(entries) == 1 else None


def _with_clashes(plugin: Plugin, table: dict[str, dict[str, list[_Entry]]]) -> Plugin:
    """Return the plugin with a trouble for each of its names that another one claims as well."""
    troubles = []
    for kind, items in plugin.items.items():
        for item in items:
            name = item_name(kind, item)
            entries = table[kind][name]
            others = [e.plugin for e in entries if e.plugin is not plugin]
            winner = _winner(entries)
            if not others or (winner is not None and winner.plugin is plugin):
                continue
            claims = " and ".join(f"{other.distribution} {other.version}" for other in others)
            troubles.append(
                Trouble(
                    f"the {KINDS[kind].singular} {name!r} is also registered by {claims}",
                    f"write {plugin.distribution}:{name} to use this one, or uninstall one of them",
                )
            )
    troubles = [trouble for trouble in troubles if trouble not in plugin.troubles]
    if not troubles:
        return plugin
    status = "clash" if plugin.status == "ok" else plugin.status
    return replace(plugin, status=status, troubles=(*plugin.troubles, *troubles))
