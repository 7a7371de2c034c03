"""What is wrong with a plugin, in a line, and what to do about it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field

from hashzoo.plugins.sources import Source


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong with a plugin: a line, what to do, and the traceback where there is one."""

    error: str
    remedy: str
    details: str = field(default="", repr=False)


def explain(hook: str, error: BaseException, source: Source) -> Trouble:
    """Return what to say about an exception that a plugin raised at import or in a hook."""
    what = "import failed" if hook == "import" else f"{hook} raised"
    line = f"{what}: {type(error).__name__}: {one_line(error)}".rstrip(": ")
    details = "".join(traceback.format_exception(error))
    own = source.entry_point.partition("=")[2].strip().split(":")[0].split(".")[0]
    missing = (getattr(error, "name", None) or "").split(".")[0]
    newer = isinstance(error, TypeError) and "unexpected keyword argument" in str(error)
    if newer or (isinstance(error, ImportError) and missing == "hashzoo"):
        remedy = f"pip install --upgrade hashzoo {source.distribution}"
    elif isinstance(error, ModuleNotFoundError) and missing and missing != own:
        remedy = f"pip install {missing}, or reinstall {source.distribution}"
    elif isinstance(error, ModuleNotFoundError | AttributeError) and hook == "import":
        remedy = f"pip install --force-reinstall {source.distribution}"
    else:
        remedy = f"pip install --upgrade {source.distribution}, or pip uninstall {source.distribution}"
    return Trouble(line, remedy, details)


def one_line(value: object) -> str:
    """Return the first line of a message, safe against an exception whose own __str__ fails."""
    try:
        lines = str(value).strip().splitlines()
    except Exception:  # noqa: BLE001 -- a plugin's exception class is a plugin's code
        return "(its message cannot be read)"
    return lines[0][:200] if lines else ""
