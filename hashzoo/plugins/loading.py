"""Load one plugin: import it, check its hooks, call them, check what they return. Nothing here raises.

Every plugin gets a pluggy manager of its own, so that `check_pending` speaks of this plugin only and a hook
that raises stops nothing but itself.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

import pluggy

import hashzoo
from hashzoo import hookspecs, specs
from hashzoo.plugins.items import KINDS, Item, find_fault, item_name
from hashzoo.plugins.sources import CORE, Source
from hashzoo.plugins.troubles import Trouble, explain, one_line

UNSTATED_API = 1
"""Plugin interface that a plugin without `hashzoo_api` is taken to be written for."""

SLOW_IMPORT = 2.0
"""Seconds after which an import is noted as slow."""

WAITING = 5.0
"""Seconds after which a plugin that has not come back is named on standard error."""

_PREFIX = "hashzoo_register"


@dataclass(frozen=True)
class Plugin:
    """A plugin after loading, with what it brings and what is wrong with it.

    `status`: "ok", "broken", "clash" (a name of it is taken) or "skipped" (by HASHZOO_PLUGINS). A broken
    plugin keeps those of its items that are in order. `calls` are (hook or "import", seconds); `notes` are
    warnings: printed at import, slow import, old interface. `api` is the interface it was written for.
    """

    name: str
    distribution: str
    version: str
    entry_point: str
    status: str = "ok"
    troubles: tuple[Trouble, ...] = ()
    notes: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    calls: tuple[tuple[str, float], ...] = ()
    items: Mapping[str, tuple[Item, ...]] = field(default_factory=dict, repr=False)
    api: int = specs.API_VERSION

    @property
    def error(self) -> str:
        """What is wrong, or ""."""
        return "; ".join(trouble.error for trouble in self.troubles)

    @property
    def remedy(self) -> str:
        """What to do about it, or ""."""
        return "; ".join(dict.fromkeys(trouble.remedy for trouble in self.troubles))

    @property
    def seconds(self) -> float:
        """Time that import and hooks took."""
        return sum(seconds for _, seconds in self.calls)

    @property
    def builtin(self) -> bool:
        """Whether the plugin belongs to the core."""
        return self.distribution == CORE

    def line(self) -> str:
        """Return distribution, version, entry point and what is wrong, with its remedy, in one line."""
        head = f"{self.distribution} {self.version} ({self.entry_point})"
        return f"{head}: {self.error}. Remedy: {self.remedy}." if self.troubles else f"{head}: {self.status}"

    def as_dict(self) -> dict[str, Any]:
        """Return the plugin as JSON-ready values."""
        return {
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "entry_point": self.entry_point,
            "status": self.status,
            "error": self.error,
            "remedy": self.remedy,
            "notes": list(self.notes),
            "hooks": list(self.hooks),
            "seconds": round(self.seconds, 6),
            "items": {kind: [item_name(kind, item) for item in items] for kind, items in self.items.items()},
        }


class _Loading:
    """What is known so far about the plugin that is being loaded."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.troubles: list[Trouble] = []
        self.notes: list[str] = []
        self.calls: list[tuple[str, float]] = []
        self.items: dict[str, tuple[Item, ...]] = {}
        self.api = specs.API_VERSION

    def result(self, hooks: tuple[str, ...] = ()) -> Plugin:
        source = self.source
        return Plugin(
            source.name,
            source.distribution,
            source.version,
            source.entry_point,
            status="broken" if self.troubles else "ok",
            troubles=tuple(self.troubles),
            notes=tuple(self.notes),
            hooks=hooks,
            calls=tuple(self.calls),
            items=self.items,
            api=self.api,
        )

    def trouble(self, error: str, remedy: str) -> None:
        self.troubles.append(Trouble(error, remedy))

    def attempt(self, hook: str, action: Callable[[], Any]) -> tuple[bool, Any]:
        """Return (whether it worked, its value); keep its time, what it printed and what it raised."""
        started = time.perf_counter()
        try:
            with _quiet(hook, self.notes):
                return True, action()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 -- SystemExit in a plugin must not end every command
            self.troubles.append(explain(hook, error, self.source))
            return False, None
        finally:
            self.calls.append((hook, time.perf_counter() - started))


def load_plugin(source: Source) -> Plugin:
    """Return the loaded plugin; whatever is wrong with it is in `troubles` and `notes`, never raised."""
    loading = _Loading(source)
    waiting = threading.Timer(WAITING, _say_who, (source, sys.stderr))
    waiting.daemon = True
    waiting.start()
    try:
        hooks = _load(loading)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 -- an attribute look-up in a plugin's object may raise as well
        loading.troubles.append(explain("loading", error, source))
        hooks = ()
    finally:
        waiting.cancel()
        waiting.join()  # else its thread is still there when a check counts threads
    return loading.result(hooks)


def _say_who(source: Source, stream: TextIO) -> None:
    """Name the plugin that everything waits for, on the stream that was standard error before it was kept quiet."""
    with contextlib.suppress(OSError, ValueError):
        stream.write(
            f"Waiting for the plugin {source.name} ({source.distribution} {source.version}) to be imported; "
            "`hashzoo plugins --probe` tries each with a time limit, HASHZOO_PLUGINS can leave it out.\n"
        )
        stream.flush()


def _load(loading: _Loading) -> tuple[str, ...]:
    """Import, register and call the plugin; return the names of its hooks."""
    had_torch = "torch" in sys.modules
    worked, module = loading.attempt("import", loading.source.load)
    if not worked:
        return ()
    seconds = loading.calls[0][1]
    if seconds > SLOW_IMPORT:
        loading.notes.append(f"import took {seconds:.1f} s; heavy imports belong inside the builders")
    if "torch" in sys.modules and not had_torch:
        loading.notes.append("importing it imports torch, which slows down every command")
    if not _check_api(module, loading):
        return ()
    worked, manager = loading.attempt("registration", lambda: _register(module))
    if not worked:
        return ()
    hooks = _check_hooks(module, manager, loading)
    if loading.troubles:
        return hooks
    for kind, wanted in KINDS.items():
        if wanted.hook in hooks:
            loading.items[kind] = _call(kind, manager, loading)
    if not any(loading.items.values()) and not loading.troubles:
        loading.notes.append("it registers nothing")
    return hooks


def _check_api(module: Any, loading: _Loading) -> bool:
    """Refuse a plugin for a newer interface or one older than the promise; note one a version behind."""
    stated, ours = getattr(module, "hashzoo_api", UNSTATED_API), specs.API_VERSION
    distribution = loading.source.distribution
    if isinstance(stated, bool) or not isinstance(stated, int):
        loading.trouble(
            f"hashzoo_api is {stated!r} and not a whole number",
            f"state hashzoo_api = {ours} in the plugin's module",
        )
    elif stated > ours:
        loading.trouble(
            f"it needs plugin interface {stated}, and hashzoo {hashzoo.__version__} has {ours}",
            f"pip install --upgrade hashzoo, or install an older {distribution}",
        )
    elif stated < ours - 1:
        loading.trouble(
            f"it was written for plugin interface {stated}, and hashzoo {hashzoo.__version__} "
            f"loads {ours - 1} and {ours}",
            f"pip install --upgrade {distribution}, or install an older hashzoo",
        )
    elif stated < ours:
        loading.api = stated
        loading.notes.append(
            f"it was written for plugin interface {stated}, which interface {ours + 1} will refuse; "
            f"pip install --upgrade {distribution}, or ask its authors for a release"
        )
    else:
        loading.api = stated
    return not loading.troubles


def _register(module: Any) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("hashzoo")
    manager.add_hookspecs(hookspecs)
    manager.register(module, name="plugin")
    return manager


def _check_hooks(module: Any, manager: pluggy.PluginManager, loading: _Loading) -> tuple[str, ...]:
    """Return the names of the plugin's hooks; a misspelt or unmarked one is a trouble."""
    callers = manager.get_hookcallers(module) or []
    known = [kind.hook for kind in KINDS.values()]
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        misspelt = [caller.name for caller in callers if not caller.has_spec()]
        for name in misspelt:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"rename it to {near[0]}" if near else f"the hooks are {', '.join(known)}"
            loading.trouble(f"unknown hook {name!r}", f"{hint}, in {loading.source.distribution}")
        if not misspelt:
            loading.trouble(one_line(error), f"report it to the authors of {loading.source.distribution}")
    for name in dir(module):
        function = getattr(module, name, None)
        if name.startswith(_PREFIX) and callable(function) and not hasattr(function, "hashzoo_impl"):
            distribution = loading.source.distribution
            loading.trouble(f"hook {name!r} is not marked", f"put @hookimpl before {name} in {distribution}")
    return tuple(sorted(caller.name for caller in callers))


def _call(kind: str, manager: pluggy.PluginManager, loading: _Loading) -> tuple[Item, ...]:
    """Call one hook of one plugin and return its good items; the others become troubles."""
    hook, distribution = KINDS[kind].hook, loading.source.distribution
    worked, returned = loading.attempt(hook, lambda: _collect(getattr(manager.hook, hook)))
    if not worked:
        return ()
    good: dict[str, Item] = {}
    for item in returned:
        fault = find_fault(kind, item)
        if not fault and item_name(kind, item) in good:
            fault = f"returned {KINDS[kind].singular} {item_name(kind, item)!r} twice"
        if fault:
            loading.trouble(f"{hook} {fault}", f"report it to the authors of {distribution}")
        else:
            good[item_name(kind, item)] = item
    return tuple(good.values())


def _collect(hook: Callable[[], list[Any]]) -> list[Any]:
    """Return all items of one plugin's implementations, generators run to their end."""
    items: list[Any] = []
    for returned in hook():
        if isinstance(returned, str | bytes | Mapping) or not hasattr(returned, "__iter__"):
            raise TypeError(f"the hook returned {type(returned).__name__} and not a list")
        items.extend(returned)
    return items


@contextlib.contextmanager
def _quiet(hook: str, notes: list[str]) -> Iterator[None]:
    """Keep what the block prints or warns about as notes, so that no plugin spoils a command's output."""
    out, err = io.StringIO(), io.StringIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", ResourceWarning)  # of whatever is collected just now, hardly ever a plugin's
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                yield
        finally:
            when = "at import" if hook == "import" else f"in {hook}"
            for name, stream in (("stdout", out), ("stderr", err)):
                if printed := stream.getvalue().strip():
                    notes.append(f"printed to {name} {when}: {printed.splitlines()[0][:80]!r}")
            notes.extend(f"{w.category.__name__} {when}: {one_line(w.message)}" for w in caught)
