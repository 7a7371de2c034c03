"""Evaluate again: the stored codes of a run, or codes of any tool, whole or in parts; compare two cells by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.api import evaluate, evaluate_counts
from hashzoo.evaluation.code_quality import code_quality, collapse_warning
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.counts import Counts, count, require_kernel, rows_of
from hashzoo.evaluation.counting.parts import Part, merge_parts
from hashzoo.evaluation.evaluators import short_list
from hashzoo.evaluation.files import Whole, read_pair, read_part
from hashzoo.evaluation.names import ALL, name_list, parse
from hashzoo.evaluation.uncertainty import bootstrap_interval, paired_test
from hashzoo.plugins import registry
from hashzoo.results.record import Record, defined, protocol_key
from hashzoo.runner.cell import Cell, cells_of
from hashzoo.runner.scoring import run_evaluators

KEPT = "kept, where the query is in the database"
"""What is said of a query's own item where nothing was asked."""


def check_run(run: Path) -> str:
    """Evaluate every cell's stored codes and compare with its record bit for bit; WorkError on any difference."""
    cells = cells_of(run)
    for cell in cells:
        record = cell.record
        metrics, curves = evaluate_record(record, cell.codes)
        for name in sorted({*metrics, *record.metrics}):
            if metrics.get(name) != record.metrics.get(name):
                raise WorkError(
                    f"{cell.path}: {name} is {metrics.get(name)!r} from the stored codes and "
                    f"{record.metrics.get(name)!r} in the record; the record was made by another version or machine: "
                    "run it again with --overwrite always."
                )
        if curves != record.curves:
            raise WorkError(
                f"{cell.path}: the curves from the stored codes differ from the record's; run it again with "
                "--overwrite always."
            )
    return f"{len(cells)} record(s) of {run} follow from their codes bit for bit."


def evaluate_record(record: Record, codes: Mapping[str, Codes]) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the metrics and curves that a record's own settings give for its codes."""
    reg = registry()
    _, protocol = reg.protocol(record.config.protocol)
    metrics, curves, _ = run_evaluators(reg, record.config, protocol, codes, coded=record.bits > 0)
    return defined(metrics), curves


def evaluate_run(run: Path, metrics: Sequence[str] | None, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return {cell and pair: {metric: value}} of a run's stored codes, evaluated as asked.

    options: as the command line's; `ranking` None is the method's own.
    """
    results: dict[str, dict[str, Any]] = {}
    for cell in cells_of(run):
        record = cell.record
        if record.bits == 0:
            _require_no_codes(metrics, record.method)
        for direction, (query, database) in cell.pairs.items():
            given = {**options, "ranking": options.get("ranking") or record.config.ranking}
            label = f", {direction}" if direction else ""
            results[f"{record.bits} bits, seed {record.seed}{label}"] = _evaluate(query, database, metrics, given)
    return results


def _require_no_codes(metrics: Sequence[str] | None, method: str) -> None:
    by_codes = [name for name in metrics or () if name != ALL and parse(name).needs_counts]
    if by_codes:
        raise UsageError(
            f"{method} ranks features and has no codes, so there is no {', '.join(by_codes)}; ask for metrics of the "
            "ranking, such as map@5000."
        )


def evaluate_files(metrics: Sequence[str] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return {metric: value} of two code files."""
    query, database = read_pair(*_files(options), **_reading(options))
    return _evaluate(query, database, metrics, {**options, "ranking": options.get("ranking") or "hamming"})


def count_part(part: tuple[int, int], output: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Count part (i, n) of a database and write it to `output`; return what was counted."""
    query, database, whole = read_part(*_files(options), part=part, **_reading(options))
    own = rows_of(query, database) if options.get("leave_self_out") else None
    counts = count(query, database, leave_out=own, progress=options.get("progress"), kernel=options["kernel"])
    left_out = -1 if own is None else int((own >= 0).sum())
    Part(counts, *part, whole.items, whole.database_sha256, whole.query_sha256, left_out).save(output)
    return {"part": f"{part[0]}/{part[1]}", "queries": len(query), "items": len(database), "of": whole.items}


def check_parts(parts: int, metrics: Sequence[str] | None, options: Mapping[str, Any]) -> Whole:
    """Return what `parts` parts of a database would belong to; what cannot be right is raised before one is counted.

    Of files that are mapped from disk only the first part is read.
    """
    require_kernel(options["kernel"])
    query, _, whole = read_part(*_files(options), part=(1, parts), **_reading(options))
    one = np.zeros((1, query.bits + 1), dtype=np.int64)
    one[0, 0] = 1
    evaluate_counts(Counts(one, one), metrics, options["ties"], per_query=_by_query(options))  # of one item, as a trial
    return whole


def evaluate_parts(paths: Sequence[Path], metrics: Sequence[str] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return {metric: value} of the sum of all parts of one evaluation; equal to that of the whole."""
    total = merge_parts(paths)
    result = evaluate_counts(total.counts, metrics, options["ties"], per_query=_by_query(options))
    own = KEPT if total.left_out < 0 else f"left out of {total.left_out} lists"
    return _finished(result, {**options, "convention": None, "ranking": "hamming"}, metrics, total.items, own)


def _files(options: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(options.get(name) for name in ("query", "database", "query_labels", "database_labels", "bits"))


def _reading(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"names": options.get("names"), "ids_needed": bool(options.get("leave_self_out"))}


def _by_query(options: Mapping[str, Any]) -> bool:
    return bool(options["per_query"] or options["confidence"])


def _evaluate(
    query: Codes, database: Codes, metrics: Sequence[str] | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    own = rows_of(query, database) if options.get("leave_self_out") else None
    result = evaluate(
        query,
        database,
        metrics,
        options["ties"],
        options["convention"],
        ranking=options["ranking"],
        per_query=_by_query(options),
        leave_out=own,
        progress=options.get("progress"),
        kernel=options.get("kernel", "auto"),
    )
    result = _finished(
        result, options, metrics, len(database), KEPT if own is None else f"left out of {(own >= 0).sum()} lists"
    )
    warning = collapse_warning(code_quality(database)) if options["ranking"] == "hamming" else None
    return {**result, "warning": warning} if warning else result


def _finished(
    result: dict[str, Any], options: Mapping[str, Any], metrics: Sequence[str] | None, items: int, own: str
) -> dict[str, Any]:
    """Return a result with how it was computed, intervals where asked for, and values by query only where asked for."""
    result |= {
        "convention": options["convention"] or "hashzoo",
        "ties": options["ties"] if options["convention"] in (None, "hashzoo") else "as the convention says",
        "ranking": options["ranking"],
        "own_item": own,
    }
    if short := short_list(name_list(metrics or ()), items):
        result["note"] = short
    by_query = [key for key in result if key.endswith(":per_query")]
    for name in by_query if options["confidence"] else ():
        figure = name.removesuffix(":per_query")
        if result[figure] is not None:
            low, high = bootstrap_interval(result[name])
            result[f"{figure}:interval95"] = {"low": low, "high": high}
    dropped = () if options["per_query"] else by_query
    return {key: value for key, value in result.items() if key not in dropped}


def compare_runs(first: Path, second: Path, metric: str) -> list[dict[str, Any]]:
    """Return `compare_cells` for every (bits, seed) that both runs hold; two single cells are compared as they are."""
    cells = [{(c.record.bits, c.record.seed): c for c in cells_of(run)} for run in (first, second)]
    if len(cells[0]) == len(cells[1]) == 1:
        return [compare_cells(next(iter(cells[0].values())), next(iter(cells[1].values())), metric)]
    shared = [key for key in cells[0] if key in cells[1]]
    if not shared:
        raise UsageError(f"{first} and {second} share no bit length and seed; give two cells, or run what is missing.")
    return [
        {"bits": bits, "seed": seed, **compare_cells(cells[0][bits, seed], cells[1][bits, seed], metric)}
        for bits, seed in shared
    ]


def compare_cells(first: Cell | Path, second: Cell | Path, metric: str) -> dict[str, Any]:
    """Return the difference of two cells in a metric, with its interval and a paired test over the queries.

    Each side is measured as its record is. Raises UsageError where they differ in what makes figures comparable.
    """
    prefix, _, plain = metric.rpartition("/")
    asked = parse(plain)
    if asked.is_curve or asked.is_pooled:
        raise UsageError(f"A single query has no value of {plain!r}, so runs cannot be compared in it; try 'map'.")
    cells = [Cell(side) if isinstance(side, Path) else side for side in (first, second)]
    _require_alike(cells[0], cells[1])
    sides = []
    for cell in cells:
        directions = [direction for direction in cell.pairs if not prefix or direction == prefix]
        if len(directions) != 1:
            raise UsageError(
                f"{cell.path} measures {len(cell.pairs)} directions; name one in the metric, for example "
                f"{next(iter(cell.pairs))}/{plain}."
            )
        (direction,) = directions
        values = cell.by_query((plain,))[f"{direction}/{plain}" if direction else plain].tolist()
        sides.append((cell.pairs[direction][0].ids, [None if value != value else value for value in values]))
    if list(sides[0][0]) != list(sides[1][0]):
        raise UsageError("The two cells do not have the same queries in the same order, so they cannot be compared.")
    named = {"first": cells[0].record.method, "second": cells[1].record.method}
    return {"metric": metric, **named, **paired_test(sides[0][1], sides[1][1])}


def _require_alike(first: Cell, second: Cell) -> None:
    """Raise UsageError where two cells are of other protocols or splits, or follow other conventions or tie rules."""
    keys = (protocol_key(first.record), protocol_key(second.record))
    for what, ours, theirs in zip(("protocol", "split", "convention", "ties"), *keys, strict=True):
        if ours != theirs:
            raise UsageError(
                f"The two cells cannot be compared: {what} is {ours[:40]!r} in {first.path} and {theirs[:40]!r} in "
                f"{second.path}; run one of them again as the other was."
            )
