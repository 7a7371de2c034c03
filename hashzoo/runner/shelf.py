"""What the cells of one process share: splits, frozen features and digests, kept from one run to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hashzoo.files import json_sha256

T = TypeVar("T")


class Shelf:
    """Holds the last thing of each kind; in a study most cells want what the one before them had.

    A thing is found again under the same description of all that decides it, in JSON values. Files that it was read
    from are not looked at again: a process goes on with what it has read, as it does with imported code.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, Any]] = {}

    def get(self, kind: str, described: Any, make: Callable[[], T]) -> T:
        """Return the thing of this kind and description, made now where another one or none is held."""
        key = json_sha256(described)
        if self._held.get(kind, ("", None))[0] != key:
            self._held.pop(kind, None)  # its memory is free before the next one is made
            self._held[kind] = (key, make())
        thing: T = self._held[kind][1]
        return thing

    def clear(self) -> None:
        """Forget all of it."""
        self._held.clear()


OF_TASKS = Shelf()
"""What the last tasks of this process used; most often the next one uses the same."""
