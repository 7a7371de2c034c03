"""A file of `hashzoo tune`, as a run that uses its choice reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashzoo.errors import UsageError, WorkError
from hashzoo.files import json_sha256, read_json

VERSION = 1
"""Version of the file's fields."""


@dataclass(frozen=True)
class Choice:
    """What a study chose for a method: options as `--set` has them, for a regime; `label` for its row.

    `setup` are the options of a run, beside those, that all its trials shared: backbone and weights.
    """

    options: Mapping[str, Any]
    setup: Mapping[str, Any]
    regime: str
    label: str
    source: str


def read_choice(path: Path, method: str, protocol: str) -> Choice:
    """Return what was chosen for a method on a protocol.

    Raises UsageError where the study is of another protocol or lacks the method, WorkError for a damaged file.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}; give one that hashzoo tune wrote.")
    study = read_json(path)
    try:
        if study["version"] != VERSION:
            raise WorkError(f"{path} has version {study['version']} and this hashzoo reads {VERSION}; upgrade hashzoo.")
        if study["protocol"] != protocol:
            raise UsageError(
                f"{path} was tuned on {study['protocol']} and this run is on {protocol}; tune on that, or leave out "
                "--tuned."
            )
        if method not in study["methods"]:
            known = ", ".join(sorted(study["methods"]))
            raise UsageError(
                f"{path} holds no trials of {method!r}, only of {known}; hashzoo tune -m {method} adds it."
            )
        found = study["methods"][method]
        trials, wanted = len(found["trials"]), int(study["trials"])
        if found["chosen"] is None and trials and (trials >= wanted or not found["space"]):
            raise WorkError(
                f"{path}: all {trials} trials of {method} failed, the first with: {found['trials'][0]['error']} Mend "
                "that, and tune in another --out; trials that failed here are not repeated."
            )
        if found["chosen"] is None or (trials < wanted and found["space"]):
            of = wanted if found["space"] else 1
            raise WorkError(f"{path}: {method} has {trials} of {of} trials; repeat hashzoo tune, which goes on.")
        own = {**study, "methods": {method: found}}  # methods that join the file later leave its checksum as it is
        label = f"{trials} trial{'s' if trials != 1 else ''}"
        return Choice(
            options={**study["options"]["settings"], **found["chosen"]["options"]},
            setup={option: study["options"][option] for option in ("backbone", "freeze_backbone", "weights")},
            regime=str(found["regime"]),
            label=label,
            source=f"tuned, {label} by {study['metric']} on {protocol}-validation (trials {json_sha256(own)[:8]})",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wrong = f"it lacks {str(error.args[0])!r}" if isinstance(error, KeyError) else "its fields are of other kinds"
        raise WorkError(f"{path} is not a file of hashzoo tune: {wrong}; restore it or tune again.") from error
