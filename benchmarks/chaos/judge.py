"""What becomes of an attack: counted where it is survived, kept as a line where it is not."""

from __future__ import annotations

import contextlib
import io
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hashzoo.errors import HashzooError

SHOWN = 20
LONGEST = 3000
"""Characters that a message may have; the longest list their names."""


@dataclass
class Group:
    """Cases of one kind: how many were tried, how many of them were refused, and those that did not survive.

    A case survives when it gives the right result, where one is known, or is refused in words. It does not when it
    raises anything but hashzoo's own errors, when the words are a traceback, or when the result is wrong.
    """

    name: str
    tried: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def survived(self) -> int:
        """Cases with the right result, and cases refused in words."""
        return self.tried - len(self.failures)

    def attack(self, what: str, action: Callable[[], Any], right: Callable[[Any], bool] | None = None) -> None:
        """Do `action` and judge; `right(result)` says whether a result that came is the right one."""
        self.tried += 1
        try:
            with _quiet():
                result = action()
                if right is not None and not right(result):
                    self.failures.append(f"{what}: silently wrong")
        except HashzooError as error:
            self.refused += 1
            text = str(error)
            if not text.strip() or "Traceback" in text or len(text) > LONGEST:
                self.failures.append(f"{what}: refused without a sentence: {text[:80]!r}")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 -- whatever comes out is what is looked for
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.failures.append(f"{what}: {type(error).__name__}: {str(error)[:120]} ({place.name}:{place.lineno})")

    def note(self, what: str, fault: str, *, refused: bool = False) -> None:
        """Count a case that was judged elsewhere; `fault` is "" where it survived."""
        self.tried += 1
        self.refused += refused
        if fault:
            self.failures.append(f"{what}: {fault}")

    def shown(self) -> list[str]:
        """Return the failures, alike ones counted and the first few kept."""
        kinds = Counter(line.partition(": ")[2] for line in self.failures)
        first = {line.partition(": ")[2]: line for line in reversed(self.failures)}
        return [f"{first[kind]} (x{number})" for kind, number in kinds.most_common(SHOWN)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
