"""Whose code failed: the plugin that an exception comes from, named with its distribution, version and place."""

from __future__ import annotations

import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hashzoo.errors import WorkError
from hashzoo.plugins.loading import Plugin
from hashzoo.plugins.sources import plugin_folders
from hashzoo.plugins.troubles import one_line

KEEP_FRAMES = 40


@dataclass(frozen=True)
class Origin:
    """The plugin whose code an exception comes from, and where in it."""

    plugin: Plugin
    path: Path
    line: int
    function: str


def origin_of(error: BaseException, plugins: tuple[Plugin, ...]) -> Origin | None:
    """Return where in a plugin's code an exception comes from, None where it comes from no plugin."""
    folders = {folder: plugin for plugin in plugins if not plugin.builtin for folder in plugin_folders(plugin)}
    for name, line, function in reversed(_frames(error.__traceback__)):
        path = Path(name)
        plugin = next((owner for folder, owner in folders.items() if path == folder or folder in path.parents), None)
        if plugin is not None:
            return Origin(plugin, path, line, function)
    return None


def blamed(error: BaseException, plugins: tuple[Plugin, ...]) -> WorkError | None:
    """Return the error to show where an exception comes out of a plugin's code, None where it does not."""
    origin = origin_of(error, plugins)
    if origin is None:
        return None
    plugin = origin.plugin
    what = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
    if isinstance(error, SystemExit):
        what = f"it tried to end the program (exit {error.code!r})"
    return WorkError(
        f"The plugin {plugin.distribution} {plugin.version} failed in {origin.path.name}, line {origin.line} "
        f"({origin.function}): {what}; the traceback is in {keep_traceback(error)}. Report it to its authors, or "
        f"pip install --upgrade {plugin.distribution}."
    )


def keep_traceback(error: BaseException) -> Path:
    """Write the traceback to a file of its own in the temporary folder and return its path."""
    with tempfile.NamedTemporaryFile("w", prefix="hashzoo-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    return Path(file.name)


def _frames(trace: TracebackType | None) -> list[tuple[str, int, str]]:
    """Return (file, line, function) of the innermost frames."""
    found = []
    while trace is not None:
        found.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno, trace.tb_frame.f_code.co_name))
        trace = trace.tb_next
    return found[-KEEP_FRAMES:]
