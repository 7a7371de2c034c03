"""Raw text to vectors: a vocabulary by document frequency, and rows that say which of its words a text has."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from hashzoo.data.labels import indicators
from hashzoo.data.tables import fingerprint_of
from hashzoo.errors import UsageError
from hashzoo.specs import Splits

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
"""A word: letters and digits of any script, with an apostrophe inside."""


def words(text: str) -> list[str]:
    """Return the words of a text in lower case.

    >>> words("A man's hat, 2 lakes")
    ['a', "man's", 'hat', '2', 'lakes']
    """
    return WORD.findall(text.lower())


def vocabulary(
    texts: Iterable[str], size: int = 0, *, at_least: int = 1, without: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the words that occur in the most texts, by falling count, then by the alphabet.

    `size` words (0: all) that occur in `at_least` texts; words of `without` are left out. It depends on the texts
    alone and belongs into the record: give it as `Splits.details["vocabulary"]`.

    Raises UsageError where no word is left.
    """
    counts = Counter(word for text in texts for word in set(words(text)))
    banned = {word.lower() for word in without}
    kept = [word for word, count in counts.items() if count >= at_least and word not in banned]
    kept.sort(key=lambda word: (-counts[word], word))
    if not kept:
        raise UsageError("No word occurs often enough for a vocabulary; lower the number of texts asked.")
    return tuple(kept[: size or None])


def bag_of_words(texts: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """Return (n, len(known)) float32: 1 where a text has the word, else 0.

    >>> bag_of_words(["sky and sea", ""], ["sea", "tree"]).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    return indicators((words(text) for text in texts), known, np.float32)


def with_text(splits: Splits, text: np.ndarray, known: Sequence[str] = (), notes: Iterable[str] = ()) -> Splits:
    """Return the splits with the modality `text` (n, V) beside the others, and with its vocabulary and further notes.

    The fingerprint is the sha256 of that of the table before and that of the texts, separated by a blank.
    """
    table = splits.table
    digest = hashlib.sha256(f"{table.fingerprint} {fingerprint_of({'text': text})}".encode()).hexdigest()
    table = replace(table, inputs={**table.inputs, "text": text}, fingerprint=digest)
    details = {**splits.details, "vocabulary": list(known)} if known else splits.details
    return replace(splits, table=table, notes=(*splits.notes, *notes), details=details)
