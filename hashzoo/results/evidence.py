"""Evidence behind accepted records: values by query beside each, codes beside some, and what follows from them.

A record names its evidence by checksums (`Record.evidence`): "values" by query of the metrics that head boards, "codes"
as packed bits, "items" with ids and labels, which all codes of a split share. Beside the records of a board folder lies

    evidence/<protocol>/<method>/<setting>/bits-048-seed-0.values.npz   every accepted record
    evidence/<protocol>/<method>/<setting>/bits-048-seed-0.codes.npz    one seed of each method at one bit length
    evidence/<protocol>/items-<sha256>.npz

and the other codes in a bundle of the same shape. A record's level is what somebody else can check of it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hashzoo.data.readers import read_arrays
from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes, codes_sha256, write_npz
from hashzoo.evaluation.names import MetricName, parse
from hashzoo.files import read_json, write_text
from hashzoo.plugins import registry
from hashzoo.results.record import Record

Level = Literal["reported only", "follows from codes", "made again"]
LEVELS: tuple[Level, ...] = ("reported only", "follows from codes", "made again")
"""What stands behind a record, from the least: its own word; codes from which its figures follow; a run again."""

RECORDS = "records"
FOLDER = "evidence"
AGAIN = "made-again.json"
"""Which records were made again by somebody else's run, and what came of it; written by `hashzoo verify --note`."""

BY_QUERY = ("map", "map@1000", "map@5000", "map@h2", "map@h2-reranked", "precision@h2", "recall@h2")
"""Metrics whose values by query are kept, beside the protocol's headline; float32, about 15 kB for 1,000 queries."""

CODES_BITS = 48
"""Bit length of the codes that are kept beside the record; a method without it has its middle one."""

SAME = 1e-9
"""Figures from published codes may differ from the record's by the rounding of another machine."""

SAME_MEAN = 1e-6
"""Likewise the mean of values kept in single precision."""

Arrays = Mapping[str, NDArray[Any]]


def pairs_of(record: Record, codes: Mapping[str, Codes]) -> dict[str, tuple[Codes, Codes]]:
    """Return query and database codes of every direction measured: {"": ...}, or {"image-to-text": ..., ...}."""
    _, protocol = registry().protocol(record.config.protocol)
    several = len(protocol.pairs) > 1
    wanted = {f"query.{q}" for q, _ in protocol.pairs} | {f"database.{d}" for _, d in protocol.pairs}
    if missing := sorted(wanted - set(codes)):
        raise WorkError(f"The codes lack {', '.join(missing)}, which the protocol measures; run it again.")
    return {
        f"{query}-to-{database}" if several else "": (codes[f"query.{query}"], codes[f"database.{database}"])
        for query, database in protocol.pairs
    }


def by_query(
    record: Record, pairs: Mapping[str, tuple[Codes, Codes]], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return {metric: (Q,)} of metrics in every direction, under the record's names; NaN where a query has none."""
    evaluation = record.config.evaluation
    found: dict[str, NDArray[np.float64]] = {}
    for direction, (query, database) in pairs.items() if names else ():
        values = evaluate(
            query, database, names, evaluation.ties, evaluation.convention, ranking=record.config.ranking,
            per_query=True,
        )  # fmt: skip
        prefix = f"{direction}/" if direction else ""
        found |= {prefix + name: np.array(values[f"{name}:per_query"], dtype=np.float64) for name in names}
    return found


def values_by_query(record: Record, codes: Mapping[str, Codes]) -> dict[str, NDArray[np.float32]]:
    """Return {metric: (Q,)} of the record's metrics among `BY_QUERY` and its headline; NaN where a query has none."""
    measured = {name.rpartition("/")[2] for name in record.metrics}
    names = [name for name in dict.fromkeys((record.headline, *BY_QUERY)) if name in measured and _has_values(name)]
    values = by_query(record, pairs_of(record, codes), names)
    return {name: value.astype(np.float32) for name, value in values.items() if name in record.metrics}


def _parsed(name: str) -> MetricName | None:
    try:
        return parse(name)
    except UsageError:
        return None  # an evaluator's own


def _has_values(name: str) -> bool:
    metric = _parsed(name)
    return metric is not None and not (metric.is_curve or metric.is_pooled)


# Files


def place_of(record: Record, records_dir: Path, evidence_dir: Path) -> Path:
    """Return the path of a record's evidence without its ending; WorkError for a record from elsewhere."""
    if record.path is None or not record.path.resolve().is_relative_to(records_dir.resolve()):
        raise WorkError(f"{record.path} is not among the accepted records of {records_dir}; accept it first.")
    return evidence_dir / record.path.resolve().relative_to(records_dir.resolve()).with_suffix("")


def values_file(place: Path) -> Path:
    """Return the file of the values by query."""
    return place.with_name(f"{place.name}.values.npz")


def codes_file(place: Path) -> Path:
    """Return the file of the codes."""
    return place.with_name(f"{place.name}.codes.npz")


def items_file(evidence_dir: Path, place: Path, sha256: str) -> Path:
    """Return the file of ids and labels, which the codes of one protocol share."""
    return evidence_dir / place.relative_to(evidence_dir).parts[0] / f"items-{sha256[:16]}.npz"


def arrays_sha256(arrays: Arrays) -> str:
    """Return the sha256 over names, types, shapes and bytes of arrays, whatever file they are in."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
        digest.update(f"{name} {little.dtype.str} {little.shape}\n".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def bare(codes: Mapping[str, Codes]) -> dict[str, Codes]:
    """Return codes without their real-valued outputs: what is published."""
    return {name: Codes(c.packed, c.bits, c.labels, c.ids) for name, c in codes.items()}


def items_of(codes: Mapping[str, Codes]) -> dict[str, NDArray[Any]]:
    """Return ids and labels, the labels packed along the classes."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, part in codes.items():
        arrays[f"{name}/ids"] = np.ascontiguousarray(part.ids)
        arrays[f"{name}/classes"] = np.array(part.num_classes, dtype=np.int64)
        arrays[f"{name}/labels"] = np.packbits(np.asarray(part.labels) != 0, axis=1, bitorder="little")
    return arrays


def checksums(record: Record, codes: Mapping[str, Codes], values: Arrays) -> dict[str, str]:
    """Return what the record says of its evidence; codes of 0 bits are features and are not published."""
    found = {"values": arrays_sha256(values)} if values else {}
    if record.bits:
        found |= {"codes": codes_sha256(bare(codes)), "items": arrays_sha256(items_of(codes))}
    return found


def write_values(place: Path, values: Arrays) -> Path:
    """Write the values by query and return the file."""
    return _write(values_file(place), values)


def write_codes(evidence_dir: Path, place: Path, codes: Mapping[str, Codes]) -> Path:
    """Write packed codes, and ids and labels where they are not there yet; return the file of the codes."""
    items = items_of(codes)
    shared = items_file(evidence_dir, place, arrays_sha256(items))
    if not shared.exists():
        _write(shared, items)
    packed: dict[str, NDArray[Any]] = {}
    for name, part in codes.items():
        packed[f"{name}/bits"] = np.array(part.bits, dtype=np.int64)
        packed[f"{name}/packed"] = np.ascontiguousarray(part.packed)
    return _write(codes_file(place), packed)


def _write(path: Path, arrays: Arrays) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_npz(path, arrays, compressed=True)
    return path


def read_values(record: Record, place: Path) -> dict[str, NDArray[np.float32]]:
    """Return the values by query that belong to a record; empty where it has none. WorkError for others."""
    path, wanted = values_file(place), record.evidence.get("values")
    if wanted is None:
        return {}
    if not path.exists():
        raise WorkError(f"{path} is missing, and {record.path} says that it is its evidence; restore it.")
    values = read_arrays(path)
    if arrays_sha256(values) != wanted:
        raise WorkError(f"{path} is not the evidence that {record.path} names; restore it, or accept the run again.")
    return dict(values)


def read_codes(record: Record, evidence_dir: Path, place: Path) -> dict[str, Codes]:
    """Return a record's published codes; empty where there are none. WorkError for others than the record names."""
    path, wanted = codes_file(place), record.evidence.get("codes")
    if not path.exists():
        return {}
    if wanted is None:
        raise WorkError(f"{path} lies beside {record.path}, which names no codes; accept the run again, or remove it.")
    shared = items_file(evidence_dir, place, record.evidence.get("items", ""))
    if not shared.exists():
        raise WorkError(f"{shared} is missing, which holds ids and labels of {path}; restore it.")
    packed, items = read_arrays(path), read_arrays(shared)
    try:
        codes = {}
        for name in sorted(key.rpartition("/")[0] for key in packed if key.endswith("/packed")):
            classes = int(items[f"{name}/classes"])
            labels = np.unpackbits(items[f"{name}/labels"], axis=1, count=classes, bitorder="little")
            bits = int(packed[f"{name}/bits"])
            codes[name] = Codes(packed[f"{name}/packed"], bits, labels, items[f"{name}/ids"])
    except (KeyError, ValueError, UsageError) as error:
        raise WorkError(f"{path} holds no codes of hashzoo ({error}); restore it.") from error
    if codes_sha256(codes) != wanted:
        raise WorkError(f"{path} holds other codes than {record.path} names; restore it, or accept the run again.")
    return codes


# What follows


def contradictions(record: Record, codes: Mapping[str, Codes]) -> list[str]:
    """Return how a record's figures differ from what its codes give, metric by metric; empty where they follow.

    Compared is every ranking metric that packed codes alone decide.
    """
    evaluation, faults = record.config.evaluation, []
    by_codes = record.config.ranking == "hamming"
    for direction, (query, database) in pairs_of(record, codes).items():
        prefix = f"{direction}/" if direction else ""
        here = {name.removeprefix(prefix): value for name, value in record.metrics.items() if name.startswith(prefix)}
        names = [name for name in here if "/" not in name and _from_codes(name, by_codes)]
        given = evaluate(query, database, names, evaluation.ties, evaluation.convention) if names else {}
        for name in names:
            again = given[name]
            if again is None or abs(again - here[name]) > SAME:
                shown = "undefined" if again is None else f"{again:.4f}"
                faults.append(f"{prefix}{name} is {here[name]:.4f} in the record and {shown} from the codes")
    return faults


def _from_codes(name: str, ranked_by_codes: bool) -> bool:
    metric = _parsed(name)
    if metric is None or metric.is_curve or metric.variant == "reranked":
        return False
    return ranked_by_codes or metric.needs_counts


def wrong_means(record: Record, values: Mapping[str, NDArray[np.float32]]) -> list[str]:
    """Return which of the record's figures are not the mean of the values by query."""
    faults = []
    for name, by_query in values.items():
        kept = by_query[~np.isnan(by_query)].astype(np.float64)
        mean = float(kept.mean()) if len(kept) else math.nan
        if not abs(mean - record.metrics.get(name, math.nan)) <= SAME_MEAN:
            faults.append(f"{name} is {record.metrics.get(name, math.nan):.4f} in the record and {mean:.4f} by query")
    return faults


@dataclass(frozen=True)
class Standing:
    """What stands behind one record: its level, its values by query, and what is wrong."""

    level: Level
    values: Mapping[str, NDArray[np.float32]]
    faults: tuple[str, ...] = ()
    has_codes: bool = False


class Evidence:
    """The evidence of a board folder, read once: `Evidence(Path("leaderboards")).of(record)`."""

    def __init__(self, board_dir: Path) -> None:
        self.records_dir = board_dir / RECORDS
        self.folder = board_dir / FOLDER
        self.again = read_again(self.folder)
        self._found: dict[str, Standing] = {}
        self._values: dict[str, tuple[Mapping[str, NDArray[np.float32]], tuple[str, ...]]] = {}

    def of(self, record: Record) -> Standing:
        """Return what stands behind a record; one that was never accepted has its own word only."""
        key = str(record.path)
        if key not in self._found:
            self._found[key] = self._judged(record)
        return self._found[key]

    def values(self, record: Record) -> Mapping[str, NDArray[np.float32]]:
        """Return a record's values by query without a look at its codes, which takes long; empty where it has none.

        Values that are not those the record names, or of which its figures are not the means, are none.
        """
        return self._values_and_faults(record)[0]

    def codes(self, record: Record) -> dict[str, Codes]:
        """Return the published codes of a record that follow from nothing but this folder; empty without."""
        return read_codes(record, self.folder, place_of(record, self.records_dir, self.folder))

    def _judged(self, record: Record) -> Standing:
        try:
            place = place_of(record, self.records_dir, self.folder)
        except WorkError:
            return Standing("reported only", {})
        values, wrong_values = self._values_and_faults(record)
        faults = list(wrong_values)
        level: Level = "reported only"
        there = codes_file(place).exists()
        try:
            codes = read_codes(record, self.folder, place)
            wrong = contradictions(record, codes) if codes else []
            faults += wrong
            if codes and not wrong:
                level = "follows from codes"
        except HashzooError as error:
            faults.append(str(error))
        noted = self.again.get(record.record_sha256)
        if noted is not None and not faults:
            level = "made again"
        return Standing(level, {} if faults else values, tuple(f"{record.path}: {fault}" for fault in faults), there)

    def _values_and_faults(self, record: Record) -> tuple[Mapping[str, NDArray[np.float32]], tuple[str, ...]]:
        """Return the values by query of a record and why there are none; both empty for one never accepted."""
        key = str(record.path)
        if key not in self._values:
            try:
                place = place_of(record, self.records_dir, self.folder)
            except WorkError:
                return {}, ()
            try:
                values = read_values(record, place)
                faults = tuple(wrong_means(record, values))
            except WorkError as error:
                values, faults = {}, (str(error),)
            self._values[key] = ({} if faults else values, faults)
        return self._values[key]


def read_again(evidence_dir: Path) -> dict[str, dict[str, str]]:
    """Return {record_sha256: what came of making it again}; empty where nobody did."""
    path = evidence_dir / AGAIN
    noted = read_json(path) if path.exists() else {}
    if not isinstance(noted, dict):
        raise WorkError(f"{path} is damaged; restore it.")
    return noted


def note_again(evidence_dir: Path, record: Record, outcome: str, where: str) -> None:
    """Note that a record was made again: the outcome in words, and versions and machine."""
    noted = read_again(evidence_dir)
    noted[record.record_sha256] = {"outcome": outcome, "where": where}
    write_text(evidence_dir / AGAIN, json.dumps(noted, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def level_note(standings: Iterable[Standing]) -> str:
    """Return how much of a board somebody else can check, in one sentence; "" where nothing is published."""
    found = list(standings)
    if not any(standing.values or standing.has_codes for standing in found):
        return ""
    count = [sum(standing.level == level for standing in found) for level in LEVELS]
    parts = [f"values by query of {sum(bool(standing.values) for standing in found)}"]
    words = ("reported only", "follow from published codes", "made again by another run")
    parts += [f"{number} {said}" for number, said in zip(reversed(count), reversed(words), strict=True) if number]
    return f"Evidence behind the {len(found)} records: {'; '.join(parts)}."
