"""The two kinds of failure a user meets; every message is one sentence with what is wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HashzooError(Exception):
    """Base of the errors that the command line prints without a traceback."""

    exit_code = 1


class UsageError(HashzooError):
    """The request itself is wrong (unknown name, bits that are not positive, mismatched files): exit code 2."""

    exit_code = 2


class WorkError(HashzooError):
    """The request was fine and the work failed (full disk, non-finite loss, damaged file): exit code 1."""

    exit_code = 1


class RefusedOptionError(UsageError):
    """A component cannot be built with the value of an option, or a recipe's value does not fit the data."""


class DivergedError(WorkError):
    """A setting led to values that are not finite: `fault` says where, `advice` what to do and what was kept."""

    def __init__(self, fault: str, advice: str = "") -> None:
        super().__init__(f"{fault}{advice}")
        self.fault = fault


class BusyError(WorkError):
    """Another process is working on the cell, and the request was not to wait for it."""


LONGEST = 200
"""Characters of a wrong name that are repeated to the user."""

MANY = 30
"""More names than this are counted, not listed, where a near one was found."""

FAR_TOO_MANY = 100
"""More names than this are never listed."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not in `known`, offering the nearest ones.

    >>> str(unknown_name("method", "dhnn", ["dhn", "hashnet"]))
    "There is no method 'dhnn'; did you mean 'dhn'? Known: dhn, hashnet."
    """
    names = sorted(known)
    name = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    if len(names) > (MANY if near else FAR_TOO_MANY):
        return UsageError(
            f"There is no {kind} {name!r}{hint} {len(names)} are known; `hashzoo list KIND` shows them, such as "
            "`hashzoo list methods`."
        )
    listed = ", ".join(names) if names else "none"
    return UsageError(f"There is no {kind} {name!r}{hint} Known: {listed}.")
