"""`hashzoo verify`: is a record's result what its codes, and its configuration, give again?"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.errors import HashzooError, UsageError
from hashzoo.evaluation.code_quality import is_collapse
from hashzoo.evaluation.codes import Codes, codes_sha256, load_codes
from hashzoo.plugins import plugin_file_hash, registry
from hashzoo.results.collect import describe
from hashzoo.results.config import RunConfig
from hashzoo.results.evidence import FOLDER, RECORDS, contradictions, note_again, place_of, read_codes
from hashzoo.results.record import Record, read_record
from hashzoo.runner.cell import STAGE_FILES, CellFolder
from hashzoo.runner.devices import choose_device, choose_precision, make_accelerator
from hashzoo.runner.plan import Plan
from hashzoo.runner.progress import Reporter
from hashzoo.runner.reevaluate import evaluate_record
from hashzoo.runner.run import load_data, prepare, training_precision
from hashzoo.runner.stages import run_cell
from hashzoo.specs import Method

SPREAD = 3.0
"""A retrained value may differ from the recorded one by this many standard deviations of the other seeds' values."""

FLOOR_OF_SPREAD = 0.01
"""Least spread assumed, in units of the metric; also where fewer than two other seeds are beside the record."""


@dataclass(frozen=True)
class Verdict:
    """What was found. `ok` unless codes contradict the record or are missing, or training gives another result."""

    record: str
    evaluation: str
    training: str
    details: tuple[str, ...]
    ok: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return the verdict as lines for people."""
        lines = [self.record, f"  stored codes: {self.evaluation}", f"  trained again: {self.training}"]
        return "\n".join([*lines, *(f"  {line}" for line in self.details)])


def verify(path: Path, *, train: bool, device: str, reporter: Reporter, note: bool = False) -> Verdict:
    """Evaluate the codes beside a record again, train again from its configuration, and judge.

    `note`: keep beside the accepted records that this one was made again, if it was.
    """
    if path.is_dir():
        path = path / STAGE_FILES["evaluate"]
    if not path.is_file():
        raise UsageError(f"There is no record {path}; give a record.json, or a cell folder that holds one.")
    record = read_record(path)
    if not train and not (path.parent / STAGE_FILES["encode"]).exists():
        raise UsageError(
            f"There are no codes beside {path}, so --no-train leaves nothing to check; leave it out, or give the "
            "record in its run directory."
        )
    boards = _board_folder(path) if note else None
    if note and boards is None:
        raise UsageError(f"{path} is not an accepted record, so there is nowhere to note that it was made again.")
    details = list(_changed_plugins(record))
    evaluation, evaluation_ok = _check_codes(path, record)
    training, training_ok = "not asked for", True
    if train:
        new = _train_again(record, device, reporter)
        training, training_ok, compared = _judge(record, new, _siblings(path, record))
        details += compared
    if boards and train and training_ok:
        where = f"hashzoo {new.versions['hashzoo']}, torch {new.versions['torch']}, {new.environment['processor']}"
        note_again(boards / FOLDER, record, training, where)
    return Verdict(describe(record), evaluation, training, tuple(details), evaluation_ok and training_ok)


def _board_folder(path: Path) -> Path | None:
    """Return the board folder that an accepted record belongs to; None for any other."""
    return next((parent.parent for parent in path.resolve().parents if parent.name == RECORDS), None)


def verify_codes(path: Path, *, bundle: Path | None, reporter: Reporter) -> Verdict:
    """Evaluate the published codes of an accepted record with the core's evaluators, and with the data set's labels.

    The codes are those beside the record in the board folder's evidence, or in a bundle. Ids and labels are compared
    with those of the data set where its data are here. A record without codes is not verified.
    """
    if not path.is_file():
        raise UsageError(f"There is no record {path}; give one of leaderboards/records.")
    record = read_record(path)
    boards = _board_folder(path)
    if boards is None:
        raise UsageError(f"{path} is not an accepted record; for a run's own record: hashzoo verify --no-train.")
    evidence_dir = bundle if bundle is not None else boards / FOLDER
    codes = read_codes(record, evidence_dir, place_of(record, boards / RECORDS, evidence_dir))
    name = describe(record)
    if not codes:
        where = f"in {evidence_dir}" if bundle else "beside the record; give the --bundle that holds them"
        return Verdict(name, f"reported only, not verified: no codes {where}", "not asked for", (), False)
    faults = contradictions(record, codes)
    labels, labels_ok = _compared_with_data(record, codes, reporter)
    words = "do not give the record" if faults else "follows from codes"
    return Verdict(name, words, "not asked for", (labels, *faults), not faults and labels_ok)


def _compared_with_data(record: Record, codes: Mapping[str, Codes], reporter: Reporter) -> tuple[str, bool]:
    """Return whether ids and labels of published codes are those of the data set, in words."""
    try:
        splits = load_data(plan_of(record), reporter)
    except HashzooError as error:
        return f"ids and labels: as published, not compared with the data ({error})", True
    if splits.sha256 != record.split_sha256:
        return "the record's split is not the protocol's", False
    for name, part in codes.items():
        rows = getattr(splits, name.partition(".")[0])
        if not np.array_equal(part.ids.astype(str), splits.table.ids[rows].astype(str)):
            return f"{name}: the ids are not the protocol's", False
        if not np.array_equal(np.asarray(part.labels) != 0, splits.table.labels[rows] != 0):
            return f"{name}: the labels are not the data set's", False
    return "ids and labels are the data set's", True


def plan_of(record: Record) -> Plan:
    """Return the plan that makes a record again, from its own configuration."""
    reg, config = registry(), record.config
    dataset, protocol = reg.protocol(config.protocol)
    method: Method = reg.get("methods", config.method)
    run_config = RunConfig(**{name: getattr(config, name) for name in RunConfig.model_fields})
    return Plan(method, dataset, protocol, run_config, (record.bits,), (record.seed,))


def _check_codes(path: Path, record: Record) -> tuple[str, bool]:
    stored = path.parent / STAGE_FILES["encode"]
    if not stored.exists():
        return "none beside the record", True
    codes = load_codes(stored)
    if codes_sha256(codes) != record.codes_sha256:
        return "not the codes that the record was made from", False
    metrics, _ = evaluate_record(record, codes)
    different = [name for name, value in record.metrics.items() if metrics.get(name) != value]
    if different:
        return f"give other values of {', '.join(sorted(different))}", False
    return "give the record bit for bit", True


def _train_again(record: Record, device: str, reporter: Reporter) -> Record:
    """Train in a temporary folder; features are computed afresh, so that no cache can vouch for itself."""
    plan, place = plan_of(record), choose_device(device)
    precision = choose_precision(record.config.precision, place)
    with tempfile.TemporaryDirectory(prefix="hashzoo-verify-") as name:
        accelerator = make_accelerator(place, training_precision(plan, precision))
        shop = prepare(plan, registry(), accelerator, precision, reporter, Path(name) / "cache")
        cell = CellFolder(Path(name) / "cell")
        cell.path.mkdir()
        return run_cell(shop, cell, record.bits, record.seed)


def _siblings(path: Path, record: Record) -> list[Record]:
    """Return the records of the other seeds of the same cell, from the run directory or the board folder."""
    pattern = (
        path.parent.parent.glob("seed-*/record.json") if path.name == "record.json" else path.parent.glob("*.json")
    )
    found = []
    for other in sorted(pattern):
        candidate = read_record(other)
        same = all(getattr(candidate, f) == getattr(record, f) for f in ("method", "bits", "protocol", "convention"))
        if same and _without_seed(candidate) == _without_seed(record) and candidate.seed != record.seed:
            found.append(candidate)
    return found


def _without_seed(record: Record) -> dict[str, Any]:
    return record.config.model_dump(exclude={"seed", "evaluation", "precision", "settings_source"})


def _judge(record: Record, new: Record, others: list[Record]) -> tuple[str, bool, list[str]]:
    if new.split_sha256 != record.split_sha256:
        return (
            "not comparable",
            False,
            ["the data here (items, and of own data inputs and labels) are not the record's"],
        )
    details, ok = [], bool(record.headlines)
    if not ok:
        details.append("the record has no value of its headline metric, so that only the same codes reproduce it")
    for name in record.headlines:
        seeds = [r.metrics[name] for r in others if name in r.metrics]  # a wrong record is not to widen its own spread
        spread = float(np.std(seeds, ddof=1)) if len(seeds) >= 2 else 0.0
        allowed = SPREAD * max(spread, FLOOR_OF_SPREAD)
        gap = new.metrics.get(name, float("nan")) - record.metrics[name]
        ok = ok and abs(gap) <= allowed
        details.append(
            f"{name}: recorded {record.metrics[name]:.4f}, again {record.metrics[name] + gap:.4f}, gap {gap:+.4f}, "
            f"allowed {allowed:.4f} ({len(seeds)} other seed(s))"
        )
    if new.codes_sha256 == record.codes_sha256:
        different = sorted(name for name, value in record.metrics.items() if new.metrics.get(name) != value)
        if not different:
            return "reproduced (the same codes, bit for bit)", True, details
        return f"the same codes with other values of {', '.join(different)}", False, details
    if _same_place(record, new):
        details.insert(0, "not deterministic: the same machine and versions gave other codes")
    elif not ok and any(map(is_collapse, record.notes)):
        details.append(
            "the record's codes collapsed: last digits, in which processors and versions differ, decide which of their "
            "bits end alike; verify another seed"
        )
    return ("within the spread of seeds" if ok else "not reproduced"), ok, details


def _same_place(record: Record, new: Record) -> bool:
    """Whether both were made on the same kind of machine, with the same versions, threads and precision."""
    places = [(r.environment, r.versions, r.config.precision, r.plugins) for r in (record, new)]
    return places[0] == places[1]


def _changed_plugins(record: Record) -> list[str]:
    reg, notes = registry(), []
    for plugin in reg.plugins:
        made_by = {p.sha256 for p in record.plugins.values() if p.distribution == plugin.distribution}
        if made_by and plugin_file_hash(plugin) not in made_by:
            notes.append(f"note: the files of {plugin.distribution} are not those that made the record")
    return sorted(set(notes))
